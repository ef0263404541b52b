"""Processes of the version before are seen by what they report, and only while they live."""

import pytest

from gateway.settings import GatewaySettings
from wire.errors import OutdatedWorkerError
from wire.jobs import IdempotencyKey, Jobs, new_answer_id, new_token
from wire.messages import Chat, Prompted
from wire.prompt import Message, Prompt, Text
from wire.redis.store import Store
from wire.reporter import ProcessKind, ProcessLoad, Reporter
from wire.rolling_update import OutdatedProcesses

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
