from typing import Any

import pytest

from emulator.server import Emulator
from tests.support.emulator.openai_client import DONE, OpenaiClient, OpenaiReply

pytestmark = pytest.mark.anyio


async def complete(asker: OpenaiClient, prompt: Any, **changes: Any) -> OpenaiReply:
    return await asker.send({"model": "stand-in", "prompt": prompt} | changes, "completions")


def texts(reply: OpenaiReply) -> list[str]:
    return [choice["text"] for choice in reply.choices]


async def test_a_whole_completion_has_the_real_shape(asker: OpenaiClient) -> None:
    body = (await complete(asker, 'hi !say "One two."')).json
    assert body["id"].startswith("cmpl-")
    assert body["object"] == "text_completion"
    assert body["choices"] == [{"text": "One two.", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"]["completion_tokens"] == 2


async def test_a_stream_adds_up_to_the_whole(asker: OpenaiClient) -> None:
    reply = await complete(asker, "hello", stream=True, stream_options={"include_usage": True}, max_tokens=500)
    whole = await complete(asker, "hello", max_tokens=500)
    assert reply.data[-1] == DONE
    assert "".join(texts(reply)) == whole.json["choices"][0]["text"]
    assert reply.reasons == [whole.json["choices"][0]["finish_reason"]] == ["stop"]
    assert {event["object"] for event in reply.events} == {"text_completion"}
    assert reply.events[-1]["usage"] == whole.json["usage"]


async def test_sixteen_tokens_are_the_usual_limit(asker: OpenaiClient) -> None:
    reply = await complete(asker, "hello", stream=True)
    assert (len(texts(reply)), reply.reasons) == (17, ["length"])
    assert len(texts(await complete(asker, "hello", stream=True, max_tokens=3))) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": None}, "Missing required parameter: 'prompt'"),
        ({"prompt": ["a", "b"]}, "expected a string, or an array with one"),
        ({"prompt": [1, 2]}, "expected a string, or an array with one"),
        ({"messages": []}, "Unrecognized request argument supplied: messages"),
        ({"tools": []}, "Unrecognized request argument supplied: tools"),
        ({"n": 2}, "one completion at a time"),
        ({"best_of": 2}, "Invalid value for 'best_of'"),
        ({"echo": True}, "Invalid value for 'echo'"),
        ({"suffix": "x"}, "Invalid value for 'suffix'"),
        ({"logprobs": 6}, "from 0 to 5"),
        ({"max_tokens": 0}, "Invalid value for 'max_tokens'"),
        ({"stream_options": {}}, "only allowed when 'stream' is enabled"),
    ],
)
async def test_what_is_wrong_is_refused(asker: OpenaiClient, changes: dict[str, Any], words: str) -> None:
    reply = await complete(asker, **({"prompt": "a"} | changes))
    assert reply.status == 400
    assert words in reply.json["error"]["message"]


async def test_values_that_change_nothing_are_taken(asker: OpenaiClient, upstream: Emulator) -> None:
    reply = await complete(asker, ["hello"], n=1, best_of=1, echo=False, suffix="", logprobs=None, max_tokens=None)
    assert reply.status == 200
    (turn,) = upstream.ledger.turns
    assert (turn.api, turn.question, turn.outcome) == ("completions", "hello", "Success")


async def test_outcomes_are_those_of_chats(asker: OpenaiClient) -> None:
    assert (await complete(asker, "a !throttled")).status == 429
    failed = await complete(asker, "a !error-mid", stream=True)
    assert failed.events[-1]["error"]["type"] == "server_error"
