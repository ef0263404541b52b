from typing import Any

import msgspec
import pytest

from wire.messages import Call, Chat, Prompted, Work
from wire.prompt import AnswerFormat, Message, Opaque, Picture, Prompt, Text, Tool, ToolCall
from worker.turns.demands import LONG, LONG_ANSWER, has_own_fields, is_large

OWN = {"api_base": "http://127.0.0.1:9"}
PICTURE = "data:image/png;base64,aGk="


def prompted(*messages: Message, **fields: Any) -> Prompted:
    return Prompted("balanced", "", prompt=Prompt("chat", "m", messages, **fields))


def embeddings(body: bytes) -> Call:
    return Call("embeddings", "m", msgspec.Raw(body))


def counting(**fields: Any) -> Call:
    return Call("count_tokens", "m", msgspec.Raw(msgspec.json.encode(Prompt("anthropic", "m", (), **fields))))


ORDINARY: dict[str, Work] = {
    "text in a style": Chat("balanced", "hi"),
    "messages": prompted(Message("user", (Text("hi"), Picture(PICTURE))), Message("assistant", (Text("yes"),))),
    "calls": prompted(Message("assistant", calls=(ToolCall("1", "f", "{}"),)), Message("tool", call_id="1")),
    "tools": prompted(tools=(Tool("function", "f"), Tool("custom", "g"))),
    "parameters": prompted(options={"temperature": 0.5, "max_tokens": 100}, format=AnswerFormat("json")),
    "what gateways keep": prompted(extra={"metadata": {}, "user": "me", "store": False}),
    "a version": prompted(headers={"anthropic-version": "2023-06-01"}),
    "embeddings": embeddings(b'{"model":"m","input":"hi","dimensions":2,"encoding_format":"base64"}'),
    "a count": counting(),
}
BEYOND: dict[str, Work] = {
    "the request": prompted(extra=OWN),
    "a message": prompted(Message("user", (Text("hi"),), extra=OWN)),
    "a part": prompted(Message("user", (Text("hi", OWN),))),
    "a picture": prompted(Message("user", (Picture(PICTURE, extra=OWN),))),
    "a part of another type": prompted(Message("user", (Opaque({"type": "file"}),))),
    "a call": prompted(Message("assistant", calls=(ToolCall("1", "f", "{}", extra=OWN),))),
    "a tool": prompted(tools=(Tool("function", "f", extra=OWN),)),
    "a hosted tool": prompted(tools=(Tool("web_search"),)),
    "a format": prompted(format=AnswerFormat("json", extra=OWN)),
    "a right": prompted(options={"service_tier": "flex"}),
    "a beta": prompted(headers={"anthropic-beta": "context-1m"}),
    "embeddings": embeddings(b'{"model":"m","input":"hi","api_base":"x"}'),
    "a count": counting(extra=OWN),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_what_is_known_here_and_open_to_all_is_ordinary(kind: str) -> None:
    assert not has_own_fields(ORDINARY[kind])


@pytest.mark.parametrize("kind", BEYOND)
def test_fields_that_are_unknown_here_may_be_refused_for_themselves(kind: str) -> None:
    assert has_own_fields(BEYOND[kind])


def test_a_prompt_or_an_answer_may_be_too_large_for_a_limit() -> None:
    assert [is_large(Chat("balanced", "hi"), size) for size in (LONG, LONG + 1)] == [False, True]
    limits = (None, LONG_ANSWER, LONG_ANSWER + 1)
    assert [is_large(prompted(options={"max_tokens": limit}), 100) for limit in limits] == [False, False, True]
