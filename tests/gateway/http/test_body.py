"""A request's body, within its limits; what its endpoints make of these is in their own tests."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from gateway.http.body import BodyReader

pytestmark = pytest.mark.anyio


def request(chunks: Sequence[bytes], *headers: tuple[bytes, bytes], ends: bool = True) -> Request:
    left = list(chunks)

    async def receive() -> Message:
        if not left and not ends:
            await asyncio.Event().wait()
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left) or not ends}

    return Request({"type": "http", "method": "POST", "headers": list(headers)}, receive)


async def test_a_body_is_read_whole() -> None:
    assert await BodyReader(4).read(request([b"ab", b"cd"])) == b"abcd"


@pytest.mark.parametrize("sent", [request([b"ab", b"cde"]), request([], (b"content-length", b"5"))])
async def test_a_body_that_is_too_large_is_not_read_on(sent: Request) -> None:
    with pytest.raises(HTTPException) as caught:
        await BodyReader(4).read(sent)
    assert caught.value.status_code == 413


async def test_a_body_that_does_not_come_is_given_up() -> None:
    with pytest.raises(HTTPException) as caught:
        await BodyReader(4, time_limit=0.01).read(request([b"a"], ends=False))
    assert caught.value.status_code == 408
