"""The client's and the worker's side of the wire, for tests of what is between them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.settings import GatewaySettings
from tests.support.conditions import SOON
from tests.support.patched_store import PatchedStore
from tests.support.redis_client import redis_client
from wire import jobs, keys
from wire.answers import Answers
from wire.errors import StoreUnavailableError
from wire.jobs import Jobs, new_answer_id, new_token
from wire.ledger import Ledger
from wire.messages import TERMINAL, Chat, Event, Failed, Final, Image, Work
from wire.redis.connection import Argument
from wire.redis.store import Store
from wire.sessions import ClaimedJob, Sessions
from worker.accounts.account import Account, CookieAccount
from worker.accounts.pool import REFRESH_INTERVAL, AccountPool
from worker.providers.registry import build_provider_order
from worker.settings import WorkerSettings

ACCOUNTS: list[Account] = [CookieAccount(name, {"_U": name}) for name in ("a", "b")]


def settings_with(**changed: object) -> WorkerSettings:
    """Small limits, and nothing from the environment that matters here."""
    small: dict[str, object] = {
        "worker_slots": 4,
        "lease_ttl": 3.0,
        "first_text_timeout": 10.0,
        "idle_timeout": 10.0,
        "answer_timeout": 20.0,
        "drain_timeout": 10.0,
        "idle_release": 60.0,
        "answer_ttl": 60,
    }
    return WorkerSettings(**{**small, **changed})  # type: ignore[arg-type]


def pool_on(
    store: Store,
    settings: WorkerSettings,
    accounts: Sequence[Account] = ACCOUNTS,
    worker: str = "desk",
    *,
    refresh_every: float = REFRESH_INTERVAL,
) -> AccountPool:
    """Make a worker's pool on the ledger in `store`."""
    return AccountPool(
        settings, Ledger(store), worker, accounts, build_provider_order(settings), refresh_every=refresh_every
    )


Hook = Callable[[], Awaitable[None]]


async def report_nothing() -> None:
    """Report to Redis nothing of what it has lost, if it has."""


class HookedStore(PatchedStore):
    """A store whose calls a test can hold back, lose, or lose the reply of, script by script."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}
        self.tried: Counter[str] = Counter()
        self.calls: list[str] = []

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        self.tried[script] += 1
        if hook := self.before.get(script):
            await hook()
        reply = await super().run(script, key, *args)
        self.calls.append(script)
        if hook := self.after.get(script):
            await hook()
        return reply


class Away:
    """A hook: Redis is away for so many calls, for ever if None is given."""

    def __init__(self, times: int | None = None) -> None:
        self.left = times
        self.met = 0

    async def __call__(self) -> None:
        if self.left is not None:
            if self.left == 0:
                return
            self.left -= 1
        self.met += 1
        raise StoreUnavailableError("away")


class Held:
    """A hook: calls wait until they are let go."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self) -> None:
        self.waiting.set()
        await self.go.wait()


@dataclass
class Client:
    """What a gateway does: hand over work, read answers."""

    store: HookedStore
    answers: Answers
    limits: GatewaySettings = field(default_factory=GatewaySettings)

    async def ask(self, question: str, token: str | None = None, asker: str = "") -> str:
        """Submit a question, a client's if `asker` says whose; its answer's id. A token of its own unless given."""
        return await self.submit(Chat("balanced", question), token or new_token(), asker)

    async def submit(self, work: Work, token: str, asker: str = "") -> str:
        answer = new_answer_id()
        await Jobs(self.store, self.limits).submit(answer, work, token, create=True, client=jobs.Client(asker))
        return answer

    async def events(self, answer: str) -> list[Event]:
        """All events of an answer, up to the terminal one."""
        entries = []
        async with asyncio.timeout(SOON), self.answers.follow(answer) as reader:
            async for entry in reader:
                entries.append(entry)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert [isinstance(entry.event, TERMINAL) for entry in entries] == [False] * (len(entries) - 1) + [True]
        return [entry.event for entry in entries]

    async def end(self, answer: str) -> Final | Failed:
        """Return the terminal event of an answer."""
        last = (await self.events(answer))[-1]
        assert isinstance(last, TERMINAL)
        return last

    async def text(self, answer: str) -> str:
        """Return the whole text of an answer that ended well."""
        last = await self.end(answer)
        assert isinstance(last, Final), last
        return last.text

    async def so_far(self, answer: str) -> list[Event]:
        """Return the events that an answer has now."""
        return [entry.event for entry in (await self.answers.read(answer)).events]

    async def has_ended(self, answer: str) -> bool:
        """Whether the answer has its terminal event."""
        return any(isinstance(event, TERMINAL) for event in await self.so_far(answer))

    async def state(self, answer: str) -> str:
        """Return the job's state in Redis."""
        value = await redis_client(self.store).hget(keys.job_key(answer), "state")
        assert isinstance(value, bytes)
        return value.decode()

    async def owner(self, token: str) -> str | None:
        """Return the worker that holds the token."""
        value = await redis_client(self.store).hget(keys.token_key(token), "owner")
        return value.decode() if isinstance(value, bytes) else None

    async def waiting(self) -> int:
        """How many clients wait for a turn."""
        length = await redis_client(self.store).llen(keys.ring_key())
        assert isinstance(length, int)
        return length


@dataclass
class WorkerHarness:
    """A worker's hands without a worker: takes jobs and ends them, one at a time."""

    client: Client
    sessions: Sessions
    worker: str = "desk"
    number: int = 0

    async def task(self, question: str = "hello", token: str | None = None) -> ClaimedJob:
        """Submit and claim a new question."""
        return await self.claimed(Chat("balanced", question), token or new_token())

    async def picture(self, keyword: str = "Cat") -> ClaimedJob:
        """Submit and claim a new image request."""
        return await self.claimed(Image(keyword), new_token())

    async def claimed(self, work: Work, token: str) -> ClaimedJob:
        await self.client.submit(work, token)
        await self.sessions.beat(self.worker)
        self.number += 1
        turns = await self.sessions.take(self.worker, self.number, self.number - 1, 1, {})
        [(job, short)] = turns.jobs
        task = await self.sessions.read_work(job, short)
        assert task is not None
        return task

    def with_session(self, task: ClaimedJob, session: bytes, sent: int) -> ClaimedJob:
        """Return the task as if its token had a saved conversation."""
        return replace(task, session=session, sent=sent)
