"""Messages survive the journey, and processes of neighbouring versions understand each other."""

import contextlib
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.blocks import Block, Piece
from wire.errors import BadMessageError
from wire.messages import (
    TERMINAL,
    VERSION,
    Chat,
    Delta,
    Event,
    Failed,
    Final,
    Image,
    Replace,
    Source,
    TurnCount,
    Work,
    apply_event,
    apply_to_blocks,
    decode_event,
    decode_work,
    encode,
    join_deltas,
)
from wire.reasons import Reason

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
WORK = st.one_of(
    st.builds(Chat, st.sampled_from(["balanced", "creative", "precise"]), TEXT, TEXT), st.builds(Image, TEXT, TEXT)
)
EVENTS = st.one_of(
    st.builds(Delta, TEXT),
    st.builds(Replace, TEXT),
    st.builds(
        Final,
        TEXT,
        st.lists(st.builds(Source, TEXT, TEXT)).map(tuple),
        st.booleans(),
        st.lists(TEXT).map(tuple),
        st.none() | st.builds(TurnCount, st.integers(0, 100), st.integers(0, 100)),
        st.lists(TEXT).map(tuple),
        st.booleans(),
    ),
    st.builds(Failed, st.sampled_from(Reason), TEXT, st.booleans(), st.none() | st.integers(0, 10**6)),
    st.builds(
        Failed,
        TEXT.map("its.own.{}".format),
        TEXT,
        st.booleans(),
        st.none() | st.integers(0, 10**6),
        code=st.integers(100, 599),
        message=TEXT.filter(bool),
    ),
)


@given(WORK)
def test_jobs_arrive_as_they_were_sent(work: Work) -> None:
    assert decode_work(encode(work)) == work


@given(EVENTS)
def test_events_arrive_as_they_were_sent(event: Event) -> None:
    assert decode_event(encode(event)) == event


@given(WORK | EVENTS)
def test_messages_are_json_with_a_type(message: Work | Event) -> None:
    assert json.loads(encode(message))["type"] == type(message).__name__.lower()


@given(EVENTS, st.dictionaries(TEXT.map("new-".__add__), st.none() | TEXT | st.lists(st.integers(0, 9))))
def test_what_a_newer_process_adds_is_ignored(event: Event, additions: dict[str, object]) -> None:
    newer = {**json.loads(encode(event)), **additions, "v": VERSION + 1}
    decoded = decode_event(json.dumps(newer).encode())
    assert json.loads(encode(decoded)) == {**json.loads(encode(event)), **({"v": VERSION + 1} if has_v(event) else {})}


def has_v(event: Event) -> bool:
    return isinstance(event, TERMINAL)


def test_what_an_older_process_leaves_out_has_a_default() -> None:
    assert decode_event(b'{"type":"final","text":"x"}') == Final("x")
    assert decode_event(b'{"type":"failed","code":500,"message":"m","reason":"r"}') == Failed(
        "r", code=500, message="m"
    )
    assert decode_work('{"type":"chat","style":"precise","question":"问"}'.encode()) == Chat("precise", "问")


def test_a_failure_resets_the_conversation_unless_it_says_otherwise() -> None:
    assert Failed("r", code=500, message="m").reset
    assert not Final("x").reset


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"type":"chat","style":"balanced","question":"\xff"}',
        b'{"type":"chat","style":"wild","question":"x"}',
        b'{"type":"chat","style":"balanced"}',
        b'{"type":"chat","style":"balanced","question":1}',
        b'{"type":"final"}',
        b'{"type":"unheard-of"}',
        b'{"type":"delta","text":"x"',
        b'{"type":"delta","text":"x","new":' + b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(BadMessageError):
        decode_work(data)
    with pytest.raises(BadMessageError):
        decode_event(data)


@given(st.binary())
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for decode in (decode_work, decode_event):
        with contextlib.suppress(BadMessageError):
            decode(data)


@pytest.mark.parametrize("half", ["\ud800", "whole \U0001f389 and half \ud83c"])
def test_half_a_surrogate_pair_is_refused(half: str) -> None:
    for message in (Chat("balanced", half), Image(half), Delta(half), Final(half), Failed("r", code=500, message=half)):
        with pytest.raises(BadMessageError):
            encode(message)


def test_exactly_the_ends_are_terminal() -> None:
    assert isinstance(Final("x"), TERMINAL)
    assert isinstance(Failed("r", code=500, message="m"), TERMINAL)
    assert not isinstance(Delta("x"), TERMINAL)
    assert not isinstance(Replace("x"), TERMINAL)


class OldFailed(msgspec.Struct, frozen=True, tag="failed", tag_field="type"):
    """The event as the version before reads it."""

    code: int
    message: str
    reason: str
    text: str = ""
    reset: bool = True
    retry_after: int | None = None
    provider: str = ""
    v: int = 1


OLD = (
    '{"type":"failed","code":500,"message":"回答中断,请重新提问","reason":"%s","text":"half","reset":true,'
    '"retry_after":null,"provider":"edgegpt","v":1}'
)


def test_an_event_of_the_version_before_is_read() -> None:
    """With its own sentence only where the reason is unknown here."""
    assert decode_event((OLD % "interrupted").encode()) == Failed(Reason.INTERRUPTED, "half", provider="edgegpt")
    event = Failed("its.own", "half", provider="edgegpt", code=500, message="回答中断,请重新提问")
    assert decode_event((OLD % "its.own").encode()) == event


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Failed(Reason.ACCOUNT_THROTTLED, retry_after=60), 120),
        (Failed(Reason.ACCOUNT_THROTTLED), 500),
        (Failed(Reason.ACCOUNT_NONE, retry_after=5), 503),
        (Failed(Reason.QUEUE_TIMEOUT, reset=False, retry_after=5), 503),
        (Failed(Reason.INTERRUPTED, "half"), 500),
    ],
)
def test_the_version_before_reads_an_event_with_its_status(event: Failed, code: int) -> None:
    old = OldFailed(code, "未知错误", event.reason, event.text, event.reset, event.retry_after)
    assert msgspec.json.decode(encode(event), type=OldFailed) == old


GROWTHS = st.lists(st.none() | st.lists(st.tuples(st.sampled_from(["text", "reasoning"]), TEXT), max_size=3))


@given(GROWTHS)
def test_deltas_in_a_row_say_as_one_what_each_says(growths: list[list[tuple[Any, str]] | None]) -> None:
    events: list[Event] = []
    kinds: list[str] = []

    def place(kind: str) -> int:
        if kinds[-1:] != [kind]:
            kinds.append(kind)
        return len(kinds) - 1

    for growth in growths:
        if growth is None:
            events.append(Replace("whole"))
            kinds = ["text"]
        elif growth:
            pieces = tuple(Piece(place(kind), kind, text) for kind, text in growth)
            events.append(Delta("".join(text for kind, text in growth if kind == "text"), pieces=pieces))
        else:
            events.append(Delta("more"))
            place("text")
    assert _applied(join_deltas(events)) == _applied(events)


def test_only_deltas_in_a_row_become_one() -> None:
    events: list[Event] = [Delta("a", "p", "m"), Delta("b"), Replace("x"), Delta("c"), Delta("d")]
    assert list(join_deltas(events)) == [Delta("ab", "p", "m"), Replace("x"), Delta("cd")]


def test_text_behind_pieces_joins_them() -> None:
    probable = Delta("b", pieces=(Piece(2, "text", "b", extra={"logprobs": [1]}),))
    events: list[Event] = [Delta("a"), Delta("", pieces=(Piece(1, "reasoning", "r"),)), *[Delta("a"), probable] * 100]
    joined = "ab" * 100
    pieces = (Piece(1, "reasoning", "r"), Piece(2, "text", joined, extra={"logprobs": [1] * 100}))
    assert list(join_deltas(events)) == [Delta("a"), Delta(joined, pieces=pieces)]
    assert _applied(join_deltas(events)) == _applied(events)


def _applied(events: Iterable[Event]) -> tuple[str, list[Block]]:
    text, blocks = "", list[Block]()
    for event in events:
        text = apply_event(text, event)
        apply_to_blocks(blocks, event)
    return text, blocks
