"""A look at how an answer begins."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from gateway.peek import peeked
from wire.answers import Entry
from wire.errors import AnswerGoneError
from wire.messages import Delta

pytestmark = pytest.mark.anyio

ENTRIES = [Entry(number, Delta(str(number))) for number in (1, 2, 3)]


async def coming(gate: asyncio.Event | None = None) -> AsyncGenerator[Entry, None]:
    if gate:
        await gate.wait()
    for entry in ENTRIES:
        yield entry


async def test_what_was_looked_at_still_comes() -> None:
    async with peeked(coming(), 5) as (first, entries):
        assert first == ENTRIES[0]
        assert [entry async for entry in entries] == ENTRIES


async def test_what_does_not_come_in_time_comes_later() -> None:
    gate = asyncio.Event()
    async with peeked(coming(gate), 0.01) as (first, entries):
        assert first is None
        gate.set()
        assert [entry async for entry in entries] == ENTRIES


async def test_an_answer_without_events_has_no_first() -> None:
    async def nothing() -> AsyncGenerator[Entry, None]:
        return
        yield

    async with peeked(nothing(), 5) as (first, entries):
        assert first is None
        assert [entry async for entry in entries] == []


async def test_an_error_comes_at_once() -> None:
    async def gone() -> AsyncGenerator[Entry, None]:
        raise AnswerGoneError
        yield

    with pytest.raises(AnswerGoneError):
        async with peeked(gone(), 5):
            pass


async def test_nothing_is_left_behind_when_nobody_reads_on() -> None:
    before = asyncio.all_tasks()
    source = coming(asyncio.Event())
    async with peeked(source, 0):
        pass
    assert asyncio.all_tasks() == before
    await source.aclose()
