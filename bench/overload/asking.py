"""Runs the load client with a plan."""

import asyncio
import sys

import msgspec

from bench.errors import BenchError
from bench.overload.plan import Plan, Told
from bench.processes import ROOT

# What the client may take beyond its plan's limit, in seconds: it judges every answer when all are over.
_GRACE = 30.0


async def ask(plan: Plan) -> dict[str, Told]:
    """What became of each group, by its name. BenchError when the client does not end in time."""
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.overload.client",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(plan.limit + _GRACE):
            said, _ = await client.communicate(msgspec.json.encode(plan))
    except TimeoutError:
        raise BenchError("the load client did not end in time") from None
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
    if client.returncode:
        raise BenchError("the load client ended without a word")
    return msgspec.json.decode(said, type=dict[str, Told])
