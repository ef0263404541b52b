import json
from typing import Any

import pytest

from emulator.json_text import Json
from emulator.openai import parameters
from emulator.openai.error_response import BadRequestError
from emulator.openai.parameters import CompletionParameters
from tests.support.emulator.openai_client import OpenaiClient

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def json_format(**fields: Any) -> Json:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, **fields}}}


def test_what_was_sent_is_read() -> None:
    body = {"max_completion_tokens": 5, "stop": "x", "logprobs": True, "top_logprobs": 2, "reasoning_effort": "low"}
    expected = CompletionParameters(limit=5, stop=("x",), logprobs=True, top_logprobs=2, effort="low")
    assert parameters.parse(body) == expected
    assert parameters.parse(json_format(strict=True)).schema == SCHEMA
    assert parameters.parse({"max_tokens": 5, "stop": ["a", "b"], "n": 1}) == CompletionParameters(
        limit=5, stop=("a", "b")
    )


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"top_p": 1.5}, "top_p"),
        ({"top_p": "x"}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"n": 0}, "n"),
        ({"n": 2}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
        ({"logprobs": 1}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"stop": 7}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"reasoning_effort": "much"}, "reasoning_effort"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_object"}, "messages": []}, "messages"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (json_format(name=None), "response_format.json_schema.name"),
        (json_format(schema=None), "response_format.json_schema.schema"),
        (json_format(schema={"type": "object"}, strict=True), "response_format"),
    ],
)
def test_what_is_wrong_is_named(body: Json, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        parameters.parse(body)
    assert (caught.value.response.status, caught.value.response.param) == (400, param)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_cuts_the_answer(asker: OpenaiClient, name: str) -> None:
    fields: Any = {name: 3}
    reply = await asker.ask("hi", **fields)
    assert (len(reply.pieces), reply.reasons) == (3, ["length"])


@pytest.mark.anyio
async def test_a_stop_sequence_ends_the_answer_before_it(asker: OpenaiClient) -> None:
    whole = (await asker.ask("hi")).text
    reply = await asker.ask("hi", stop=["only a stand", "no such text"])
    assert (reply.text, reply.reasons) == (whole[: whole.index("only a stand")], ["stop"])


@pytest.mark.anyio
async def test_an_answer_fits_the_schema(asker: OpenaiClient) -> None:
    reply = await asker.ask("hi", stream=False, **json_format(strict=True))
    assert json.loads(reply.message["content"]) == {"a": "some a"}
