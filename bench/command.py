"""A measurement as a command: it may be interrupted, prints one JSON document, and ends with an exit code."""

import asyncio
import json
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from bench.errors import BenchError

Report = dict[str, Any]


def carry_out(measuring: Coroutine[Any, Any, Report], good: Callable[[Report], bool]) -> int:
    """The exit code: 0, 1 when it can't measure or what it found isn't `good`, 130 when it was interrupted."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        found = uvloop.run(_ended_by_sigterm(measuring))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted", file=sys.stderr)
        return 130
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0 if good(found) else 1


async def _ended_by_sigterm(measuring: Coroutine[Any, Any, Report]) -> Report:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await measuring
