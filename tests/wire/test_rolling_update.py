"""Processes of the version before are seen by what they report, and only while they live."""

import asyncio
from functools import partial
from typing import Any

import pytest

from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.wire.scenario import Scenario
from wire import keys, rolling_update
from wire.errors import OutdatedWorkerError, StoreUnavailableError
from wire.jobs import IdempotencyKey, Jobs, new_answer_id, new_token
from wire.messages import Chat, Prompted
from wire.prompt import Message, Prompt, Text
from wire.redis.connection import Argument
from wire.redis.store import Store
from wire.reporter import ProcessKind, ProcessLoad, Reporter
from wire.rolling_update import OutdatedProcesses
from wire.shared_read import SharedRead

pytestmark = pytest.mark.anyio

ONCE = IdempotencyKey("name", "question")


def reporter(store: Store, name: str, load: ProcessLoad, kind: ProcessKind = "gateway") -> Reporter:
    return Reporter(store, kind, name, lambda: load, dict, lambda: False)


async def test_a_process_counts_until_it_leaves(store: Store) -> None:
    assert not await OutdatedProcesses(store).are_there()
    await reporter(store, "new", ProcessLoad(apart=True)).report()
    assert not await OutdatedProcesses(store).are_there()
    old = reporter(store, "old", ProcessLoad("0.1.0"))
    await old.report()
    assert await OutdatedProcesses(store).are_there()
    await old.leave()
    assert not await OutdatedProcesses(store).are_there()


async def test_a_process_that_leaves_during_the_look_is_not_taken_for_an_old_one(store: Store) -> None:
    new = reporter(store, "new", ProcessLoad(apart=True))
    await new.report()
    execute = store.execute

    async def execute_and_leave(*command: Argument) -> Any:
        reply = await execute(*command)
        await new.leave()
        return reply

    store.execute = execute_and_leave  # type: ignore[method-assign]
    assert not await OutdatedProcesses(store).are_there()


async def test_it_looks_once_a_second(store: Store) -> None:
    outdated = OutdatedProcesses(store)
    assert not await outdated.are_there()
    await reporter(store, "old", ProcessLoad("0.1.0")).report()
    assert not await outdated.are_there()


async def test_prompts_are_refused_while_a_worker_is_alive_that_cannot_read_them(store: Store) -> None:
    work = Prompted("balanced", "", prompt=Prompt("chat", "m", (Message("user", (Text("hi"),)),)))

    async def submit(once: IdempotencyKey | None = None) -> str:
        # Each time anew: a gateway looks once a second.
        jobs = Jobs(store, GatewaySettings())
        try:
            return await jobs.submit(new_answer_id(), work, new_token(), create=True, once=once)
        except OutdatedWorkerError:
            assert jobs.refusals == {"worker.outdated": 1}
            raise
        finally:
            await jobs.close()

    old_gateway = reporter(store, "old", ProcessLoad("0.1.0"))
    await old_gateway.report()
    asked = await submit(ONCE)
    old, new = reporter(store, "old", ProcessLoad("0.1.0"), "worker"), reporter(store, "new", ProcessLoad(apart=True))
    await new.report()
    await old.report()
    with pytest.raises(OutdatedWorkerError):
        await submit()
    assert await submit(ONCE) == asked
    await Jobs(store, GatewaySettings()).submit(new_answer_id(), Chat("balanced", "plain"), new_token(), create=True)
    await old.leave()
    assert await submit()


async def test_logs_count_as_closed_once_no_process_lives_that_leaves_them_open(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling_update, "REPORT_INTERVAL", 0.01)
    monkeypatch.setattr(rolling_update, "_FRESH", 0.0)
    seen: list[bool] = []
    watch = asyncio.create_task(OutdatedProcesses(store).watch_logs(seen.append))

    async def is_seen(closed: bool) -> bool:
        return seen[-1:] == [closed]

    await until(partial(is_seen, closed=True))
    old = reporter(store, "old", ProcessLoad("0.2.0", apart=True))
    await reporter(store, "new", ProcessLoad(closes=True)).report()
    await old.report()
    await until(partial(is_seen, closed=False))
    await old.leave()
    await until(partial(is_seen, closed=True))

    async def away(*_: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(SharedRead, "read", away)
    await until(partial(is_seen, closed=False))
    watch.cancel()
    await asyncio.wait([watch])


# Streams of version 0.2


def worker_of_02(store: Store, name: str = "old") -> Reporter:
    return reporter(store, name, ProcessLoad("0.2.0", apart=True, calls=True), "worker")


async def read_as_02(scenario: Scenario, worker: str) -> list[tuple[str, list[bytes]]]:
    """Return what a worker of version 0.2 finds in its stream and in the shared one."""
    found = []
    for name in (keys.line_key(worker), keys.prefix() + keys.NAMES["jobs"]):
        found.append((name, [entry[b"t"] for _, entry in await scenario.redis.xrange(name)]))
    return found


async def test_while_a_worker_of_version_02_lives_it_finds_what_is_asked(store: Store) -> None:
    scenario = Scenario(store)
    old = worker_of_02(store)
    await old.report()
    question = await scenario.ask()
    assert [tokens for _, tokens in await read_as_02(scenario, "old")] == [[], [question.token.encode()]]
    assert await scenario.redis.exists(keys.ring_key()) == 0
    # As such a worker's claim and finish leave it.
    await scenario.sessions.beat("old")
    held = await scenario.ask()
    await scenario.redis.hset(keys.token_key(held.token), "owner", "old")
    await scenario.redis.hdel(keys.token_key(held.token), "scheduled")
    await scenario.ask(token=held.token)
    await scenario.ask(token=held.token)
    (_, own), (_, _) = await read_as_02(scenario, "old")
    assert own == [held.token.encode()]
    await old.leave()
    scenario = Scenario(store)
    await scenario.ask()
    assert await scenario.redis.llen(keys.ring_key()) == 1


@pytest.mark.parametrize("own", [False, True])
async def test_a_worker_takes_what_gateways_of_version_02_put_into_streams(store: Store, own: bool) -> None:
    await worker_of_02(store).report()
    before = Scenario(store)
    await before.hire("w1")
    questions = [await before.ask() for _ in range(2)]
    if own:
        shared, mine = keys.prefix() + keys.NAMES["jobs"], keys.line_key("w1")
        await before.redis.rename(shared, mine)
    await before.sessions.beat("w1")
    assert [task.answer for task in await before.take_all("w1")] == [question.answer for question in questions]
    assert [tokens for _, tokens in await read_as_02(before, "w1")] == [[], []]


async def test_what_is_asked_next_of_a_token_that_was_in_a_stream_is_found(store: Store) -> None:
    old = worker_of_02(store)
    await old.report()
    scenario = Scenario(store)
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.sessions.beat("w1")
    await scenario.finish(await scenario.take("w1"))
    second = await scenario.ask(token=question.token)
    await scenario.sessions.beat("w1")
    assert (await scenario.take("w1")).answer == second.answer
