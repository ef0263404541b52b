"""The events of a streamed message, against the whole one."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given

from gateway.anthropic.message_body import encode_message
from gateway.anthropic.message_events import MessageEvents
from gateway.errors import DrainingError
from gateway.http.sse import EventId, SseFrame
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import AnswerFailedError
from gateway.openai.service import SubmittedQuestion
from tests.support.gateway.anthropic_client import fold_events
from tests.support.gateway.scripted_answers import ScriptedAnswer, scripted_answers
from wire.about import About
from wire.blocks import Block
from wire.messages import Event, Failed, Final, Source

pytestmark = pytest.mark.anyio
ABOUT = About("chat", dialect="anthropic", model="served", prompt_bytes=40)


async def finish(*_: object) -> None:
    """The end of a question."""


QUESTION = cast(SubmittedQuestion, SimpleNamespace(answer="s0-1", accepted=5, about=ABOUT, finish=finish))


async def render(*events: Event) -> list[dict[str, Any]]:
    """The data of the frames of an answer; each event's frames depend on nothing but it and those before."""
    presenter = MessageEvents(QUESTION, AnswerAssembler(), "r")
    frames: list[SseFrame] = presenter.preamble(None)
    for event in events:
        frames += await presenter.render(event)
    assert presenter.finished
    assert all(frame.name == json.loads(frame.data)["type"] for frame in frames)
    return [json.loads(frame.data) for frame in frames]


def whole(*events: Event) -> dict[str, Any]:
    """The whole message of the same answer."""
    answer = AnswerAssembler()
    for event in events:
        assert not isinstance(event, Failed)
        answer.add(event)
    message: dict[str, Any] = json.loads(encode_message(QUESTION, answer))
    return message


@given(scripted_answers())
def test_a_reader_of_the_stream_gets_the_whole_message(script: ScriptedAnswer) -> None:
    assert fold_events(asyncio.run(render(*script.events))) == whole(*script.events)


async def test_hidden_thinking_and_sources_are_folded_too() -> None:
    blocks = (
        Block("reasoning", "", extra={"data": "d"}),
        Block("reasoning", "hm", extra={"signature": "s"}),
        Block("opaque", extra={"a": 1}),
        Block("opaque", extra={"type": "server_tool_use", "id": "s", "name": "n", "input": {"q": 1}}),
        Block("text", "a", extra={"citations": [{"n": 1}]}),
    )
    end = Final("a", (Source("T", "https://e.org"),), blocks=blocks)
    folded = fold_events(await render(end))
    assert folded == whole(end)
    assert [block["type"] for block in folded["content"]] == [
        "redacted_thinking",
        "thinking",
        "server_tool_use",
        "text",
    ]
    assert len(folded["content"][-1]["citations"]) == 2


def test_an_answer_that_fails_at_once_is_no_stream() -> None:
    with pytest.raises(AnswerFailedError):
        MessageEvents(QUESTION, AnswerAssembler(), "r").preamble(Failed("timeout.first"))


async def test_a_stream_that_fails_ends_with_an_error_and_nothing_else() -> None:
    start, error = await render(Failed("interrupted"))
    assert start["type"] == "message_start"
    assert (error["type"], error["error"]["type"], error["request_id"]) == ("error", "api_error", "r")


def test_a_stream_that_is_cut_ends_with_an_error() -> None:
    (frame,) = MessageEvents(QUESTION, AnswerAssembler(), "r").render_error(DrainingError())
    assert (frame.name, json.loads(frame.data)["error"]["type"]) == ("error", "api_error")


def test_a_sign_of_life_is_an_event_with_the_last_id() -> None:
    presenter = MessageEvents(QUESTION, AnswerAssembler(), "r")
    assert presenter.sign(None) == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert presenter.sign(EventId("s0-1", 3)) == b'event: ping\ndata: {"type":"ping"}\nid: s0-1.3\n\n'
