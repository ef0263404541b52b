"""Render accounts as a table, as text and as JSON. `now` is in Unix seconds."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from wire.ledger import AccountStatus
from wire.reasons import Reason

# Seconds without a report after which no worker counts as having an account.
_REPORT_LIMIT = 60.0
_DASH = "-"
_HEAD = ("ACCOUNT", "STATE", "REASON", "TODAY", "IN FLIGHT", "FAILURES", "COOKIE EXPIRES")
_ADVICE = {
    "ready": "nothing",
    "cooling": "nothing: it returns by itself",
    "quarantined": "answer the challenge in a browser, then `release` it, or `add` its new cookies under this name",
    "dead": "sign in again in a browser, and `add` its new cookies under this name",
    "dead server": "nothing if its key and model are right: a turn tries it now and then, and it returns by itself",
    "paused": "`resume` it when it may be asked again",
}


def table(statuses: Iterable[AccountStatus], now: float) -> str:
    """Render one line for each account."""
    rows = [_HEAD, *(_row(status, now) for status in statuses)]
    if len(rows) == 1:
        return "no account is known: no worker has reported one yet"
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(status: AccountStatus, now: float) -> tuple[str, ...]:
    return (
        status.name,
        state(status, now),
        status.reason or _DASH,
        _count(status.turns_today, status.daily),
        _count(status.in_flight, status.turns),
        str(status.failures),
        format_time(status.expires),
    )


def _situation(status: AccountStatus) -> str:
    """Return the account's state, where a dead server is not a dead sign-in: only a server gets such refusals."""
    server = status.reason in (Reason.ACCOUNT_REFUSED, Reason.ACCOUNT_BLOCKED) or status.reason.startswith("upstream.")
    return "dead server" if status.display_state == "dead" and server else status.display_state


def details(status: AccountStatus, now: float) -> str:
    """Render the details of an account, one a line."""
    by_reason = ", ".join(f"{reason} {count}" for reason, count in status.failures_by_reason)
    lines = {
        "state": f"{state(status, now)}, since {format_time(status.since / 1000)}",
        "reason": status.reason or _DASH,
        "to do": _ADVICE[_situation(status)],
        "questions today": _count(status.turns_today, status.daily),
        "in flight": _count(status.in_flight, status.turns),
        "failures in a row": str(status.failures),
        "failures in all": by_reason or "none",
        "last success": format_time(status.succeeded / 1000),
        "last failure": format_time(status.failed / 1000),
        "cookie expires": format_time(status.expires),
        "weight": f"{status.weight:g}",
    }
    width = max(map(len, lines))
    return "\n".join([status.name, *(f"  {name.ljust(width)}  {value}" for name, value in lines.items())])


def as_json(status: AccountStatus, now: float) -> dict[str, Any]:
    """Return an account's details for programs. Times are local ISO 8601; null means never, unknown or unlimited."""
    return {
        "account": status.name,
        "state": status.state,
        "paused": status.paused,
        "known_to_workers": _is_known(status, now),
        "since": _iso(status.since / 1000),
        "reason": status.reason or None,
        "until": _iso(status.until / 1000) if status.state == "cooling" else None,
        "turns_today": status.turns_today,
        "turns_a_day": status.daily or None,
        "in_flight": status.in_flight,
        "in_flight_limit": status.turns or None,
        "failures_in_a_row": status.failures,
        "failures": dict(status.failures_by_reason),
        "last_success": _iso(status.succeeded / 1000),
        "last_failure": _iso(status.failed / 1000),
        "cookie_expires": _iso(status.expires),
        "weight": status.weight,
    }


def state(status: AccountStatus, now: float) -> str:
    """Describe an account's state, and when it returns."""
    text = status.state if status.state != "cooling" else f"cooling, {_describe_return(status.until / 1000 - now)}"
    if status.paused:
        text = "paused" if status.state == "ready" else f"paused, and {text}"
    return text if _is_known(status, now) else f"{text}, but no worker has it"


def changes(before: Iterable[AccountStatus], after: Sequence[AccountStatus], now: float) -> str:
    """Render the states before and after a change, one line for each account."""
    states = {status.name: state(status, now) for status in before}
    return "\n".join(f"{status.name}: {states.get(status.name, _DASH)} -> {state(status, now)}" for status in after)


def _describe_return(seconds: float) -> str:
    return f"returns in {format_span(seconds)}" if seconds > 0 else "the next question tries it"


def _is_known(status: AccountStatus, now: float) -> bool:
    return now - status.seen / 1000 <= _REPORT_LIMIT


def format_span(seconds: float) -> str:
    """Format a time span, rounded up."""
    if seconds <= 59:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def format_time(seconds: float) -> str:
    """Format a local time; a dash for 0, which means never."""
    return _iso(seconds) or _DASH


def _iso(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds") if seconds else None


def _count(count: int, limit: int) -> str:
    return f"{count} of {limit}" if limit else str(count)


def select_statuses(statuses: Sequence[AccountStatus], name: str, suffix: str) -> list[AccountStatus]:
    """Return an account's statuses: for chat, and under the name with `suffix` for images."""
    return [status for status in statuses if status.name in (name, name + suffix)]
