"""Read an answer from a server's response, and yield it as it grows."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx

from worker.providers import Growth
from worker.providers.content_encoding import RawResponse, decode_body
from worker.providers.openai.reader import CompletionReader, GrowingAnswer

# Seconds to wait for what may follow the reason of an end: the usage and the end itself.
GRACE = 1.0


async def read_growths(
    response: RawResponse, answer: GrowingAnswer, grace: float = GRACE
) -> AsyncGenerator[Growth, None]:
    """Read the answer to its end, and yield what it has more with whatever arrives: all that does is a sign of life.

    Once the server has sent the answer's end, `grace` is for how many seconds the rest is waited for. UpstreamError.
    """
    reader = CompletionReader(answer, response.headers.get("content-type", ""))
    async with aclosing(_chunks(response, answer, grace)) as chunks:
        async for chunk in chunks:
            failure = reader.feed(chunk)
            pieces = answer.take()
            if failure is None or pieces:
                yield Growth(pieces)
            if failure is not None:
                raise failure
            if answer.done:
                return
    if (failure := reader.end()) is not None:
        raise failure


async def _chunks(response: RawResponse, answer: GrowingAnswer, grace: float) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of the response. Once the answer has ended, a cut and silence are the response's end.

    Some servers send a finish_reason with each piece of text: each piece gets the grace anew.
    """
    chunks, deadline, size = decode_body(response), None, -1
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
        yield chunk


async def _next_before(chunks: AsyncGenerator[bytes, None], deadline: float) -> bytes:
    async with asyncio.timeout_at(deadline):
        return await anext(chunks)
