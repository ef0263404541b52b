import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.conditions import SOON
from tests.support.worker import openai_server
from tests.support.worker.openai_server import KEY, OpenAIServer, Play
from worker.errors import UpstreamError
from worker.providers import Picture
from worker.providers.openai.images import MAX_BODY, MAX_BYTES, MAX_PICTURES, OpenAIImageProvider, parse_images
from worker.providers.registry import image_provider
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
PICTURES = ("http://t/2.png", "http://t/1.png")


async def unmarked() -> None:
    """Let every question pass, as before_send."""


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def drawn(*pictures: Any) -> Play:
    return openai_server.refusing(200, {"created": 1, "data": list(pictures)})


async def draw(
    server_stub: OpenAIServer, before_send: Callable[[], Awaitable[None]] = unmarked, **changed: Any
) -> tuple[Picture, ...]:
    async with asyncio.timeout(SOON):
        return await OpenAIImageProvider(WorkerSettings()).draw(server_stub.account(**changed), "a zebra", before_send)


async def test_it_is_in_the_table() -> None:
    assert image_provider("openai") is OpenAIImageProvider


async def test_addresses_come_in_the_servers_order() -> None:
    async with OpenAIServer(drawn(*({"url": url, "revised_prompt": "x"} for url in PICTURES))) as server_stub:
        assert await draw(server_stub) == PICTURES
    [request] = server_stub.asked
    assert (request.method, request.target) == ("POST", "/v1/images/generations")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {"model": "p", "prompt": "a zebra"}


@pytest.mark.parametrize(
    ("play", "reason", "refused"),
    [
        (openai_server.refusing(401), "account.blocked", True),
        (openai_server.refusing(404), "account.blocked", True),
        (openai_server.refusing(429), "account.throttled", True),
        (openai_server.refusing(400, {"error": {"code": "content_policy_violation"}}), "image.blocked", True),
        (openai_server.refusing(400, {"error": {"code": "moderation_blocked"}}), "image.blocked", True),
        (openai_server.refusing(400, {"error": {"message": "a zebra"}}), "question.invalid", True),
        (openai_server.refusing(500), "upstream.internal", False),
        (openai_server.refusing(200, "<p>a zebra</p>"), "account.blocked", True),
        (openai_server.refusing(200, {"data": [{"b64_json": "eA=="}]}), "image.protocol", False),
        (openai_server.refusing(200, {"data": [{"b64_json": "x" * 2_000_000}]}), "image.protocol", False),
        (drawn(), "image.empty", False),
        (drawn({"url": "javascript:x"}, {"url": None}), "image.empty", False),
        (openai_server.saying(), "transport.closed", False),
        (openai_server.saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), "transport.closed", False),
    ],
)
async def test_each_failure_has_its_reason(play: Play, reason: str, refused: bool) -> None:
    async with OpenAIServer(play) as server_stub:
        with pytest.raises(UpstreamError) as caught:
            await draw(server_stub)
    assert (caught.value.reason, caught.value.refused) == (reason, refused)
    assert "zebra" not in str(caught.value)
    assert len(server_stub.asked) == 1


async def test_a_response_without_an_end_is_cut_off() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n"
    async with OpenAIServer(openai_server.stopping(head, b" " * 2_000_000)) as server_stub:
        with pytest.raises(UpstreamError, match=r"image\.protocol"):
            await draw(server_stub)


async def test_a_response_without_a_length_is_cut_off_too() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    async with OpenAIServer(openai_server.stopping(head, b" " * (MAX_BODY + 1))) as server_stub:
        with pytest.raises(UpstreamError, match=r"image\.protocol"):
            await draw(server_stub)


async def test_pictures_in_base64_come_as_they_are_and_each_once() -> None:
    shown = ({"b64_json": encoded(PNG), "url": None}, {"b64_json": encoded(JPEG)}, {"b64_json": encoded(PNG)})
    async with OpenAIServer(drawn(*shown)) as server_stub:
        assert await draw(server_stub) == (PNG, JPEG)


async def test_an_address_is_taken_before_the_same_picture_in_base64() -> None:
    async with OpenAIServer(drawn({"url": PICTURES[0], "b64_json": encoded(PNG)})) as server_stub:
        assert await draw(server_stub) == PICTURES[:1]


@pytest.mark.parametrize(
    "image",
    [
        {"b64_json": f"data:image/png;base64,{encoded(PNG)}"},
        {"url": f"data:image/png;base64,{encoded(PNG)}"},
        {"url": "", "b64_json": encoded(PNG)},
        {"url": "file:///tmp/1.png", "b64_json": encoded(PNG)},
        {"b64_json": encoded(PNG).rstrip("=")},
        {"b64_json": base64.urlsafe_b64encode(PNG).decode()},
        {"b64_json": base64.encodebytes(PNG).decode()},
        {"b64_json": encoded(PNG), "revised_prompt": None, "size": 7},
    ],
)
def test_base64_may_be_written_in_each_of_its_forms(image: dict[str, Any]) -> None:
    assert parse_images(json.dumps({"data": [image]}).encode()) == (PNG,)


@pytest.mark.parametrize(
    "encoded_picture",
    [
        encoded(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        encoded(b"<html>"),
        encoded(PNG[:4]),
        "data:image/png;base64,",
        "data:image/svg+xml,<svg/>",
        "not base64!",
        "图片",
        "AAAAA",
    ],
)
def test_what_is_no_picture_is_not_kept(encoded_picture: str) -> None:
    with pytest.raises(UpstreamError, match=r"image\.protocol"):
        parse_images(json.dumps({"data": [{"b64_json": encoded_picture}]}).encode())


def test_the_pictures_of_an_answer_are_bounded_in_number_and_bytes() -> None:
    many = [{"b64_json": encoded(PNG + bytes([number]))} for number in range(MAX_PICTURES + 5)]
    assert len(parse_images(json.dumps({"data": many}).encode())) == MAX_PICTURES
    large = [{"b64_json": encoded(PNG + bytes([number]) * (MAX_BYTES // 2))} for number in range(2)]
    assert len(parse_images(json.dumps({"data": large[:1]}).encode())) == 1
    with pytest.raises(UpstreamError, match=r"image\.protocol: .*too large"):
        parse_images(json.dumps({"data": large}).encode())


async def test_an_account_without_an_image_model_is_not_asked() -> None:
    async with OpenAIServer() as server_stub:
        with pytest.raises(UpstreamError, match=r"image\.none"):
            await draw(server_stub, image_model=None)
    assert server_stub.connections == 0


async def test_a_veto_passes_through_and_nothing_is_sent() -> None:
    veto = RuntimeError("stale")

    async def refuse() -> None:
        raise veto

    async with OpenAIServer() as server_stub:
        with pytest.raises(RuntimeError) as caught:
            await draw(server_stub, refuse)
        assert caught.value is veto
        assert server_stub.bytes == 0


async def test_cancelling_hangs_up_at_once() -> None:
    async with OpenAIServer(openai_server.stopping()) as server_stub:
        task = asyncio.ensure_future(draw(server_stub))
        await server_stub.cancel_once_asked(task)
