"""Work on large texts beside the event loop, so that it holds up nobody else for long."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

# Bytes from which a thread is worth its switch.
LARGE = 64 * 1024
P = ParamSpec("P")
T = TypeVar("T")
# Few at a time: they share one interpreter lock, and what each of them makes takes memory.
_EXECUTOR = ThreadPoolExecutor(2, thread_name_prefix="large")


async def run_sized(size: int, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a call returns that handles `size` bytes: here if these are few, else from a thread."""
    if size <= LARGE:
        return call(*args, **kwargs)
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        _EXECUTOR, partial(context.run, partial(call, *args, **kwargs))
    )
