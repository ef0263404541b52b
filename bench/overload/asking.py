"""Runs the load client with a plan."""

import msgspec

from bench.asking import load_client
from bench.errors import BenchError
from bench.overload.plan import Plan, Told

# What the client may take beyond its plan's limit, in seconds: it judges every answer when all are over.
_GRACE = 30.0


async def ask(plan: Plan) -> dict[str, Told]:
    """What became of each group, by its name. BenchError when the client does not end in time."""
    async with load_client(("bench.overload.client",), plan.limit + _GRACE) as client:
        said, _ = await client.communicate(msgspec.json.encode(plan))
    if client.returncode:
        raise BenchError("the load client ended without a word")
    return msgspec.json.decode(said, type=dict[str, Told])
