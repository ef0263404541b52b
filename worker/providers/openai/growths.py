"""Read an answer from a server's response, and yield it as it grows."""

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import httpx

from wire.reasons import Reason
from wire.threads import LARGE, run_sized
from worker.errors import UpstreamError
from worker.providers import Growth
from worker.providers.content_encoding import RawResponse, decode_body
from worker.providers.openai.reader import CompletionReader, GrowingAnswer

# Seconds to wait for what may follow the reason of an end: the usage and the end itself.
GRACE = 1.0
# How many bytes are read at once, before whatever else the worker does has its turn; how many ends of lines or of
# documents are in these, and as how many bytes each counts: events of three bytes cost as much as those of hundreds.
STEP = 4096
MOST_MARKS = 100
_MARK = 20
# How many bytes a response may have beside its answer, and for each of the answer's: tokens of one character arrive in
# some hundred bytes, and comments while a model thinks.
MOST_BESIDE = 16 * 1024 * 1024
_FRAME = 1000
# How many lines, of events, comments or nothing, a response may have that bring nothing of its answer: a server that
# hides what its model thinks may send a hundred thousand events without text.
MOST_IDLE = 262_144
_EVENT_END = b"\n\n"


async def read_growths(
    response: RawResponse, answer: GrowingAnswer, grace: float = GRACE
) -> AsyncGenerator[Growth, None]:
    """Read the answer to its end, and yield what it has more with whatever arrives: all that does is a sign of life.

    Once the server has sent the answer's end, `grace` is for how many seconds the rest is waited for. UpstreamError.
    """
    reader, received = CompletionReader(answer, response.headers.get("content-type", "")), 0
    async with aclosing(_steps(response, answer, reader, grace)) as chunks:
        async for chunk in chunks:
            received += len(chunk)
            if (size := reader.held + len(chunk)) > LARGE:
                failure = await run_sized(size, reader.feed, chunk)
            else:
                failure = reader.feed(chunk)
            is_endless = received > MOST_BESIDE + _FRAME * answer.size or reader.idle > MOST_IDLE
            if failure is None and is_endless:
                failure = UpstreamError(Reason.TRANSPORT_TOO_BIG, "a response without an end")
            pieces = answer.take()
            if failure is None or pieces:
                yield Growth(pieces)
            if failure is not None:
                raise failure
            if answer.done:
                return
    if (failure := await run_sized(reader.held, reader.end)) is not None:
        raise failure


async def _steps(
    response: RawResponse, answer: GrowingAnswer, reader: CompletionReader, grace: float
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of the response, in steps. Once the answer has ended, a cut and silence are the response's end.

    Some servers send a finish_reason with each piece of text: each piece gets the grace anew.
    """
    chunks, deadline, size, read = decode_body(response), None, -1, 0
    while True:
        if answer.ended and answer.size > size:
            deadline, size = asyncio.get_running_loop().time() + grace, answer.size
        try:
            # A timer for each chunk would cost as much as reading it.
            chunk = await (anext(chunks) if deadline is None else _next_before(chunks, deadline))
        except StopAsyncIteration:
            return
        except (TimeoutError, httpx.HTTPError):
            if not answer.ended:
                raise
            return
        for step, weight in _cut(chunk, reader):
            # A fast server leaves no moment of waiting, in which others would have their turn.
            if read >= STEP // 2:
                await asyncio.sleep(0)
                read = 0
            read += weight
            yield step


def _cut(chunk: bytes, reader: CompletionReader) -> Iterator[tuple[bytes, int]]:
    """Yield a chunk in steps, which end where an event does if they can, and as how many bytes each counts."""
    start = 0
    while start < len(chunk):
        step, marks = chunk[start : start + STEP], reader.marks
        count = sum(map(step.count, marks))
        if count > MOST_MARKS:
            step, count = step[: _find_mark(step, marks)], MOST_MARKS
        if start + len(step) < len(chunk) and (end := step.rfind(_EVENT_END)) >= 0:
            step = step[: end + len(_EVENT_END)]
        yield step, len(step) + _MARK * count
        start += len(step)


def _find_mark(step: bytes, marks: tuple[bytes, ...]) -> int:
    """Return the end of the last mark that a step may have."""
    found = re.finditer(b"[" + re.escape(b"".join(marks)) + b"]", step)
    return next(itertools.islice(found, MOST_MARKS - 1, None)).end()


async def _next_before(chunks: AsyncGenerator[bytes, None], deadline: float) -> bytes:
    async with asyncio.timeout_at(deadline):
        return await anext(chunks)
