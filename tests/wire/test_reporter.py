"""What processes report of themselves: each count is added up once, and each arrival, departure or silence once."""

from collections import Counter
from typing import Any

import pytest

from tests.support.redis_client import redis_client
from tests.support.wire.scenario import ForgetfulStore, RepeatingStore
from wire import keys
from wire.audit_log import AuditLog
from wire.errors import StoreUnavailableError
from wire.ledger import PICTURES, AccountRecord, AccountStatus, Ledger
from wire.overview import Overview
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter
from wire.version import VERSION

pytestmark = pytest.mark.anyio


class Speaker:
    """A process, and what it counts."""

    def __init__(self, store: Store, name: str = "one") -> None:
        self.counts: Counter[str] = Counter()
        self.draining = False
        self.load = ProcessLoad(turns=3)
        self.reporter = Reporter(store, "gateway", name, lambda: self.load, lambda: self.counts, lambda: self.draining)


async def now_ms(store: Store) -> int:
    seconds, micros = await redis_client(store).time()
    return int(seconds) * 1000 + int(micros) // 1000


async def counted(store: Store) -> Counter[str]:
    """Return the counts of the last minutes."""
    minute = await now_ms(store) // 60_000
    found: Counter[str] = Counter()
    for counts in (await Overview(store).read_counts(range(minute - 2, minute + 1))).values():
        found.update({name: amount for name, amount in counts.items() if name not in ("at", "accounts", "ready")})
    return found


async def logged_states(store: Store) -> list[tuple[str, str]]:
    """(process, state) of the log's events, oldest first."""
    events = await AuditLog(store).read_latest(100)
    return [(event.fields["name"], event.fields["state"]) for event in reversed(events) if "state" in event.fields]


async def since(store: Store, name: str, seconds: float, heard: float = 0.0) -> None:
    """Make it look as if a process had spoken for so many seconds, and last so many seconds ago."""
    redis: Any = redis_client(store)
    _, _, number, state = (await redis.hget(keys.processes_key(), f"gateway:{name}")).split(b" ")
    now = await now_ms(store)
    entry = f"{now - int(heard * 1000)} {now - int(seconds * 1000)} {number.decode()} {state.decode()}"
    await redis.hset(keys.processes_key(), f"gateway:{name}", entry)


async def test_what_a_process_says_is_seen(store: Store) -> None:
    speaker = Speaker(store)
    await speaker.reporter.report()
    (seen,) = await Overview(store).read_processes()
    assert (seen.kind, seen.name, seen.state, seen.load) == ("gateway", "one", "up", ProcessLoad(VERSION, turns=3))
    assert abs(seen.last_seen - await now_ms(store)) < 5000


async def test_counts_are_added_up_over_all_processes(store: Store) -> None:
    first, second = Speaker(store), Speaker(store, "other")
    first.counts["done"] = 2
    await first.reporter.report()
    first.counts["done"], first.counts["failed:x"] = 5, 1
    second.counts["done"] = 10
    await first.reporter.report()
    await second.reporter.report()
    assert await counted(store) == {"done": 15, "failed:x": 1}


async def test_counts_are_kept_for_hours_and_not_for_ever(store: Store) -> None:
    speaker = Speaker(store)
    await speaker.reporter.report()
    ttl = await redis_client(store).ttl(keys.minute_key(await now_ms(store) // 60_000))
    assert 6 * 3600 < ttl < 7 * 3600


async def test_a_count_whose_confirmation_was_lost_is_added_once(store_url: str) -> None:
    store = ForgetfulStore(store_url)
    speaker = Speaker(store)
    speaker.counts["done"] = 3
    store.lose = "report"
    with pytest.raises(StoreUnavailableError):
        await speaker.reporter.report()
    speaker.counts["done"] = 4
    await speaker.reporter.report()
    await speaker.reporter.report()
    assert await counted(store) == {"done": 4}
    await store.close()


async def test_reports_that_arrive_twice_count_once(store_url: str) -> None:
    store = RepeatingStore(store_url)
    speaker = Speaker(store)
    speaker.counts["done"] = 3
    await speaker.reporter.report()
    await speaker.reporter.leave()
    assert await counted(store) == {"done": 3}
    assert await logged_states(store) == [("one", "up"), ("one", "gone")]
    await store.close()


async def test_coming_draining_and_leaving_is_reported_once_each(store: Store) -> None:
    speaker = Speaker(store)
    await speaker.reporter.report()
    await speaker.reporter.report()
    speaker.draining = True
    await speaker.reporter.report()
    assert [process.state for process in await Overview(store).read_processes()] == ["draining"]
    await speaker.reporter.report()
    await speaker.reporter.leave()
    await speaker.reporter.report()
    assert await Overview(store).read_processes() == []
    assert await logged_states(store) == [("one", "up"), ("one", "draining"), ("one", "gone")]


async def test_a_silent_process_is_dead_once_and_back_when_it_speaks(store: Store) -> None:
    lost, one, other = (Speaker(store, name) for name in ("lost", "one", "other"))
    for speaker in (lost, one, other):
        await speaker.reporter.report()
    await since(store, "lost", 100, heard=9)
    for name in ("one", "other"):
        await since(store, name, 100)
    await one.reporter.report()
    await other.reporter.report()
    assert {seen.name: seen.state for seen in await Overview(store).read_processes()}["lost"] == "dead"
    assert await logged_states(store) == [("lost", "up"), ("one", "up"), ("other", "up"), ("lost", "dead")]
    await lost.reporter.report()
    assert (await logged_states(store))[-1] == ("lost", "up")


async def test_whoever_was_silent_itself_says_nobody_is_dead(store: Store) -> None:
    one, other = Speaker(store), Speaker(store, "other")
    await one.reporter.report()
    await other.reporter.report()
    for name in ("one", "other"):
        await since(store, name, 100, heard=20)
    await one.reporter.report()
    assert await logged_states(store) == [("one", "up"), ("other", "up")]


async def test_the_dead_are_forgotten_after_a_while(store: Store) -> None:
    lost, one = Speaker(store, "lost"), Speaker(store)
    await lost.reporter.report()
    await one.reporter.report()
    await since(store, "lost", 2000, heard=1000)
    await since(store, "one", 100)
    await one.reporter.report()
    assert [seen.name for seen in await Overview(store).read_processes()] == ["one"]
    assert await redis_client(store).hlen(keys.facts_key()) == 1


async def test_accounts_are_counted_without_their_pictures(store: Store) -> None:
    ledger = Ledger(store)
    for name in ("a", "b", "a" + PICTURES):
        await ledger.announce(AccountRecord(name, "print"), AccountStatus(name))
    await ledger.execute_order("b", "pause")
    await Speaker(store).reporter.report()
    minute = await now_ms(store) // 60_000
    (counts,) = (await Overview(store).read_counts([minute - 1, minute])).values()
    assert (counts["accounts"], counts["ready"]) == (2, 1)
