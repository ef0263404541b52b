"""Work on large texts beside the event loop."""

import contextvars
import threading

import pytest

from wire.threads import LARGE, run_sized

pytestmark = pytest.mark.anyio
_VALUE = contextvars.ContextVar("value", default="")


@pytest.mark.parametrize(("size", "apart"), [(LARGE, False), (LARGE + 1, True)])
async def test_what_handles_much_runs_in_a_thread_in_the_same_context(size: int, apart: bool) -> None:
    _VALUE.set("here")
    ran_in, value = await run_sized(size, lambda: (threading.get_ident(), _VALUE.get()))
    assert (ran_in != threading.get_ident(), value) == (apart, "here")


@pytest.mark.parametrize("size", [0, LARGE + 1])
async def test_its_error_is_the_callers(size: int) -> None:
    with pytest.raises(ZeroDivisionError):
        await run_sized(size, lambda: 1 // 0)
