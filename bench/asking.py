"""A load client: a process of its own that is given a plan and ends with the block."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.errors import BenchError
from bench.processes import ROOT


@asynccontextmanager
async def load_client(module: Sequence[str], limit: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m module`, with pipes for what it is told and what it says.

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
