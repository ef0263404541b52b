import asyncio
import gc
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop

from tests.support.conditions import SOON, until
from worker.providers.connections.name_lookup import NameLookup

pytestmark = pytest.mark.anyio
ADDRESSES = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]


class Resolver:
    """Finds all names but the silent one, whose lookups last until `let_go`."""

    def __init__(self) -> None:
        self.lookups: Counter[str] = Counter()
        self.let_go = threading.Event()
        # Whether the silent one's end is a failure, and how many of its lookups ended.
        self.fails, self.ended = False, 0

    def getaddrinfo(self, host: str, port: int, *, flags: int = 0, **_: Any) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror
        self.lookups[host] += 1
        if host == "silent.example":
            self.let_go.wait()
            self.ended += 1
        if host == "unknown.example" or self.fails:
            raise socket.gaierror
        return ADDRESSES


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both loops, since each has threads of its own for lookups."""
    return ("asyncio", {"loop_factory": uvloop.new_event_loop} if request.param == "uvloop" else {})


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    stub = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", stub.getaddrinfo)
    yield stub
    stub.let_go.set()


async def test_many_questions_to_a_silent_name_hold_up_no_other(resolver: Resolver) -> None:
    names = NameLookup()
    waiting = [asyncio.create_task(names.find("silent.example", 80)) for _ in range(200)]
    await until(lambda: resolver.lookups["silent.example"])
    async with asyncio.timeout(SOON):
        assert await names.find("other.example", 80) == ADDRESSES
    for task in waiting[:100]:
        task.cancel()
    await asyncio.wait(waiting[:100])
    resolver.let_go.set()
    assert await asyncio.gather(*waiting[100:]) == [ADDRESSES] * 100
    assert resolver.lookups["silent.example"] == 1


async def test_each_lookup_that_ended_is_followed_by_a_new_one(resolver: Resolver) -> None:
    names = NameLookup()
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await names.find("unknown.example", 80)
        await names.find("known.example", 80)
    assert resolver.lookups == {"unknown.example": 2, "known.example": 2}


async def test_a_failure_that_nobody_waits_for_is_no_error_of_the_loop(resolver: Resolver) -> None:
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    resolver.fails = True
    waiting = asyncio.create_task(NameLookup().find("silent.example", 80))
    await until(lambda: resolver.lookups["silent.example"])
    waiting.cancel()
    await asyncio.wait([waiting])
    resolver.let_go.set()
    del waiting
    await until(lambda: resolver.ended)
    # The loop hears of the end in one of its next turns.
    for _ in range(10):
        await asyncio.sleep(0.01)
        gc.collect()
    assert errors == []


async def test_an_address_needs_no_lookup() -> None:
    found = await NameLookup().find("127.0.0.1", 80)
    assert found[0][4] == ("127.0.0.1", 80)
