"""Pauses that grow while something fails, and only then."""

from wire.redis.backoff import Backoff


def test_pauses_double_from_50_ms_to_a_second() -> None:
    backoff, now, pauses = Backoff(), 100.0, []
    for _ in range(8):
        backoff.record_failure(now)
        pauses.append(round(backoff.remaining(now), 3))
        now += backoff.remaining(now)
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_what_fails_together_counts_once() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.record_failure(100.0)
    assert round(backoff.remaining(100.0), 3) == 0.05


def test_after_a_quiet_time_the_first_pause_is_short_again() -> None:
    backoff = Backoff()
    for now in (100.0, 100.05, 100.15, 110.0):
        backoff.record_failure(now)
    assert round(backoff.remaining(110.0), 3) == 0.05


def test_news_end_a_pause() -> None:
    backoff = Backoff()
    backoff.record_failure(100.0)
    backoff.clear()
    assert backoff.remaining(100.0) == 0.0
