from worker.turns.recent_events import LOST_SECONDS, MOST_BYTES, MOST_BYTES_OF_ALL, MOST_EVENTS, RecentEvents, share_of


def of(*events: bytes, at: float = 0.0, most_bytes: int = MOST_BYTES) -> RecentEvents:
    recent = RecentEvents(most_bytes)
    for event in events:
        recent.add(event, at)
    return recent


def test_of_an_answer_that_has_not_begun_there_is_nothing() -> None:
    assert (of().first, of().last, of().after(0)) == (1, 0, [])


def test_what_redis_has_lost_is_there_under_its_seqs() -> None:
    recent = of(b"a", b"b", b"c")
    assert (recent.first, recent.last) == (1, 3)
    assert recent.after(1) == [(2, b"b"), (3, b"c")]
    assert recent.after(3) == []


def test_an_event_is_there_for_as_long_as_redis_may_lose_it() -> None:
    recent = of(b"a", b"b", at=1.0)
    recent.add(b"c", 1.0 + LOST_SECONDS)
    assert recent.first == 1
    # It is forgotten a second or two later.
    recent.add(b"d", 2.0 + LOST_SECONDS)
    recent.add(b"e", 7.0 + LOST_SECONDS)
    assert (recent.after(0), recent.size) == ([(4, b"d"), (5, b"e")], 2)


def test_bytes_and_events_are_bounded_and_the_newest_are_there() -> None:
    recent = of(b"12345", b"6789", b"0", most_bytes=5)
    assert (recent.after(0), recent.size) == ([(2, b"6789"), (3, b"0")], 5)
    many = of(*[b""] * (MOST_EVENTS + 2))
    assert (many.first, many.last) == (3, MOST_EVENTS + 2)


def test_of_an_event_that_is_too_large_nothing_is_left() -> None:
    recent = of(b"a", b"too large", most_bytes=5)
    assert (recent.first, recent.last, recent.after(0), recent.size) == (3, 2, [], 0)
    recent.add(b"b", 0.0)
    assert recent.after(0) == [(3, b"b")]


def test_all_answers_together_are_bounded() -> None:
    assert share_of(1) == MOST_BYTES
    assert 10_000 * share_of(10_000) <= MOST_BYTES_OF_ALL
