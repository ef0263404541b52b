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

Document = dict[str, Any]


def run_command(measurement: Coroutine[Any, Any, Document], succeeded: Callable[[Document], bool]) -> int:
    """Run it and return the exit code: 0; 1 when it failed or hasn't `succeeded`; 130 when it was interrupted."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        document = uvloop.run(_cancel_on_sigterm(measurement))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted", file=sys.stderr)
        return 130
    print(json.dumps(document, indent=2, ensure_ascii=False))
    return 0 if succeeded(document) else 1


async def _cancel_on_sigterm(measurement: Coroutine[Any, Any, Document]) -> Document:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await measurement
