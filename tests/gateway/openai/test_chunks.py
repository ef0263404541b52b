"""The bytes of a streamed completion."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis.strategies import booleans, characters, just
from hypothesis.strategies import text as texts

from gateway.openai import chunks as chunks_module
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.chunks import CompletionChunks, encode_completion
from gateway.openai.errors import AnswerFailedError
from gateway.openai.service import SubmittedQuestion
from tests.support.call_count import count_calls
from tests.support.gateway.scripted_answers import ScriptedAnswer, scripted_answers
from wire.about import About, describe
from wire.blocks import Block, Piece, fold, fold_all
from wire.messages import Chat, Delta, Event, Failed, Final, Source, Usage

pytestmark = pytest.mark.anyio

HEAD = (
    '{"id":"chatcmpl-s0-1","object":"chat.completion.chunk","created":5,"model":"bing-balanced",'
    '"system_fingerprint":null,"choices":'
)
# All that JSON can have: no half of a surrogate pair.
UNICODE = texts(characters(exclude_categories=["Cs"]))


async def finish(*_: object) -> None:
    """The end of a question."""


def question(about: About) -> SubmittedQuestion:
    return cast(SubmittedQuestion, SimpleNamespace(answer="s0-1", accepted=5, about=about, finish=finish))


def chunks(*, usage: bool = False) -> CompletionChunks:
    about = msgspec.structs.replace(describe(Chat("balanced", "hello")), include_usage=usage)
    return CompletionChunks(question(about), AnswerAssembler())


def choice(delta: str, finish_reason: str = "null") -> str:
    return f'{HEAD}[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish_reason}}}]'


async def test_a_stream_is_role_text_citations_end_and_done() -> None:
    presenter = chunks()
    frames = [
        *presenter.preamble(None),
        *await presenter.render(Delta("Hi")),
        *await presenter.render(Final("Hi", urls=(Source("T", "https://x"),))),
    ]
    citation = '{"start_index":2,"end_index":2,"title":"T","url":"https://x"}'
    assert [frame.data.decode() for frame in frames] == [
        choice('{"role":"assistant","content":""}') + "}",
        choice('{"content":"Hi"}') + "}",
        choice(f'{{"annotations":[{{"type":"url_citation","url_citation":{citation}}}]}}') + "}",
        choice("{}", '"stop"') + "}",
        "[DONE]",
    ]
    assert presenter.finished


@given(text=UNICODE, model=UNICODE | just('"content":""'), usage=booleans())
def test_a_chunk_of_text_is_that_text_in_a_chunk_like_all_others(text: str, model: str, usage: bool) -> None:
    about = msgspec.structs.replace(ABOUT, model=model, include_usage=usage)
    presenter = CompletionChunks(question(about), AnswerAssembler())
    [empty] = presenter.preamble(None)
    frames = asyncio.run(presenter.render(Delta(text)))
    expected = json.loads(empty.data)
    expected["choices"][0]["delta"] = {"content": text}
    assert [json.loads(frame.data) for frame in frames] == ([expected] if text else [])
    assert all(list(json.loads(frame.data)) == list(expected) for frame in frames)


async def test_with_usage_it_is_null_until_the_last_chunk() -> None:
    presenter = chunks(usage=True)
    *others, last, _ = [*presenter.preamble(None), *await presenter.render(Final("Hi", usage=Usage(3, 4)))]
    assert all(frame.data.endswith(b'"usage":null}') for frame in others)
    assert last.data.decode() == (HEAD + '[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}')


def test_an_answer_that_fails_at_once_is_no_stream() -> None:
    with pytest.raises(AnswerFailedError):
        chunks().preamble(Failed("timeout.first"))


# Answers of blocks

ABOUT = About("chat", dialect="chat", model="asked")
PROBABLE: dict[str, Any] = {"content": [{"token": "a", "logprob": -0.1}]}
SAID = (
    Block("reasoning", "hm", extra={"reasoning_details": [{"data": "d"}]}),
    Block("text", "Let me", extra={"logprobs": PROBABLE}),
    Block("tool_call", '{"a": 1}', "c1", "add", extra={"extra_content": {"s": 1}, "function": {"note": 1}}),
    Block("tool_call", "ls", "c2", "run", custom=True),
    Block("opaque", extra={"verdict": "ok"}),
)
END = Final(
    "Let me", blocks=SAID, ended="tool_calls", model="served", extra={"citations": ["u"], "system_fingerprint": "f"}
)


async def render(about: About, *events: Event) -> list[Any]:
    """Return the chunks of a whole stream, without its end mark."""
    presenter = CompletionChunks(question(about), AnswerAssembler(about.stops))
    frames = presenter.preamble(None) + [frame for event in events for frame in await presenter.render(event)]
    return [json.loads(frame.data) for frame in frames if frame.data != b"[DONE]"]


def deltas(chunks: Sequence[Any]) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def whole(about: About, *events: Event) -> Any:
    answer = AnswerAssembler(about.stops)
    for event in events:
        assert isinstance(event, Delta | Final)
        answer.add(event)
    return json.loads(encode_completion(question(about), answer))


async def test_each_block_has_its_place_in_the_stream() -> None:
    streamed = await render(ABOUT, END)
    assert deltas(streamed)[1:] == [
        {"reasoning_content": "hm", "reasoning": "hm", "reasoning_details": [{"data": "d"}]},
        {"content": "Let me"},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "add", "arguments": "", "note": 1},
                    "extra_content": {"s": 1},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]},
        {"tool_calls": [{"index": 1, "id": "c2", "type": "custom", "custom": {"name": "run", "input": ""}}]},
        {"tool_calls": [{"index": 1, "custom": {"input": "ls"}}]},
        {"verdict": "ok"},
        {},
    ]
    assert [chunk["choices"][0]["logprobs"] for chunk in streamed] == [None, None, PROBABLE, *[None] * 6]
    last = streamed[-1]
    assert (last["choices"][0]["finish_reason"], last["citations"], last["system_fingerprint"]) == (
        "tool_calls",
        ["u"],
        "f",
    )


def test_a_whole_answer_has_all_of_it_at_once() -> None:
    completion = whole(ABOUT, END)
    assert (completion["model"], completion["citations"], completion["system_fingerprint"]) == ("served", ["u"], "f")
    (choice,) = completion["choices"]
    assert (choice["logprobs"], choice["finish_reason"]) == (PROBABLE, "tool_calls")
    assert choice["message"] == {
        "role": "assistant",
        "content": "Let me",
        "refusal": None,
        "annotations": [],
        "reasoning_content": "hm",
        "reasoning": "hm",
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "add", "arguments": '{"a": 1}', "note": 1},
                "extra_content": {"s": 1},
            },
            {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "ls"}},
        ],
        "reasoning_details": [{"data": "d"}],
        "verdict": "ok",
    }


async def test_custom_calls_stay_so_in_all_their_pieces() -> None:
    pieces = (Piece(0, "tool_call", "l", "c", "run", custom=True), Piece(0, "tool_call", "s"))
    end = Final("", blocks=(Block("tool_call", "ls", "c", "run", custom=True),), ended="tool_calls")
    called = [delta["tool_calls"][0] for delta in deltas(await render(ABOUT, Delta("", pieces=pieces), end))[1:-1]]
    assert [call["custom"]["input"] for call in called] == ["", "l", "s"]


async def test_functions_of_the_old_form_are_called_in_that_form() -> None:
    old = msgspec.structs.replace(ABOUT, functions=True)
    calls = tuple(Block("tool_call", "{}", f"c{number}", name) for number, name in enumerate(("add", "sub")))
    end = Final("", blocks=calls, ended="tool_calls")
    streamed = await render(old, end)
    assert deltas(streamed)[1:] == [
        {"function_call": {"name": "add", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    assert streamed[-1]["choices"][0]["finish_reason"] == "function_call"
    (choice,) = whole(old, end)["choices"]
    assert (choice["finish_reason"], choice["message"]["function_call"]) == (
        "function_call",
        {"name": "add", "arguments": "{}"},
    )
    assert "tool_calls" not in choice["message"]


async def test_a_refusal_ends_with_stop() -> None:
    end = Final("", blocks=(Block("refusal", "no"),), ended="refusal")
    streamed = await render(ABOUT, end)
    assert deltas(streamed)[1:] == [{"refusal": "no"}, {}]
    assert streamed[-1]["choices"][0]["finish_reason"] == "stop"
    (choice,) = whole(ABOUT, end)["choices"]
    assert (choice["message"]["content"], choice["message"]["refusal"], choice["finish_reason"]) == (None, "no", "stop")


async def test_the_model_is_the_real_one_from_the_first_event_on() -> None:
    first, *others = await render(ABOUT, Delta("a", model="served"), Final("ab"))
    assert first["model"] == "asked"
    assert {chunk["model"] for chunk in others} == {"served"}


async def test_tokens_have_their_details_where_a_server_counts_them() -> None:
    about = msgspec.structs.replace(ABOUT, include_usage=True, prompt_bytes=40)
    counted = Final("a", usage=Usage(9, 5, cached=4, reasoning=3))
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    *others, last = await render(about, counted)
    assert [chunk["usage"] for chunk in others] == [None] * len(others)
    assert (last["choices"], last["usage"], whole(about, counted)["usage"]) == ([], usage, usage)
    estimated = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11, "estimated": True}
    assert whole(about, Final("a"))["usage"] == estimated


async def test_reasoning_and_calls_are_counted_in_an_estimate() -> None:
    blocks = (Block("reasoning", "x" * 40), Block("tool_call", "y" * 36, "c", "name"))
    assert whole(ABOUT, Final("", blocks=blocks))["usage"]["completion_tokens"] == 20


@pytest.mark.parametrize("end", [Final("", stopped=True), Failed("interrupted"), Final("", finish="length")])
async def test_a_stream_that_ends_within_a_call_ends_with_an_error(end: Final | Failed) -> None:
    *_, last = await render(ABOUT, Delta("", pieces=(Piece(0, "tool_call", '{"a', "c", "add"),)), end)
    assert last["error"]["code"] == "interrupted"
    is_cut = isinstance(end, Final) and end.finish == "length"
    assert ("number of tokens" in last["error"]["message"]) == is_cut


def test_a_whole_answer_never_has_a_call_that_is_not_whole() -> None:
    called = Piece(1, "tool_call", '{"a', "c", "add")
    begun = Delta("a", pieces=(Piece(0, "text", "a"), called))
    (choice,) = whole(ABOUT, begun, Final("a", stopped=True))["choices"]
    assert (choice["message"]["content"], "tool_calls" in choice["message"]) == ("a", False)
    with pytest.raises(AnswerFailedError):
        whole(ABOUT, Delta("", pieces=(msgspec.structs.replace(called, block=0),)), Final("", stopped=True))


@pytest.mark.parametrize("begun", [(), (Delta("", pieces=(Piece(0, "tool_call", '{"a', "c", "add"),)),)])
def test_an_answer_that_its_limit_of_tokens_cut_to_nothing_says_so(begun: tuple[Delta, ...]) -> None:
    end = Final("", finish="length", usage=Usage(9, 5))
    body = whole(ABOUT, *begun, end)
    (choice,) = body["choices"]
    assert (choice["message"]["content"], "tool_calls" in choice["message"]) == ("", False)
    assert (choice["finish_reason"], body["usage"]["completion_tokens"]) == ("length", 5)


async def test_a_stream_of_which_its_limit_of_tokens_left_nothing_ends_well() -> None:
    *_, last = await render(ABOUT, Final("", finish="length"))
    assert last["choices"][0]["finish_reason"] == "length"


@given(scripted_answers())
def test_a_reader_of_the_stream_gets_the_message_of_the_whole_answer(script: ScriptedAnswer) -> None:
    streamed = asyncio.run(render(ABOUT, *script.events))
    message: dict[str, Any] = {"content": None, "refusal": None, "annotations": []}
    calls: dict[int, dict[str, Any]] = {}
    for delta in deltas(streamed):
        for call in delta.pop("tool_calls", []):
            index = call.pop("index")
            calls[index] = fold(calls.get(index, {}), call)
        message = fold(message, delta)
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    expected = whole(ABOUT, *script.events)["choices"][0]["message"]
    # A stream begins with an empty text.
    assert message | {"content": message["content"] or None} == expected | {"content": expected["content"] or None}
    assert streamed[-1]["choices"][0]["finish_reason"] == script.end.end_reason


EXTRAS: list[Callable[[int], dict[str, Any]]] = [
    lambda number: {f"k{number}": 1},
    lambda _: {"s": "x"},
    lambda _: {"l": [0]},
    lambda _: {"logprobs": {"content": [0]}},
    lambda number: {"logprobs": {f"k{number}": 0}},
    lambda _: {"signature": "x"},
]


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_whole_answer_twice_as_long_takes_twice_the_work(
    extra: Callable[[int], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folds: list[int] = []

    def fold_counted(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
        folds.append(1)
        return fold_all(parts)

    monkeypatch.setattr(chunks_module, "fold_all", fold_counted)

    def work(count: int) -> int:
        blocks = [Block(("text", "reasoning")[number % 2], "a", extra=extra(number)) for number in range(count)]
        answer, asked = AnswerAssembler(), question(describe(Chat("balanced", "hello")))
        pieces = [Piece(number, block.kind, block.text, extra=block.extra) for number, block in enumerate(blocks)]
        events = [Delta("", pieces=(piece,)) for piece in pieces]
        end = Final("a" * (count // 2), blocks=tuple(blocks))
        return count_calls(lambda: [*map(answer.add, events), answer.add(end), encode_completion(asked, answer)])

    assert work(800) <= 2 * work(400) + 100
    # Each field is folded once, with all others: what a fold copies is no call.
    assert len(folds) == 4


async def test_the_text_before_a_piece_is_read_only_where_it_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    presenter, read = chunks(), list[AnswerAssembler]()
    blocks: Callable[[AnswerAssembler], list[Block]] = AnswerAssembler.__dict__["sent"].fget

    def read_counted(answer: AnswerAssembler) -> list[Block]:
        read.append(answer)
        return blocks(answer)

    monkeypatch.setattr(AnswerAssembler, "sent", property(read_counted))
    for extra in ({"l": [0]}, {"logprobs": {"content": [0]}}, {}):
        await presenter.render(Delta("", pieces=(Piece(0, "reasoning", "a", extra=extra),)))
    assert read == []
    (frame,) = await presenter.render(Delta("", pieces=(Piece(0, "reasoning", "b", extra={"signature": "s"}),)))
    assert b'"thinking_blocks":[{"type":"thinking","thinking":"aaab","signature":"s"}]' in frame.data
    # What was signed isn't sent with the next signature again.
    (frame,) = await presenter.render(Delta("", pieces=(Piece(0, "reasoning", "c", extra={"signature": "t"}),)))
    assert b'"thinking_blocks":[{"type":"thinking","thinking":"c","signature":"t"}]' in frame.data
    next_block = (Piece(1, "text", "x"), Piece(2, "reasoning", "d", extra={"signature": "u"}))
    _, frame = await presenter.render(Delta("", pieces=next_block))
    assert b'"thinking_blocks":[{"type":"thinking","thinking":"d","signature":"u"}]' in frame.data
