"""A gateway with its console on, and an operator who looks at it."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gateway.answering.timings import TIMINGS, Timings
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, running, settings
from wire.redis.store import Store

KEY = "planted-admin-key-4711"
BEARER = {"authorization": f"Bearer {KEY}"}


def admin_keys(folder: Path) -> Path:
    """A file with olivia's key."""
    file = folder / "admins"
    file.write_text(f"olivia {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    return file


@asynccontextmanager
async def console(
    store: Store, folder: Path, *, worker: bool = True, timings: Timings = TIMINGS, **changes: Any
) -> AsyncIterator[RunningGateway]:
    """A gateway whose console is on."""
    config = settings(admin_keys_file=admin_keys(folder), **changes)
    async with running(store, config, worker=worker, timings=timings) as gateway:
        yield gateway


@dataclass
class Page:
    """What a page knows from the stream; `raw` is all that came."""

    raw: str = ""
    names: list[str] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, str]] = field(default_factory=list)
    minutes: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.last.get("state", {}).get("state", {})
        return state

    def account(self, name: str) -> dict[str, Any]:
        return next((account for account in self.state.get("accounts", []) if account["name"] == name), {})

    def take(self, block: str) -> None:
        self.raw += block + "\n\n"
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        name, data = lines["event"], json.loads(lines["data"])
        self.names.append(name)
        self.last[name] = data
        if name == "events":
            self.events += data
        if name == "minutes":
            self.minutes |= data


@asynccontextmanager
async def looking(gateway: RunningGateway) -> AsyncIterator[Page]:
    """A page that listens during the body."""
    page = Page()

    async def listen() -> None:
        async with gateway.client.stream("GET", "/console/live", headers=BEARER, timeout=30) as response:
            assert response.status_code == 200, await response.aread()
            rest = ""
            async for text in response.aiter_text():
                *blocks, rest = (rest + text).split("\n\n")
                for block in blocks:
                    page.take(block)

    listening = asyncio.create_task(listen())
    try:
        yield page
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
            await listening


async def sees(holds: Callable[[], Any]) -> None:
    """Wait until the page shows it."""
    await until(lambda: bool(holds()))
