"""The log of events: newest first, short, and each change of an account once."""

from typing import Any

import pytest

from tests.support.redis_client import redis_client
from tests.support.wire.scenario import RepeatingStore
from wire import keys
from wire.audit_log import AuditLog
from wire.ledger import AccountRecord, AccountSlot, AccountStatus, Ledger
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


async def events(store: Store) -> list[dict[str, str]]:
    """Oldest first."""
    return [dict(event.fields) for event in reversed(await AuditLog(store).read_latest(100))]


async def test_the_newest_come_first_and_only_those_after_a_known_one(store: Store) -> None:
    journal = AuditLog(store)
    for name in ("a", "b", "c"):
        await journal.record("stop", name=name, by="olivia")
    events = await journal.read_latest(2)
    assert [event.fields["name"] for event in events] == ["c", "b"]
    assert events[0].fields == {"kind": "stop", "name": "c", "by": "olivia"}
    assert [event.fields["name"] for event in await journal.read_latest(10, after=events[1].id)] == ["c"]
    assert await journal.read_latest(10, after=events[0].id) == []


async def test_it_stays_short(store: Store) -> None:
    redis: Any = redis_client(store)
    async with redis.pipeline(transaction=False) as pipe:
        for number in range(1200):
            pipe.xadd(keys.events_key(), {"kind": "old", "name": str(number)})
        await pipe.execute()
    await AuditLog(store).record("stop", name="last")
    assert 500 <= await redis.xlen(keys.events_key()) < 700
    assert (await AuditLog(store).read_latest(1))[0].fields["name"] == "last"


@pytest.mark.parametrize("kind", [Store, RepeatingStore])
async def test_each_change_of_an_account_is_reported_once(store_url: str, kind: type[Store]) -> None:
    store = kind(store_url)
    ledger, slot = Ledger(store), AccountSlot("answer", 1, "w")
    await ledger.announce(AccountRecord("a", "print"), AccountStatus("a"))
    await ledger.announce(AccountRecord("a", "print"), AccountStatus("a"))
    await ledger.reserve(slot, {"a": 0}, 60)
    await ledger.record("a", slot, "print", "cooling", "account.throttled", sent=True, pause=60)
    await ledger.execute_order("a", "release", by="olivia")
    await ledger.reserve(slot, {"a": 0}, 60)
    await ledger.record("a", slot, "print", "ok", sent=True, pause=0)
    await ledger.announce(AccountRecord("a", "another"), AccountStatus("a"))
    events_logged = await events(store)
    assert [(event["kind"], event["before"], event["state"]) for event in events_logged] == [
        ("account", "", "ready"),
        ("account", "ready", "cooling"),
        ("order", "cooling", "cooling"),
        ("account", "cooling", "ready"),
        ("cookie", "ready", "ready"),
    ]
    assert events_logged[1]["reason"] == "account.throttled"
    assert int(events_logged[1]["until"]) > 0
    assert (events_logged[2]["order"], events_logged[2]["by"]) == ("release", "olivia")
    await store.close()


@pytest.mark.parametrize("kind", [Store, RepeatingStore])
async def test_orders_and_exports_are_reported_with_who_gave_them(store_url: str, kind: type[Store]) -> None:
    store = kind(store_url)
    ledger = Ledger(store)
    await ledger.announce(AccountRecord("a", "print"), AccountStatus("a"))
    await ledger.execute_order("a", "pause", by="olivia")
    await ledger.execute_order("a", "pause", by="pete")
    await ledger.execute_order("a", "resume")
    await ledger.submit_export("b", b"planted-secret", by="olivia")
    orders = (await events(store))[1:]
    assert [(event.get("order", ""), event.get("state", ""), event["by"]) for event in orders] == [
        ("pause", "paused", "olivia"),
        ("resume", "ready", ""),
        ("", "", "olivia"),
    ]
    assert orders[-1] == {"kind": "export", "name": "b", "by": "olivia"}
    await store.close()


async def test_what_redis_had_forgotten_is_no_event(store: Store) -> None:
    await Ledger(store).announce(AccountRecord("a", "print"), AccountStatus("a", state="cooling", until=1, since=5))
    assert await events(store) == []
