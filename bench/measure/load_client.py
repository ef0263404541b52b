"""A load client as a process of its own, which gets a plan and ends with the block."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.errors import BenchError
from bench.systems.processes import ROOT


@asynccontextmanager
async def load_client(module: Sequence[str], limit: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m module` with pipes for its stdin and stdout.

    BenchError when the body takes longer than `limit` seconds.
    """
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *module,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit):
            yield client
            await client.wait()
    except TimeoutError:
        raise BenchError("the load client did not end in time") from None
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
