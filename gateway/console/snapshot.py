"""What a console is shown of the system now. Pure.

Only what is named here goes out: no cookie, key, proxy, question or token.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wire.ledger import PICTURES, AccountStatus
from wire.overview import Job, Process, Queue

# For how long the workers that have an account may not have said so, in ms.
_UNSEEN = 60_000
# Below this a heartbeat is as it should be, and its age no news, in ms.
_FRESH = 5_000


def build_snapshot(
    standings: Sequence[AccountStatus], processes: Iterable[Process], queue: Queue, jobs: Iterable[Job]
) -> dict[str, Any]:
    """The whole of it, for JSON. Times are in Unix ms of Redis's clock, ages in s."""
    found = list(processes)
    return {
        "accounts": _accounts(standings, queue.now),
        "workers": [_worker(one, queue.now) for one in found if one.kind == "worker"],
        "gateways": [_gateway(one, queue.now) for one in found if one.kind == "gateway"],
        "queue": {"length": queue.length, "oldest": queue.oldest_since, "wait": queue.wait},
        "answers": _answers(jobs, found),
    }


def _accounts(standings: Sequence[AccountStatus], now: int) -> list[dict[str, Any]]:
    """A row for each account, with its pictures' inside."""
    by_name = {one.name: one for one in standings}
    rows = []
    for one in standings:
        chat = one.name.removesuffix(PICTURES)
        if chat != one.name and chat in by_name:
            continue
        pictures = by_name.get(one.name + PICTURES)
        rows.append(_account(one, now) | {"pictures": pictures and _account(pictures, now)})
    return rows


def _account(one: AccountStatus, now: int) -> dict[str, Any]:
    return {
        "name": one.name,
        "provider": one.provider,
        "state": one.state,
        "paused": one.paused,
        "reason": one.reason,
        "until": one.until if one.state == "cooling" else 0,
        "since": one.since,
        "today": one.turns_today,
        "daily": one.daily,
        "flying": one.in_flight,
        "bound": one.turns,
        "failures": one.failures,
        "expires": one.expires * 1000,
        "weight": one.weight,
        "known": now - one.seen <= _UNSEEN,
    }


def _process(one: Process, now: int) -> dict[str, Any]:
    silent = now - one.last_seen
    return {
        "name": one.name,
        "state": one.state,
        "version": one.load.version,
        "silent": silent // 1000 if silent >= _FRESH and one.last_seen else 0,
    }


def _worker(one: Process, now: int) -> dict[str, Any]:
    return _process(one, now) | {"slots": one.load.slots, "used": one.load.used}


def _gateway(one: Process, now: int) -> dict[str, Any]:
    return _process(one, now) | {"turns": one.load.turns, "sockets": one.load.sockets}


def _answers(jobs: Iterable[Job], processes: Iterable[Process]) -> list[dict[str, Any]]:
    """Oldest first."""
    runs: Mapping[str, tuple[str, str]] = {
        answer: (one.name, kind) for one in processes if one.state != "dead" for answer, kind in one.load.running
    }
    rows = []
    for job in sorted(jobs, key=lambda job: job.accepted):
        worker, kind = runs.get(job.answer, ("", ""))
        rows.append(
            {
                "id": job.answer,
                "state": job.state,
                "accepted": job.accepted,
                "worker": worker,
                "kind": kind,
                "seq": job.seq,
            }
        )
    return rows
