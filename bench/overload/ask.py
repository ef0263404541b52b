"""Runs the load client of an overload with a plan."""

import msgspec

from bench.errors import BenchError
from bench.measure.load_client import load_client
from bench.overload.plan import GroupOutcome, OverloadPlan

# What the client may take beyond its plan's limit, in seconds: it judges every answer when all are over.
_GRACE = 30.0


async def ask(plan: OverloadPlan) -> dict[str, GroupOutcome]:
    """Return what became of each group, by its name. BenchError when the client does not end in time."""
    async with load_client(("bench.overload.client",), plan.limit + _GRACE) as client:
        output, _ = await client.communicate(msgspec.json.encode(plan))
    if client.returncode:
        raise BenchError("the load client ended without an outcome")
    return msgspec.json.decode(output, type=dict[str, GroupOutcome])
