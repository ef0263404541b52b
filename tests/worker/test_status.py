"""The status that a worker reports while it works."""

import pytest

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.worker.harness import Client
from tests.support.worker.running_worker import serving
from tests.support.worker.scripted_provider import Gate, ScriptedProvider
from wire.audit_log import AuditLog
from wire.overview import Overview, Process
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


OFTEN = 0.02


async def only(store: Store) -> Process:
    (process,) = await Overview(store).read_processes()
    return process


async def counted(store: Store, name: str) -> int:
    seconds, _ = await redis_client(store).time()
    minute = int(seconds) // 60
    minutes = await Overview(store).read_counts(range(minute - 2, minute + 1))
    return sum(counts.get(name, 0) for counts in minutes.values())


async def test_its_load_and_what_it_runs_are_seen_and_its_leaving_is_reported(client: Client) -> None:
    gate = Gate("hello")
    async with serving(client.store, ScriptedProvider(play=gate), worker_slots=4, report_interval=OFTEN) as worker:
        answer = await client.ask("hello")

        async def runs() -> bool:
            processes = await Overview(client.store).read_processes()
            return [process.load.running for process in processes] == [((answer, "chat"),)]

        await until(runs)
        process = await only(client.store)
        assert (process.kind, process.name, process.state, process.load.slots, process.load.used) == (
            "worker",
            worker.id,
            "up",
            4,
            1,
        )
        gate.open("hello")
        await client.end(answer)

        async def rests() -> bool:
            return (await only(client.store)).load.running == () and await counted(client.store, "done") == 1

        await until(rests)
        assert await counted(client.store, "slots:free") > 0
    assert await Overview(client.store).read_processes() == []
    states = [
        event.fields["state"]
        for event in await AuditLog(client.store).read_latest(50)
        if event.fields["kind"] == "worker"
    ]
    assert (states[0], states[-1]) == ("gone", "up")


async def test_a_worker_that_drains_says_so_and_has_no_free_slots(client: Client) -> None:
    gate = Gate("hello")
    async with serving(client.store, ScriptedProvider(play=gate), report_interval=OFTEN) as worker:
        answer = await client.ask("hello")
        await until(lambda: worker.slots_used == 1)
        worker.drain()

        async def draining() -> bool:
            return (await only(client.store)).state == "draining"

        await until(draining)
        free, used = await counted(client.store, "slots:free"), await counted(client.store, "slots:used")

        async def continued() -> bool:
            return await counted(client.store, "slots:used") > used

        await until(continued)
        assert await counted(client.store, "slots:free") == free
        gate.open("hello")
        await client.end(answer)
