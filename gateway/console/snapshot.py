"""Builds the state of the system that consoles show. Pure.

Only the fields that are named here are sent: no cookie, key, proxy, question, token, answer's id or client's address.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from telemetry.answer_digest import digest_answer
from wire.ledger import PICTURES, AccountStatus
from wire.model_table import ModelTable
from wire.overview import Job, Process, Queue

# An account is unknown to the workers when none of them has reported it for this long, in ms.
_UNSEEN = 60_000
# The age of a heartbeat is shown from here on, in ms.
_FRESH = 5_000
# How many of an account's models are sent by name.
_MOST_MODELS = 100
# What the digests of addresses are made with: nobody finds the address by trying all, and a new start has others.
_SALT = secrets.token_bytes(16)
_KEY = "key:"
_NO_OFFER: Mapping[str, Any] = {"models": [], "modelCount": 0, "disputed": False}


def build_snapshot(
    accounts: Sequence[AccountStatus],
    processes: Iterable[Process],
    queue: Queue,
    jobs: Iterable[Job],
    store_share: float,
    models: ModelTable,
    risks: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the state, for JSON. Times are in Unix ms of Redis's clock, ages in s.

    `store_share` says how full Redis is, up to 1, and `risks` what its servers lack for a safe fail-over.
    """
    listed = list(processes)
    return {
        "accounts": _account_rows(accounts, queue.now, _offers(models)),
        "disputed": models.is_disputed,
        "workers": [_worker_row(process, queue.now) for process in listed if process.kind == "worker"],
        "gateways": [_gateway_row(process, queue.now) for process in listed if process.kind == "gateway"],
        "queue": _queue_row(queue),
        "store": {"percent": round(100 * store_share), "risks": list(risks)},
        "answers": _answer_rows(jobs, listed),
    }


def _queue_row(queue: Queue) -> dict[str, Any]:
    return {
        "length": queue.length,
        "oldest": queue.oldest_since,
        "wait": queue.wait,
        "clients": queue.clients,
        "longest": show_client(queue.longest_client),
        "since": queue.longest_since,
        "free": queue.free,
    }


def show_client(client: str) -> str:
    """Return the name of a client's API key, or the digest of an address; '' for a client without a name."""
    if client.startswith(_KEY) or not client:
        return client.removeprefix(_KEY)
    return "#" + hashlib.blake2s(client.encode(), key=_SALT, digest_size=4).hexdigest()


def _offers(models: ModelTable) -> dict[str, dict[str, Any]]:
    """Return the models of each account, and whether workers have different files about it."""
    return {
        account.name: {
            "models": sorted(account.models)[:_MOST_MODELS],
            "modelCount": len(account.models),
            "disputed": account.present and account.disputed,
        }
        for account in models.accounts
    }


def _account_rows(
    accounts: Sequence[AccountStatus], now: int, offers: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return a row for each account, which contains its models and the row of its images."""
    by_name = {account.name: account for account in accounts}
    rows = []
    for account in accounts:
        chat = account.name.removesuffix(PICTURES)
        if chat != account.name and chat in by_name:
            continue
        images = by_name.get(account.name + PICTURES)
        offer = offers.get(account.name, _NO_OFFER)
        rows.append({**_account_row(account, now), **offer, "pictures": images and _account_row(images, now)})
    return rows


def _account_row(account: AccountStatus, now: int) -> dict[str, Any]:
    return {
        "name": account.name,
        "provider": account.provider,
        "state": account.state,
        "paused": account.paused,
        "reason": account.reason,
        "until": account.until if account.state == "cooling" else 0,
        "since": account.since,
        "today": account.turns_today,
        "daily": account.daily,
        "flying": account.in_flight,
        "bound": account.turns,
        "failures": account.failures,
        "expires": account.expires * 1000,
        "weight": account.weight,
        "known": now - account.seen <= _UNSEEN,
    }


def _process_row(process: Process, now: int) -> dict[str, Any]:
    age = now - process.last_seen
    return {
        "name": process.name,
        "state": process.state,
        "version": process.load.version,
        "silent": age // 1000 if age >= _FRESH and process.last_seen else 0,
    }


def _worker_row(process: Process, now: int) -> dict[str, Any]:
    return _process_row(process, now) | {"slots": process.load.slots, "used": process.load.used}


def _gateway_row(process: Process, now: int) -> dict[str, Any]:
    return _process_row(process, now) | {"turns": process.load.turns, "sockets": process.load.sockets}


def _answer_rows(jobs: Iterable[Job], processes: Iterable[Process]) -> list[dict[str, Any]]:
    """Return a row for each answer, the oldest first."""
    running: Mapping[str, tuple[str, str]] = {
        answer: (process.name, kind)
        for process in processes
        if process.state != "dead"
        for answer, kind in process.load.running
    }
    rows = []
    for job in sorted(jobs, key=lambda job: job.accepted):
        worker, kind = running.get(job.answer, ("", ""))
        rows.append(
            {
                "id": digest_answer(job.answer),
                "state": job.state,
                "accepted": job.accepted,
                "worker": worker,
                "kind": kind,
                "seq": job.seq,
            }
        )
    return rows
