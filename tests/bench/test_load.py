"""When the window opens and closes, and what counts in it."""

from bench.load import EBBING, FULL, Load, Plan

PLAN = Plan([1], 2, 3, 20.0, 0.1, 5.0)


def load() -> tuple[Load, list[str]]:
    told: list[str] = []
    return Load(PLAN, told.append), told


def test_the_window_opens_with_the_last_first_delta_and_closes_with_the_first_end() -> None:
    found, told = load()
    found.arrived(10, [b"1"], first=True)
    found.arrived(10, [b"1"], first=False)
    assert (told, found.window()) == ([], None)
    found.arrived(20, [b"4"], first=True)
    assert told == [FULL]
    found.arrived(30, [b"9", b"11"], first=False)
    found.left(opened=True)
    assert told == [FULL, EBBING]
    found.arrived(40, [b"1"], first=False)
    found.left(opened=True)
    window = found.window()
    assert window is not None
    assert (window.streams, window.deltas, window.events) == (2, 3, 2)
    # Those before and after it too.
    assert found.deltas == 6
    assert window.delay_ms is not None


def test_a_stream_that_never_began_does_not_keep_the_window_shut() -> None:
    found, told = load()
    found.arrived(10, [b"1"], first=True)
    found.left(opened=False)
    assert told == [FULL]


def test_without_a_stream_that_began_there_is_no_window() -> None:
    found, told = load()
    found.left(opened=False)
    found.left(opened=False)
    assert (told, found.window()) == ([], None)
