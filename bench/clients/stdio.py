"""The protocol between the bench and a load client: a plan on stdin, lines and then the outcome on stdout."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
import uvloop

Plan = TypeVar("Plan")


def send_line(line: str) -> None:
    """Send the bench a line."""
    print(line, flush=True)


def run_plan(plan_type: type[Plan], run: Callable[[Plan], Coroutine[Any, Any, Any]]) -> None:
    """Read the plan, run it, and send its outcome."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=plan_type)
    send_line(msgspec.json.encode(uvloop.run(run(plan))).decode())
