"""A file of keys that changes while a gateway runs: each key is its holder's name."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.answering.timings import Timings
from tests.support.gateway.harness import RunningGateway

ASK = {"style": "balanced", "question": "hi"}
QUICK = Timings(keys_look_every=0.02, console_poll_every=0.05)


def line(entry: str) -> str:
    """The line of a key that is its name, perhaps with further parts behind it."""
    name, *parts = entry.split()
    return " ".join([name, hashlib.sha256(name.encode()).hexdigest(), *parts]) + "\n"


def write(path: Path, *entries: str) -> Path:
    """Write the lines of these keys, and no others."""
    path.write_text("".join(map(line, entries)))
    return path


def asking(gateway: RunningGateway, key: str, status: int) -> Callable[[], Awaitable[bool]]:
    """Whether a request with a key gets this status; it asks nothing."""

    async def answers() -> bool:
        response = await gateway.client.get("/v1/models", headers={"x-api-key": key})
        return response.status_code == status

    return answers
