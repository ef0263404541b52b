from typing import Any

import httpx
import pytest

from emulator.openai import text_vectors
from emulator.server import Emulator
from tests.support.conditions import until
from tests.support.emulator.openai_client import OpenaiClient, OpenaiReply, connect

pytestmark = pytest.mark.anyio


async def embed(asker: OpenaiClient, given: Any, **changes: Any) -> OpenaiReply:
    return await asker.send({"model": "stand-in-embeddings", "input": given} | changes, "embeddings")


async def test_one_text_has_one_vector(asker: OpenaiClient) -> None:
    reply = await embed(asker, "cats", dimensions=8)
    assert reply.json == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": text_vectors.embed("cats", 8)}],
        "model": "stand-in-embeddings",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


TAKEN: list[tuple[Any, int]] = [(["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2), ([["a"]], 0), ([1, "a"], 0)]


@pytest.mark.parametrize(("given", "count"), TAKEN)
async def test_texts_and_tokens_are_taken(asker: OpenaiClient, given: Any, count: int) -> None:
    reply = await embed(asker, given)
    assert (reply.status, len(reply.json.get("data", []))) == (200 if count else 400, count)


async def test_base64_is_the_same_vector(asker: OpenaiClient) -> None:
    reply = await embed(asker, "cats", encoding_format="base64")
    assert reply.json["data"][0]["embedding"] == text_vectors.encode(text_vectors.embed("cats"))


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"input": None}, 400, "Missing required parameter: 'input'"),
        ({"input": ""}, 400, "no empty string"),
        ({"input": ["a", ""]}, 400, "no empty string"),
        ({"input": []}, 400, "1 to 2048 items"),
        ({"input": ["a"] * 2049}, 400, "1 to 2048 items"),
        ({"input": 7}, 400, "expected a string"),
        ({"input": "x" * 40_000}, 400, "maximum context length is 8192 tokens"),
        ({"input": ["x" * 30_000] * 50}, 400, "max 300000 tokens per request"),
        ({"dimensions": 0}, 400, "from 1 to 1536"),
        ({"dimensions": 1537}, 400, "from 1 to 1536"),
        ({"encoding_format": "int8"}, 400, "one of float, base64"),
        ({"model": ""}, 400, "model parameter"),
        ({"model": "nope"}, 404, "does not exist"),
        ({"model": "stand-in"}, 403, "not allowed to generate embeddings"),
    ],
)
async def test_what_is_wrong_is_refused(asker: OpenaiClient, changes: dict[str, Any], status: int, words: str) -> None:
    reply = await embed(asker, "a", **changes)
    assert reply.status == status
    assert words in reply.json["error"]["message"]


async def test_each_request_is_a_call_in_the_ledger(asker: OpenaiClient, upstream: Emulator) -> None:
    await embed(asker, ["a cat", "a dog"], user="u1")
    (call,) = upstream.ledger.calls
    assert (call.operation, call.account, call.model) == ("embeddings", "k1", "stand-in-embeddings")
    assert (call.inputs, call.tokens, call.scripted, call.outcome, call.api) == (2, 4, "plain", "Success", "openai")
    assert call.request is not None
    assert call.request.parameters == {"input": ["a cat", "a dog"], "user": "u1"}
    assert (await asker.ledger())["calls"][0]["operation"] == "embeddings"
    assert not upstream.ledger.turns


async def test_a_script_or_the_first_text_makes_it_fail(asker: OpenaiClient, upstream: Emulator) -> None:
    await asker.script(account="k1", call={"outcome": "throttled=7"})
    scripted, directed = await embed(asker, "a"), await embed(asker, ["a !http-503", "b"])
    assert (scripted.status, scripted.headers["retry-after"], directed.status) == (429, "7", 503)
    assert (await embed(asker, "a")).status == 200
    assert [call.outcome for call in upstream.ledger.calls] == ["Throttled", "Unavailable", "Success"]


async def test_a_silence_ends_when_the_client_leaves(asker: OpenaiClient, upstream: Emulator) -> None:
    asker.http.timeout = httpx.Timeout(0.5, connect=10)
    assert (await embed(asker, "a !silence")).broken is httpx.ReadTimeout
    await until(lambda: upstream.ledger.calls[0].outcome == "client gone")
    assert (await embed(asker, "a !reset-before")).broken is not None


async def test_a_dead_key_is_refused_and_listed(asker: OpenaiClient, upstream: Emulator) -> None:
    await asker.script(account="k1", dead=True)
    assert (await embed(asker, "a")).status == 401
    assert upstream.ledger.calls[0].outcome == "UnauthorizedRequest"


async def test_a_chat_with_this_model_is_refused(upstream: Emulator) -> None:
    async with connect(upstream.openai_url) as http:
        reply = await OpenaiClient(http).ask("hello", model="stand-in-embeddings")
    assert reply.status == 404
