"""/v1/completions over real connections, and its requests."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.text_completions import parse_text_completion
from tests.support.gateway.harness import RunningGateway, Step, running
from tests.support.gateway.openai_client import EVENTS, MODEL, asked_chats, asked_tokens, chunks_of
from wire.blocks import Block, Piece
from wire.messages import Chat, Delta, Failed, Final, Prompted, Usage
from wire.prompt import Message, Text
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

PATH = "/v1/completions"
KEY = {"Idempotency-Key": "0123456789abcdef"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def body(**rest: Any) -> dict[str, Any]:
    return {"model": MODEL, "prompt": "hi", **rest}


async def test_a_completion_has_exactly_this_shape(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Final("ab", provider="p", usage=Usage(3, 4), finish="length")]
    response = await gateway.client.post(PATH, json=body())
    completion = response.json()
    assert completion.pop("created") > 0
    assert response.headers["x-provider"] == "p"
    assert completion == {
        "id": f"cmpl-{response.headers['x-answer-id']}",
        "object": "text_completion",
        "model": MODEL,
        "system_fingerprint": None,
        "choices": [{"text": "ab", "index": 0, "logprobs": None, "finish_reason": "length"}],
        "usage": USAGE,
    }


async def test_a_stream_is_text_end_usage_and_done(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("a"), Final("ab", usage=Usage(3, 4))]
    response = await gateway.client.post(PATH, json=body(stream=True, stream_options={"include_usage": True}))
    *texts, end, usage = chunks_of(response.text)
    choices = [chunk["choices"] for chunk in (*texts, end, usage)]
    shape = {"index": 0, "logprobs": None, "finish_reason": None}
    assert choices == [
        *([{"text": text} | shape] for text in ("", "a", "b")),
        [{"text": "", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        [],
    ]
    assert [chunk["usage"] for chunk in (*texts, end)] == [None] * 4
    assert usage["usage"] == USAGE
    assert {(chunk["id"], chunk["object"]) for chunk in (*texts, end, usage)} == {
        (f"cmpl-{response.headers['x-answer-id']}", "text_completion")
    }


@pytest.mark.parametrize("options", [{}, {"seed": 1, "stream_options": {"include_usage": True}}])
async def test_a_stream_cut_at_every_event_continues_with_equal_bytes(store: Store, options: dict[str, Any]) -> None:
    end = Final("abcd", model="served", usage=Usage(1, 2))
    events: list[Step] = [Delta("a", model="served"), Delta("b"), Delta("c"), end]
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = events
        asked, headers = body(stream=True, **options), EVENTS | KEY
        whole = (await gateway.client.post(PATH, json=asked, headers=headers)).text
        assert (await other.client.post(PATH, json=asked, headers=headers)).text == whole
        sent = whole.split("\n\n")[:-1]
        ids = [event.partition("\nid: ")[2] for event in sent]
        assert len([id_ for id_ in ids if id_]) == len(events) + 1
        for number, id_ in enumerate(ids):
            if id_:
                rest = (await other.client.post(PATH, json=asked, headers=headers | {"last-event-id": id_})).text
                assert rest.split("\n\n")[:-1] == sent[number + 1 :]
        assert len(asked_tokens(gateway)) == 1


async def test_a_prompt_is_one_message_of_a_chat_with_its_options(gateway: RunningGateway) -> None:
    await gateway.client.post(PATH, json=body())
    assert asked_chats(gateway) == [Chat("balanced", "hi", request=asked_chats(gateway)[0].request)]
    options = {"max_tokens": 5, "temperature": 0.5, "seed": 1}
    response = await gateway.client.post(PATH, json=body(**options, prompt=["there"], best_of=1, suffix="", echo=False))
    assert response.headers["x-ignored-parameters"] == "temperature, seed, max_tokens"
    (_, (_, work)) = gateway.worker.asked
    assert isinstance(work, Prompted)
    assert work.prompt.messages == (Message("user", (Text("there"),), string=True),)
    assert work.prompt.options == options
    assert work.prompt.extra == {}


async def test_it_ends_before_a_stop_sequence_and_upstream_too(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("one, t"), Delta("wo, three"), Final("one, two, three, four")]
    completion = (await gateway.client.post(PATH, json=body(stop="two"))).json()
    assert completion["choices"][0]["text"] == "one, "
    streamed = chunks_of((await gateway.client.post(PATH, json=body(stop=["two"], stream=True))).text)
    assert "".join(chunk["choices"][0]["text"] for chunk in streamed) == "one, "


async def test_of_an_answer_only_text_and_a_refusal_are_shown(gateway: RunningGateway) -> None:
    pieces = (Piece(0, "reasoning", "hm"), Piece(1, "text", "a"), Piece(2, "refusal", "No."))
    blocks = (Block("reasoning", "hm"), Block("text", "a"), Block("refusal", "No."))
    gateway.worker.scripts["hi"] = [Delta("a", pieces=pieces), Final("a", blocks=blocks, ended="refusal")]
    (choice,) = (await gateway.client.post(PATH, json=body())).json()["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("aNo.", "content_filter")
    chunks = chunks_of((await gateway.client.post(PATH, json=body(stream=True))).text)
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["", "aNo.", ""]


async def test_an_answer_that_fails_is_an_error_or_ends_the_stream(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Failed("upstream.internal")]
    for stream in (False, True):
        response = await gateway.client.post(PATH, json=body(stream=stream))
        assert (response.status_code, response.json()["error"]["code"]) == (500, "upstream.internal")
    gateway.worker.scripts["hi"] = [Delta("a"), Failed("interrupted", "a")]
    response = await gateway.client.post(PATH, json=body(stream=True))
    assert '"code":"interrupted"' in response.text.split("\n\n")[-2]
    gateway.worker.scripts["hi"] = [
        Delta("", pieces=(Piece(0, "tool_call", "{", "c", "add"),)),
        Final("", stopped=True),
    ]
    assert (await gateway.client.post(PATH, json=body())).json()["error"]["code"] == "interrupted"
    assert '"code":"interrupted"' in (await gateway.client.post(PATH, json=body(stream=True))).text.split("\n\n")[-2]


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"prompt": ["a", "b"]}, "prompt", "unsupported_value"),
        ({"prompt": [1, 2]}, "prompt", "unsupported_value"),
        ({"prompt": [1]}, "prompt", "unsupported_value"),
        ({"prompt": [[1, 2]]}, "prompt", "unsupported_value"),
        ({"prompt": None}, "prompt", "invalid_value"),
        ({"prompt": " "}, "prompt", "invalid_value"),
        ({"prompt": {}}, "prompt", "invalid_value"),
        ({"prompt": []}, "prompt", "unsupported_value"),
        ({"model": None}, "model", "invalid_type"),
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"best_of": 3}, "best_of", "unsupported_parameter"),
        ({"echo": True}, "echo", "unsupported_parameter"),
        ({"suffix": "x"}, "suffix", "unsupported_parameter"),
        ({"logprobs": 0}, "logprobs", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"tools": [{}]}, "tools", "unsupported_parameter"),
        ({"functions": [{}]}, "functions", "unsupported_parameter"),
        ({"max_tokens": "5"}, "max_tokens", "invalid_type"),
        ({"stop": 1}, "stop", "invalid_type"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_text_completion(body() | fields)
    assert (caught.value.fault.status, caught.value.fault.param, caught.value.fault.code) == (400, param, code)


async def test_another_method_gets_no_answer(gateway: RunningGateway) -> None:
    assert (await gateway.client.options(PATH)).status_code == 204
    assert (await gateway.client.get(PATH)).status_code == 405
