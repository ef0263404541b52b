"""What an operator is shown of the accounts: as a table, in sentences, and as JSON. `now` is in Unix seconds."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from wire.ledger import AccountStatus

# For how long the workers that have an account may not have said so, in seconds.
_SILENCE = 60.0
_NOTHING = "-"
_HEAD = ("ACCOUNT", "STATE", "REASON", "TODAY", "IN FLIGHT", "FAILURES", "COOKIE EXPIRES")
_ADVICE = {
    "ready": "nothing",
    "cooling": "nothing: it returns by itself",
    "quarantined": "answer the challenge in a browser, then `release` it, or `add` its new cookies under this name",
    "dead": "sign in again in a browser, and `add` its new cookies under this name",
    "paused": "`resume` it when it may be asked again",
}


def table(standings: Iterable[AccountStatus], now: float) -> str:
    """A line for each account."""
    rows = [_HEAD, *(_row(one, now) for one in standings)]
    if len(rows) == 1:
        return "no account is known: no worker has told of one yet"
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(one: AccountStatus, now: float) -> tuple[str, ...]:
    return (
        one.name,
        state(one, now),
        one.reason or _NOTHING,
        _of(one.turns_today, one.daily),
        _of(one.in_flight, one.turns),
        str(one.failures),
        moment(one.expires),
    )


def details(one: AccountStatus, now: float) -> str:
    """All that is known of an account, a line for each thing."""
    by_reason = ", ".join(f"{reason} {count}" for reason, count in one.failures_by_reason)
    lines = {
        "state": f"{state(one, now)}, since {moment(one.since / 1000)}",
        "reason": one.reason or _NOTHING,
        "to do": _ADVICE[one.display_state],
        "questions today": _of(one.turns_today, one.daily),
        "in flight": _of(one.in_flight, one.turns),
        "failures in a row": str(one.failures),
        "failures in all": by_reason or "none",
        "last success": moment(one.succeeded / 1000),
        "last failure": moment(one.failed / 1000),
        "cookie expires": moment(one.expires),
        "weight": f"{one.weight:g}",
    }
    width = max(map(len, lines))
    return "\n".join([one.name, *(f"  {name.ljust(width)}  {value}" for name, value in lines.items())])


def as_json(one: AccountStatus, now: float) -> dict[str, Any]:
    """The same for programs. Times are local ISO ones; null stands for never, unknown, and without a limit."""
    return {
        "account": one.name,
        "state": one.state,
        "paused": one.paused,
        "known_to_workers": _known(one, now),
        "since": _iso(one.since / 1000),
        "reason": one.reason or None,
        "until": _iso(one.until / 1000) if one.state == "cooling" else None,
        "turns_today": one.turns_today,
        "turns_a_day": one.daily or None,
        "in_flight": one.in_flight,
        "in_flight_limit": one.turns or None,
        "failures_in_a_row": one.failures,
        "failures": dict(one.failures_by_reason),
        "last_success": _iso(one.succeeded / 1000),
        "last_failure": _iso(one.failed / 1000),
        "cookie_expires": _iso(one.expires),
        "weight": one.weight,
    }


def state(one: AccountStatus, now: float) -> str:
    """How an account stands, and when it returns."""
    told = one.state if one.state != "cooling" else f"cooling, {_return(one.until / 1000 - now)}"
    if one.paused:
        told = "paused" if one.state == "ready" else f"paused, and {told}"
    return told if _known(one, now) else f"{told}, but no worker has it"


def changes(before: Iterable[AccountStatus], after: Sequence[AccountStatus], now: float) -> str:
    """What became of accounts, a line for each."""
    stood = {one.name: state(one, now) for one in before}
    return "\n".join(f"{one.name}: {stood.get(one.name, _NOTHING)} -> {state(one, now)}" for one in after)


def _return(seconds: float) -> str:
    return f"returns in {span(seconds)}" if seconds > 0 else "the next question tries it"


def _known(one: AccountStatus, now: float) -> bool:
    return now - one.seen / 1000 <= _SILENCE


def span(seconds: float) -> str:
    """A time span for people, rounded up."""
    if seconds <= 59:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def moment(seconds: float) -> str:
    """A local time, or a dash for never."""
    return _iso(seconds) or _NOTHING


def _iso(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds") if seconds else None


def _of(count: int, limit: int) -> str:
    return f"{count} of {limit}" if limit else str(count)


def entries(standings: Sequence[AccountStatus], name: str, suffix: str) -> list[AccountStatus]:
    """What is known under that name: for chat, and with `suffix` for pictures."""
    return [one for one in standings if one.name in (name, name + suffix)]
