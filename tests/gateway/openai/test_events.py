"""The events of a streamed response: their numbers, and a client that resumes."""

import json
from types import SimpleNamespace
from typing import cast

import pytest

from gateway.errors import DrainingError
from gateway.http.sse import SseFrame
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.events import ResponseEvents
from gateway.openai.response_body import ResponseBody
from gateway.openai.service import SubmittedQuestion
from wire.about import describe
from wire.messages import Chat, Delta, Failed, Final, Source

pytestmark = pytest.mark.anyio


async def finish(*_: object) -> None:
    """The end of a question."""


def events(after: int = -1, *, resumed: bool = False) -> ResponseEvents:
    question = cast(
        SubmittedQuestion,
        SimpleNamespace(answer="s0-1", accepted=5, about=describe(Chat("balanced", "hello")), finish=finish),
    )
    return ResponseEvents(question, AnswerAssembler(), ResponseBody(question), after=after, resumed=resumed)


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


async def test_a_failure_is_one_event_in_which_every_client_finds_the_error() -> None:
    presenter = events()
    presenter.preamble(None)
    (frame,) = await presenter.render(Failed("timeout.first"))
    event = json.loads(frame.data)
    message = "The upstream took too long."
    assert (frame.name, event["type"], event["sequence_number"]) == ("response.failed", "response.failed", 2)
    assert (event["response"]["status"], event["response"]["error"]) == (
        "failed",
        {"code": "invalid_prompt", "message": message, "reason": "timeout.first"},
    )
    assert event["error"] == {
        "message": message,
        "type": "invalid_request_error",
        "param": None,
        "code": "timeout.first",
    }
    assert presenter.finished


async def test_only_a_failed_response_has_an_error_outside_of_it() -> None:
    assert not any("error" in json.loads(frame.data) for frame in await render(events()))


@pytest.mark.parametrize(("after", "number"), [(-1, 2), (0, 2), (7, 8)])
def test_a_stream_that_is_cut_ends_with_an_error_wherever_its_client_resumed(after: int, number: int) -> None:
    presenter = events(after=after, resumed=True)
    presenter.preamble(None)
    (frame,) = presenter.render_error(DrainingError())
    event = json.loads(frame.data)
    assert (frame.name, event["code"], event["error"]["type"]) == ("error", "gateway.draining", "invalid_request_error")
    assert event["sequence_number"] == number
