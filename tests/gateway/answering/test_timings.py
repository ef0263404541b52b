"""The intervals and time limits with which a gateway runs; tests pass shorter ones."""

import dataclasses

import pytest

from gateway.answering.timings import TIMINGS, Timings


def test_a_gateway_runs_with_these() -> None:
    assert dataclasses.asdict(TIMINGS) == {
        "body_limit": 30.0,
        "answer_margin": 5.0,
        "renew_every": 5.0,
        "away_pause": 0.5,
        "worker_patience": 10.0,
        "worker_look_every": 1.0,
        "first_place_after": 0.3,
        "place_every": 1.0,
        "drop_in_first_event": 1.0,
        "openai_first_event": 5.0,
        "sse_ping_every": 15.0,
        "socket_ping_every": 20.0,
        "last_send_limit": 5.0,
        "console_poll_every": 2.0,
        "console_send_limit": 25.0,
        "report_every": 2.0,
    }


def test_the_environment_changes_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in dataclasses.asdict(TIMINGS):
        monkeypatch.setenv(name.upper(), "99")
    assert Timings() == TIMINGS
