"""What a console is shown, from what there is."""

import hashlib
import re
from typing import Any

from gateway.console.snapshot import build_snapshot, show_client
from telemetry.answer_digest import digest_answer
from wire.ledger import PICTURES, AccountStatus
from wire.model_table import ModelTable, Offer, OfferedAccount, build_table
from wire.overview import Job, Process, Queue
from wire.reporter import ProcessLoad

NOW = 1_000_000_000
QUEUE = Queue(2, NOW - 5000, 7, NOW, ("s0-1",), 2, "key:alice", NOW - 4000, 3)


def shown(
    *standings: AccountStatus,
    processes: tuple[Process, ...] = (),
    jobs: tuple[Job, ...] = (),
    models: ModelTable | None = None,
) -> dict[str, Any]:
    return build_snapshot(standings, processes, QUEUE, jobs, 0.426, models or ModelTable())


def test_how_full_redis_is_shows_in_percent() -> None:
    assert shown()["store"] == {"percent": 43, "risks": []}


def test_what_its_servers_lack_for_a_safe_fail_over_is_shown() -> None:
    state = build_snapshot((), (), QUEUE, (), 0.0, ModelTable(), ["redis-1:6379: it has no replica"])
    assert state["store"]["risks"] == ["redis-1:6379: it has no replica"]


def test_an_account_and_its_pictures_are_one_row() -> None:
    alice = AccountStatus("alice", "cooling", until=NOW + 1, reason="account.throttled", turns=8, daily=200, seen=NOW)
    drawn = AccountStatus("alice" + PICTURES, seen=NOW)
    (row,) = shown(alice, drawn)["accounts"]
    assert (row["name"], row["state"], row["until"], row["bound"], row["daily"]) == (
        "alice",
        "cooling",
        NOW + 1,
        8,
        200,
    )
    assert (row["pictures"]["name"], row["pictures"]["state"]) == ("alice/images", "ready")


def test_an_account_has_its_models_and_whether_workers_agree_about_it() -> None:
    offer = Offer(("small", "large"), lists=True)
    many = tuple(f"m{number:03}" for number in range(120))
    table = build_table(
        [OfferedAccount("gpu", "openai", offer, listed=many), OfferedAccount("old", "openai", offer, disputed=True)]
    )
    state = shown(*(AccountStatus(name, seen=NOW) for name in ("alice", "gpu", "old")), models=table)
    assert state["disputed"]
    assert [row["disputed"] for row in state["accounts"]] == [False, False, True]
    assert [row["modelCount"] for row in state["accounts"]] == [0, 122, 2]
    assert [row["models"] for row in state["accounts"]] == [[], ["large", *many[:99]], ["large", "small"]]
    assert not shown(AccountStatus("gone", seen=NOW))["disputed"]


def test_files_that_differ_only_in_aliases_are_disputed_too() -> None:
    one, two = Offer(("a",), aliases={"best": ("a",)}), Offer(("b",))
    table = build_table([OfferedAccount("a", "openai", one, version=2), OfferedAccount("b", "openai", two, version=1)])
    state = shown(AccountStatus("a", seen=NOW), AccountStatus("b", seen=NOW), models=table)
    assert (state["disputed"], [row["disputed"] for row in state["accounts"]]) == (True, [False, False])


def test_an_account_without_pictures_and_pictures_without_an_account_are_shown_too() -> None:
    rows = shown(AccountStatus("alice", seen=NOW), AccountStatus("bob" + PICTURES, seen=NOW))["accounts"]
    assert [(row["name"], row["pictures"]) for row in rows] == [("alice", None), ("bob/images", None)]


def test_an_account_that_no_worker_reported_for_a_minute_is_not_known() -> None:
    rows = shown(AccountStatus("here", seen=NOW - 60_000), AccountStatus("gone", seen=NOW - 60_001))["accounts"]
    assert [row["known"] for row in rows] == [True, False]


def test_only_a_cooling_account_reports_when_it_returns() -> None:
    (row,) = shown(AccountStatus("a", "quarantined", until=NOW + 5, expires=3, seen=NOW))["accounts"]
    assert (row["until"], row["expires"]) == (0, 3000)


def test_a_heartbeat_has_an_age_only_when_it_is_late() -> None:
    heard = (NOW, NOW - 4999, NOW - 5000, NOW - 9000, 0)
    processes = tuple(Process("worker", str(at), "up", at, ProcessLoad(slots=4, used=1)) for at in heard)
    snapshot = shown(processes=(*processes, Process("gateway", "g", "draining", NOW, ProcessLoad(turns=3, sockets=2))))
    assert [worker["silent"] for worker in snapshot["workers"]] == [0, 0, 5, 9, 0]
    assert snapshot["gateways"] == [
        {"name": "g", "state": "draining", "version": "", "silent": 0, "turns": 3, "sockets": 2}
    ]


def test_what_runs_is_reported_with_its_worker_and_the_oldest_first() -> None:
    processes = (
        Process("worker", "w1", "up", NOW, ProcessLoad(running=(("s0-2", "image"),))),
        Process("worker", "w2", "dead", NOW, ProcessLoad(running=(("s0-1", "chat"),))),
    )
    jobs = (Job("s0-2", "SENT", NOW - 1, 0), Job("s0-1", "QUEUED", NOW - 9, 0))
    assert shown(processes=processes, jobs=jobs)["answers"] == [
        {"id": digest_answer("s0-1"), "state": "QUEUED", "accepted": NOW - 9, "worker": "", "kind": "", "seq": 0},
        {"id": digest_answer("s0-2"), "state": "SENT", "accepted": NOW - 1, "worker": "w1", "kind": "image", "seq": 0},
    ]


def test_the_queue_is_reported_and_who_waits_longest_by_the_name_of_its_key() -> None:
    assert shown()["queue"] == {
        "length": 2,
        "oldest": NOW - 5000,
        "wait": 7,
        "clients": 2,
        "longest": "alice",
        "since": NOW - 4000,
        "free": 3,
    }


def test_an_address_is_shown_as_a_digest_that_says_nothing_of_it() -> None:
    one, other = show_client("address:192.0.2.7"), show_client("address:192.0.2.8")
    assert one == show_client("address:192.0.2.7") != other
    assert re.fullmatch("#[0-9a-f]{8}", one)
    assert "192.0.2" not in one
    assert one[1:] != hashlib.blake2s(b"address:192.0.2.7", digest_size=4).hexdigest()


def test_a_client_without_a_name_has_none() -> None:
    assert show_client("") == ""
