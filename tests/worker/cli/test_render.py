"""What an operator is shown."""

from dataclasses import replace
from datetime import datetime

import pytest

from wire.ledger import AccountStatus
from worker.cli import render

NOW = 1_700_000_000.0
MS = int(NOW) * 1000
HOUR = 3600_000
READY = AccountStatus("alice", seen=MS)
COOLING = replace(READY, name="bob", state="cooling", reason="account.throttled", until=MS + 3 * HOUR + 690_000)


def local(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (59, "59 s"),
        (59.5, "1 min"),
        (60, "1 min"),
        (61, "2 min"),
        (3600, "1 h 0 min"),
        (11_520, "3 h 12 min"),
        (86_399, "1 d 0 h"),
        (100_000, "1 d 3 h"),
    ],
)
def test_a_time_span_is_rendered_for_people(seconds: float, text: str) -> None:
    assert render.format_span(seconds) == text


@pytest.mark.parametrize(
    ("standing", "text"),
    [
        (READY, "ready"),
        (COOLING, "cooling, returns in 3 h 12 min"),
        (replace(COOLING, until=MS - 1), "cooling, the next question tries it"),
        (replace(READY, state="quarantined"), "quarantined"),
        (replace(READY, state="dead"), "dead"),
        (replace(READY, paused=True), "paused"),
        (replace(COOLING, paused=True), "paused, and cooling, returns in 3 h 12 min"),
        (replace(READY, seen=MS - 61_000), "ready, but no worker has it"),
    ],
)
def test_a_state_is_a_phrase(standing: AccountStatus, text: str) -> None:
    assert render.state(standing, NOW) == text


def test_the_table_has_a_line_for_each_account() -> None:
    ready = replace(READY, turns_today=12, daily=200, in_flight=1, turns=8, expires=int(NOW) + 60)
    assert render.table([ready, replace(COOLING, failures=3, turns_today=7)], NOW).splitlines() == [
        "ACCOUNT  STATE                           REASON             TODAY      IN FLIGHT  FAILURES  COOKIE EXPIRES",
        "alice    ready                           -                  12 of 200  1 of 8     0         "
        + local(NOW + 60),
        "bob      cooling, returns in 3 h 12 min  account.throttled  7          0          3         -",
    ]
    assert render.table([], NOW) == "no account is known: no worker has reported one yet"


@pytest.mark.parametrize(
    ("state", "to_do"),
    [("ready", "nothing"), ("cooling", "nothing"), ("quarantined", "answer the challenge"), ("dead", "sign in again")],
)
def test_the_details_say_what_there_is_to_do(state: str, to_do: str) -> None:
    text = render.details(replace(READY, state=state), NOW).splitlines()  # type: ignore[arg-type]
    (line,) = [line for line in text if line.startswith("  to do ")]
    assert line.removeprefix("  to do").strip().startswith(to_do)


@pytest.mark.parametrize("reason", ["account.refused", "account.blocked", "upstream.gateway"])
def test_a_dead_server_asks_nothing_of_anybody(reason: str) -> None:
    text = render.details(replace(READY, state="dead", reason=reason), NOW)
    assert "nothing if its key and model are right" in text


def test_the_details_are_a_line_for_each_thing() -> None:
    status = replace(
        COOLING,
        paused=True,
        since=MS - HOUR,
        failures=2,
        failures_by_reason=(("account.throttled", 3), ("transport.closed", 1)),
        succeeded=MS - 2 * HOUR,
        weight=2.5,
    )
    assert render.details(status, NOW).splitlines() == [
        "bob",
        f"  state              paused, and cooling, returns in 3 h 12 min, since {local(NOW - 3600)}",
        "  reason             account.throttled",
        "  to do              `resume` it when it may be asked again",
        "  questions today    0",
        "  in flight          0",
        "  failures in a row  2",
        "  failures in all    account.throttled 3, transport.closed 1",
        f"  last success       {local(NOW - 7200)}",
        "  last failure       -",
        "  cookie expires     -",
        "  weight             2.5",
    ]


def test_json_has_the_same() -> None:
    status = replace(COOLING, since=MS, failures_by_reason=(("account.throttled", 3),), failures=1, turns=8)
    assert render.as_json(status, NOW) == {
        "account": "bob",
        "state": "cooling",
        "paused": False,
        "known_to_workers": True,
        "since": local(NOW),
        "reason": "account.throttled",
        "until": local(NOW + 3 * 3600 + 690),
        "turns_today": 0,
        "turns_a_day": None,
        "in_flight": 0,
        "in_flight_limit": 8,
        "failures_in_a_row": 1,
        "failures": {"account.throttled": 3},
        "last_success": None,
        "last_failure": None,
        "cookie_expires": None,
        "weight": 1.0,
    }
    assert render.as_json(replace(READY, until=MS), NOW)["until"] is None


def test_a_name_selects_its_pictures_too_but_not_the_other_way_round() -> None:
    both = [READY, replace(READY, name="alice/images"), replace(READY, name="alice2")]
    assert [status.name for status in render.select_statuses(both, "alice", "/images")] == ["alice", "alice/images"]
    assert [status.name for status in render.select_statuses(both, "alice/images", "/images")] == ["alice/images"]


def test_changes_are_reported_as_before_and_after() -> None:
    quarantined = replace(READY, state="quarantined")
    assert render.changes([quarantined], [READY, COOLING], NOW).splitlines() == [
        "alice: quarantined -> ready",
        "bob: - -> cooling, returns in 3 h 12 min",
    ]
