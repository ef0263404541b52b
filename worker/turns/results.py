"""Keep the results of calls until their clients get them."""

import asyncio

import structlog

from wire.errors import StoreUnavailableError
from wire.reasons import Reason
from wire.redis.retry import retry_unavailable
from wire.result_store import MAX_RESULT, ResultStore
from wire.store_memory import StoreMemory
from worker.errors import UpstreamError

# Seconds for a result while Redis is away or its memory is full.
RETRY_LIMIT = 10.0
_LOG = structlog.get_logger()


async def keep_result(
    results: ResultStore, memory: StoreMemory, answer: str, result: bytes, *, retry_for: float = RETRY_LIMIT
) -> None:
    """Keep the result of a call for a minute.

    UpstreamError `result.toolarge`, or `result.full` if Redis has no more room than the ends of answers need.
    """
    if len(result) > MAX_RESULT:
        raise UpstreamError(Reason.RESULT_TOO_LARGE, f"{len(result)} bytes")
    until = asyncio.get_running_loop().time() + retry_for
    try:
        use = await retry_unavailable(memory.read, until)
        size = len(result)
        if use.is_full or not await retry_unavailable(lambda: results.admit(answer, size, use.allowed), until):
            raise UpstreamError(Reason.RESULT_FULL)
        await retry_unavailable(lambda: results.write(answer, result), until)
    except StoreUnavailableError as error:
        _LOG.warning("no room for a result", cause=str(error))
        raise UpstreamError(Reason.RESULT_FULL, str(error)) from error
