"""Embeddings of a server that a test scripts byte by byte."""

import array
import asyncio
import base64
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.conditions import SOON
from tests.support.worker import openai_server
from tests.support.worker.openai_server import KEY, OpenAIServer, Play
from wire.messages import Usage
from wire.result_store import MAX_RESULT
from worker.errors import UpstreamError
from worker.providers import CallProvider, CallResult
from worker.providers.openai.chat import OpenAIProvider
from worker.providers.openai.embeddings import parse_embeddings
from worker.providers.registry import PROVIDERS, chat_provider
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

BODY = b'{"dimensions":2,"input":["a zebra","b"],"model":"alias","truncate":1.50}'
WRONG: list[Any] = [None, 5, {}, True]
VECTORS = ([0.25, -0.5], [1.0, 2.0])


async def unmarked() -> None:
    """Let every call pass, as before_send."""


def reply(*vectors: Any, **more: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": number, "embedding": vector} for number, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": "real-1", "usage": {"prompt_tokens": 7, "total_tokens": 7}, **more}


def in_bytes(body: bytes) -> Play:
    """A successful response with this body."""
    return openai_server.saying(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )


def encoded(vector: list[float]) -> str:
    return base64.b64encode(array.array("f", vector).tobytes()).decode()


async def call(
    server_stub: OpenAIServer, body: bytes = BODY, before_send: Callable[[], Awaitable[None]] = unmarked
) -> CallResult:
    provider = OpenAIProvider(WorkerSettings())
    async with asyncio.timeout(SOON):
        return await provider.call(server_stub.account(), "embeddings", "real", body, before_send)


def test_the_table_knows_that_the_provider_makes_embeddings() -> None:
    assert PROVIDERS["openai"].calls == {"embeddings"}
    assert isinstance(OpenAIProvider(WorkerSettings()), CallProvider)
    assert not isinstance(chat_provider("edgegpt")(WorkerSettings()), CallProvider)


async def test_request_and_reply_pass_as_they_came_but_for_the_model_that_is_asked() -> None:
    text = json.dumps(reply(*VECTORS), indent=1)
    async with OpenAIServer(in_bytes(text.encode())) as server_stub:
        result = await call(server_stub)
    assert result.body.decode() == text
    assert result.usage == Usage(7, 0, raw={"completion_tokens": 0, "prompt_tokens": 7, "total_tokens": 7})
    [request] = server_stub.asked
    assert (request.method, request.target) == ("POST", "/v1/embeddings")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == BODY.replace(b'"alias"', b'"real"')


async def test_it_is_marked_as_sent_before_anything_is() -> None:
    class VetoError(Exception):
        pass

    async def veto() -> None:
        assert server_stub.bytes == 0
        raise VetoError

    async with OpenAIServer(openai_server.refusing(200, reply(*VECTORS))) as server_stub:
        with pytest.raises(VetoError):
            await call(server_stub, before_send=veto)
        assert server_stub.asked == []


@pytest.mark.parametrize("asked", ["float", "base64"])
@pytest.mark.parametrize("sent", [VECTORS, tuple(map(encoded, VECTORS)), (VECTORS[0], encoded(VECTORS[1]))])
async def test_embeddings_come_in_the_form_that_was_asked_for(asked: str, sent: tuple[Any, ...]) -> None:
    body = BODY.replace(b'"dimensions":2', b'"encoding_format":"%s"' % asked.encode())
    async with OpenAIServer(openai_server.refusing(200, reply(*sent))) as server_stub:
        result = json.loads((await call(server_stub, body)).body)
    assert result == reply(*(VECTORS if asked == "float" else map(encoded, VECTORS)))
    assert server_stub.asked[0].json["encoding_format"] == asked


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1), min_size=1))
def test_a_form_turned_into_the_other_and_back_is_the_same(vectors: list[list[float]]) -> None:
    content = json.dumps(reply(*vectors)).encode()
    there = parse_embeddings(content, in_base64=True).body
    assert json.loads(parse_embeddings(there, in_base64=False).body) == json.loads(content)


@pytest.mark.parametrize(
    ("vector", "in_base64"),
    [
        *((vector, in_base64) for vector in WRONG for in_base64 in (False, True)),
        (encoded([1.0, math.nan]), False),
        (encoded([math.inf]), False),
        ([1e300], True),
        ([None], True),
    ],
)
def test_a_vector_that_json_or_32_bits_cannot_hold_is_no_embedding(vector: Any, in_base64: bool) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_embeddings(json.dumps(reply([1.0], vector)).encode(), in_base64)
    assert caught.value.reason == "upstream.protocol"


@pytest.mark.parametrize(
    ("play", "reason", "refused", "elsewhere"),
    [
        # What the server has no path, no model or no right for says nothing about questions.
        (openai_server.refusing(404, {"detail": "Not Found"}), "model.unable", True, True),
        (openai_server.refusing(404, {"error": {"code": "model_not_found"}}), "model.unable", True, True),
        (openai_server.refusing(403, {"error": {"code": "missing_scope"}}), "model.unable", True, True),
        (openai_server.refusing(405), "model.none", True, True),
        (openai_server.refusing(501, {"error": {"message": "no embeddings"}}), "model.unable", True, True),
        (openai_server.refusing(404, "<html>"), "model.none", True, True),
        # As of a question.
        (openai_server.refusing(401, {"error": {"code": "invalid_api_key"}}), "account.refused", True, False),
        (openai_server.refusing(429), "account.throttled", True, False),
        (openai_server.refusing(503), "upstream.busy", True, True),
        (openai_server.refusing(400, {"error": {"message": "too many inputs"}}), "question.invalid", True, False),
        (openai_server.refusing(500), "upstream.internal", False, False),
        (openai_server.refusing(200, {"error": {"message": "x", "code": 429}}), "account.throttled", True, False),
        # No embeddings.
        (openai_server.refusing(200, reply()), "upstream.protocol", False, False),
        (openai_server.refusing(200, {"data": [{"embedding": 1}]}), "upstream.protocol", False, False),
        (openai_server.refusing(200, {"data": [{"embedding": "?"}]}), "upstream.protocol", False, False),
        (openai_server.refusing(200, {"data": [{}]}), "upstream.protocol", False, False),
        (openai_server.refusing(200, {"choices": []}), "upstream.protocol", False, False),
        (in_bytes(b"[1"), "upstream.protocol", False, False),
    ],
)
async def test_what_is_no_embeddings_is_an_error(play: Play, reason: str, refused: bool, elsewhere: bool) -> None:
    async with OpenAIServer(play) as server_stub:
        with pytest.raises(UpstreamError) as caught:
            await call(server_stub)
    error = caught.value
    assert (error.reason, error.refused, error.elsewhere) == (reason, refused, elsewhere)
    assert "zebra" not in str(error)


async def test_a_reply_that_is_too_large_is_given_up() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    async with OpenAIServer(openai_server.saying(head, *[b"x" * 65536] * (MAX_RESULT // 65536 + 1))) as server_stub:
        with pytest.raises(UpstreamError, match=r"result\.toolarge"):
            await call(server_stub)


async def test_one_that_breaks_off_is_not_asked_again() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"
    async with OpenAIServer(openai_server.saying(head)) as server_stub:
        with pytest.raises(UpstreamError, match=r"transport\.closed") as caught:
            await call(server_stub)
    assert not caught.value.refused
    assert len(server_stub.asked) == 1


async def test_no_other_operation_is_known() -> None:
    async with OpenAIServer() as server_stub:
        with pytest.raises(UpstreamError, match=r"model\.unable"):
            await OpenAIProvider(WorkerSettings()).call(server_stub.account(), "count_tokens", "m", b"{}", unmarked)
        assert server_stub.asked == []


def test_the_values_of_a_reply_are_bounded() -> None:
    """They would be built in a thread, and hold up the event loop all the same."""
    vector = [0.0] * 3072
    plain = json.dumps(reply(*[vector] * 50, usage={"prompt_tokens": 3})).encode()
    assert parse_embeddings(plain, in_base64=False).usage is not None
    dense = reply(vector, usage={"prompt_tokens": 3, "x": [[]] * 100_000})
    assert parse_embeddings(json.dumps(dense).encode(), in_base64=False).usage is None
    for odd in (reply(vector, x={str(number): 0 for number in range(100_000)}), reply(*[[]] * 100_000)):
        with pytest.raises(UpstreamError, match=r"transport\.toobig"):
            parse_embeddings(json.dumps(odd).encode(), in_base64=True)


@pytest.mark.parametrize("in_base64", [True, False])
def test_an_embedding_of_very_many_numbers_is_not_turned_into_the_other_form(in_base64: bool) -> None:
    def sent(count: int) -> bytes:
        vector = [0.0] * count
        return json.dumps(reply([1.0], vector if in_base64 else encoded(vector))).encode()

    most = 65_536
    assert parse_embeddings(sent(most), in_base64).body
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        parse_embeddings(sent(most + 1), in_base64)
    passed = json.dumps(reply([0.0] * (most + 1))).encode()
    assert parse_embeddings(passed, in_base64=False).body == passed
