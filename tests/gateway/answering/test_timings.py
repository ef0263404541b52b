"""How a gateway's intervals and time limits relate to each other, and to the limits of others."""

import dataclasses

import pytest

from gateway.answering.timings import TIMINGS, Timings
from gateway.settings import GatewaySettings
from wire.reporter import SILENCE

# Seconds without a byte after which common proxies and load balancers cut a connection.
PROXY_IDLE = 60.0


def test_a_queued_job_survives_the_loss_of_one_renewal() -> None:
    assert 2 * (TIMINGS.renew_every + TIMINGS.away_pause) < GatewaySettings().follow_grace


def test_workers_are_looked_for_several_times_before_questions_are_refused() -> None:
    assert 3 * TIMINGS.worker_look_every < TIMINGS.worker_patience


def test_a_process_whose_report_is_lost_does_not_count_as_dead() -> None:
    assert 2 * TIMINGS.report_every < SILENCE


def test_a_console_sees_every_report() -> None:
    assert TIMINGS.console_poll_every <= TIMINGS.report_every


def test_the_queues_and_the_workers_limit_end_an_answer_before_the_gateways() -> None:
    """A queued job expires at the next tick, which is `away_pause` after the last one."""
    assert 2 * TIMINGS.away_pause < TIMINGS.answer_margin


@pytest.mark.parametrize(
    "silence", ["sse_ping_every", "socket_ping_every", "drop_in_first_event", "openai_first_event"]
)
def test_no_proxy_takes_an_open_stream_for_dead(silence: str) -> None:
    """Not even if one ping is late."""
    assert 2 * getattr(TIMINGS, silence) < PROXY_IDLE


def test_a_place_in_the_queue_is_first_read_early() -> None:
    assert TIMINGS.first_place_after < TIMINGS.place_every


@pytest.mark.parametrize("send_limit", ["last_send_limit", "console_send_limit"])
def test_a_client_that_does_not_read_does_not_prolong_a_drain(send_limit: str) -> None:
    assert getattr(TIMINGS, send_limit) < GatewaySettings().drain_timeout


def test_the_environment_changes_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in dataclasses.asdict(TIMINGS):
        monkeypatch.setenv(name.upper(), "99")
    assert Timings() == TIMINGS
