"""The events of a streamed response: their numbers, and a client that resumes."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DrainingError
from gateway.http.sse import SseFrame
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import AnswerFailedError
from gateway.openai.responses.body import ResponseBody
from gateway.openai.responses.events import ResponseEvents
from gateway.openai.responses.output_items import LOGPROBS, SEALED_THOUGHTS
from gateway.openai.service import SubmittedQuestion
from tests.support.gateway.response_reader import ResponseReader
from tests.support.gateway.scripted_answers import ScriptedAnswer, scripted_answers
from wire.about import About, describe
from wire.blocks import Block, Piece
from wire.messages import Chat, Delta, Event, Failed, Final, Replace, Source, Usage

pytestmark = pytest.mark.anyio

TEXT = describe(Chat("balanced", "hello"))
ASKED = About(
    "chat",
    dialect="responses",
    model="asked",
    echo={
        "include": [SEALED_THOUGHTS, LOGPROBS],
        "instructions": "be brief",
        "metadata": {"a": "b"},
        "tools": [
            {"type": "function", "name": "add", "parameters": {"type": "object"}},
            {"type": "custom", "name": "run"},
        ],
    },
)
TOKEN = {"token": "Let me", "logprob": -0.1, "bytes": [76], "top_logprobs": []}
RICH = (
    Delta("", model="served", pieces=(Piece(0, "reasoning", "h"),)),
    Delta("Let", pieces=(Piece(0, "reasoning", "m", extra={"signature": "s"}), Piece(1, "text", "Let"))),
    Delta(" me", pieces=(Piece(1, "text", " me", extra={"logprobs": {"content": [TOKEN]}}),)),
    Delta("", pieces=(Piece(2, "tool_call", "", "c1", "add", extra={"extra_content": {"s": 1}}),)),
    Delta("", pieces=(Piece(2, "tool_call", '{"a": 1}'), Piece(3, "tool_call", "l", "c2", "run", custom=True))),
    Delta("", pieces=(Piece(3, "tool_call", "s"), Piece(4, "opaque", extra={"verdict": "ok"}))),
    Final(
        "Let me",
        blocks=(
            Block("reasoning", "hm", extra={"signature": "s"}),
            Block("text", "Let me", extra={"logprobs": {"content": [TOKEN]}}),
            Block("tool_call", '{"a": 1}', "c1", "add", extra={"extra_content": {"s": 1}}),
            Block("tool_call", "ls", "c2", "run", custom=True),
            Block("opaque", extra={"verdict": "ok"}),
            Block("refusal", "no"),
        ),
        model="served",
        ended="tool_calls",
        usage=Usage(9, 5, cached=4, reasoning=3),
    ),
)
GOLDEN = Path(__file__).with_name("response_stream.txt")
CALLED = Delta("a", pieces=(Piece(0, "text", "a"), Piece(1, "tool_call", '{"a', "c", "add")))


async def finish(*_: object) -> None:
    """The end of a question."""


def question(about: About) -> SubmittedQuestion:
    return cast(SubmittedQuestion, SimpleNamespace(answer="s0-1", accepted=5, about=about, finish=finish))


def events(about: About = TEXT, *, after: int = -1, resumed: bool = False) -> ResponseEvents:
    asked = question(about)
    return ResponseEvents(asked, AnswerAssembler(), ResponseBody(asked), after=after, resumed=resumed)


async def render(presenter: ResponseEvents, *steps: Event) -> list[SseFrame]:
    return [*presenter.preamble(None), *[frame for step in steps for frame in await presenter.render(step)]]


async def shown(about: About, *steps: Event) -> list[Any]:
    return [json.loads(frame.data) for frame in await render(events(about), *steps)]


def whole(about: About, end: Final) -> Any:
    answer = AnswerAssembler()
    answer.add(end)
    body = ResponseBody(question(about)).build_whole(answer, answer.blocks, stopped=end.stopped)
    return json.loads(msgspec.json.encode(body))


async def test_each_event_has_its_name_and_the_next_number() -> None:
    frames = await render(events(), Delta("Hi"), Final("Hi", urls=(Source("T", "https://x"),)))
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
        '{"item_id":"msg_s0-1_0","output_index":0,"content_index":0,"delta":"Hi","logprobs":[],'
        '"type":"response.output_text.delta","sequence_number":4}'
    )


async def test_the_stream_of_an_answer_of_all_kinds_of_blocks_is_the_golden_one() -> None:
    frames = await render(events(ASKED), *RICH)
    assert [frame.data.decode() for frame in frames] == GOLDEN.read_text().splitlines()


async def test_what_is_asked_in_the_background_is_queued_first() -> None:
    background = msgspec.structs.replace(ASKED, background=True)
    states = [(event["type"], event["response"]["status"]) for event in (await shown(background, *RICH))[:3]]
    assert states == [
        ("response.created", "queued"),
        ("response.queued", "queued"),
        ("response.in_progress", "in_progress"),
    ]


async def test_the_model_is_the_real_one_at_the_end() -> None:
    first, *_, last = await shown(ASKED, *RICH)
    assert (first["response"]["model"], last["response"]["model"]) == ("asked", "served")


@given(scripted_answers(custom=True), st.sampled_from([ASKED, TEXT, msgspec.structs.replace(ASKED, background=True)]))
def test_a_reader_of_the_stream_gets_the_whole_response(script: ScriptedAnswer, about: About) -> None:
    reader = ResponseReader()
    reader.read(asyncio.run(shown(about, *script.events)))
    assert reader.response == whole(about, script.end)
    assert reader.response["output"] == reader.output


@given(scripted_answers(custom=True), st.data())
def test_a_client_that_resumes_gets_the_same_bytes_from_its_number_on(
    script: ScriptedAnswer, data: st.DataObject
) -> None:
    frames = asyncio.run(render(events(ASKED), *script.events))
    after = data.draw(st.integers(-1, len(frames)))
    assert asyncio.run(render(events(ASKED, after=after, resumed=True), *script.events)) == frames[after + 1 :]


async def test_text_that_was_taken_back_stays_in_the_stream() -> None:
    reader = ResponseReader()
    reader.read(await shown(TEXT, Delta("sorry"), Replace("no"), Delta(" way"), Final("no way")))
    (item,) = reader.output
    assert (item["id"], item["content"][0]["text"]) == ("msg_s0-1_0", "sorryno way")
    assert reader.response["output"] == reader.output


async def test_an_answer_without_anything_has_no_item() -> None:
    *_, last = await shown(TEXT, Final("", stopped=True))
    assert (last["type"], last["response"]["status"], last["response"]["output"]) == (
        "response.incomplete",
        "cancelled",
        [],
    )


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
    assert not any("error" in event for event in await shown(ASKED, *RICH))


@pytest.mark.parametrize("end", [Final("a", stopped=True), Failed("interrupted"), Final("a")])
async def test_a_stream_that_ends_within_a_call_fails_and_the_call_never_ends(end: Final | Failed) -> None:
    stream = await shown(ASKED, CALLED, end)
    reader = ResponseReader()
    reader.read(stream)
    assert (stream[-1]["type"], stream[-1]["error"]["code"]) == ("response.failed", "interrupted")
    assert [event["item"]["type"] for event in stream if event["type"] == "response.output_item.done"] == ["message"]


@pytest.mark.parametrize("text", ["a", "ab"])
async def test_a_stream_that_is_too_long_within_a_call_is_incomplete_without_the_call(text: str) -> None:
    end = Final(text, finish="length")
    *others, last = await shown(ASKED, CALLED, end)
    assert others[-1]["type"] == "response.function_call_arguments.delta"
    assert (last["type"], last["response"]) == ("response.incomplete", whole(ASKED, end))
    assert [item["type"] for item in last["response"]["output"]] == ["message"]


def test_an_answer_that_fails_at_once_is_no_stream_but_for_who_had_it_before() -> None:
    with pytest.raises(AnswerFailedError):
        events().preamble(Failed("timeout.first"))
    assert len(events(resumed=True).preamble(Failed("timeout.first"))) == 2


@pytest.mark.parametrize(("after", "number"), [(-1, 2), (0, 2), (7, 8)])
def test_a_stream_that_is_cut_ends_with_an_error_wherever_its_client_resumed(after: int, number: int) -> None:
    presenter = events(after=after, resumed=True)
    presenter.preamble(None)
    (frame,) = presenter.render_error(DrainingError())
    event = json.loads(frame.data)
    assert (frame.name, event["code"], event["error"]["type"]) == ("error", "gateway.draining", "invalid_request_error")
    assert event["sequence_number"] == number
