"""Translation of redis-py's errors into one of ours."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import OutOfMemoryError, RedisError

from wire.errors import StoreFullError, StoreUnavailableError

# The errors of a broken connection. RuntimeError: uvloop's, for writing to a connection that the peer has reset.
_BROKEN = (RedisError, OSError, TimeoutError, RuntimeError)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate whatever redis-py raises into a StoreUnavailableError.

    redis-py sends through asyncio.wait_for, which up to Python 3.11 swallows a cancellation that comes as the sending
    ends; it is raised here, or the task would never end.
    """
    task = asyncio.current_task()
    cancellations = task.cancelling() if task else 0
    try:
        yield
    except _BROKEN as error:
        if task and task.cancelling() > cancellations:
            raise asyncio.CancelledError from error
        if isinstance(error, OutOfMemoryError):
            raise StoreFullError(cause=f"OOM: {error}") from error
        raise StoreUnavailableError(f"{type(error).__name__}: {error}") from error
    if task and task.cancelling() > cancellations:
        raise asyncio.CancelledError
