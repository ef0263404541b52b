"""The events of a streamed response: their numbers, and a client that resumes."""

import json
from types import SimpleNamespace
from typing import cast

import pytest

from gateway.http.sse import SseFrame
from gateway.openai.events import ResponseEvents
from gateway.openai.response_body import ResponseBody
from gateway.openai.service import SubmittedQuestion
from gateway.openai.text_assembler import TextAssembler
from wire.messages import Chat, Delta, Failed, Final, Source

pytestmark = pytest.mark.anyio


async def finish(*_: object) -> None:
    """The end of a question."""


def events(after: int = -1, *, resumed: bool = False) -> ResponseEvents:
    question = cast(
        SubmittedQuestion,
        SimpleNamespace(answer="s0-1", accepted=5, work=Chat("balanced", "hello"), finish=finish),
    )
    return ResponseEvents(question, TextAssembler(), ResponseBody(question), after=after, resumed=resumed)


async def render(presenter: ResponseEvents) -> list[SseFrame]:
    return [
        *presenter.preamble(None),
        *await presenter.render(Delta("Hi")),
        *await presenter.render(Final("Hi", urls=(Source("T", "https://x"),))),
    ]


async def test_each_event_has_its_name_and_the_next_number() -> None:
    frames = await render(events())
    assert [frame.name.removeprefix("response.") for frame in frames] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [json.loads(frame.data)["sequence_number"] for frame in frames] == list(range(10))
    assert frames[4].data.decode() == (
        '{"item_id":"msg_s0-1","output_index":0,"content_index":0,"delta":"Hi","logprobs":[],'
        '"type":"response.output_text.delta","sequence_number":4}'
    )


async def test_a_client_that_resumes_gets_the_same_events_from_its_number_on() -> None:
    assert await render(events(after=4, resumed=True)) == (await render(events()))[5:]


async def test_a_failure_is_the_failed_response_and_an_error() -> None:
    presenter = events()
    presenter.preamble(None)
    response, error = await presenter.render(Failed("timeout.first"))
    assert json.loads(response.data)["response"]["status"] == "failed"
    assert error.data.decode() == (
        '{"message":"The upstream took too long.","type":"error","param":null,"code":"timeout.first",'
        '"error":{"message":"The upstream took too long.","type":"server_error","param":null,"code":"timeout.first"},'
        '"sequence_number":3}'
    )
    assert presenter.finished
