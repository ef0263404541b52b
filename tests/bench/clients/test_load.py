"""When the window opens and closes, and what counts in it."""

from bench.clients.load import EBBING, FULL, LoadPlan, LoadRecorder

PLAN = LoadPlan([1], 2, 3, 20.0, 0.1, 5.0)


def load() -> tuple[LoadRecorder, list[str]]:
    lines: list[str] = []
    return LoadRecorder(PLAN, lines.append), lines


def test_the_window_opens_with_the_last_first_delta_and_closes_with_the_first_end() -> None:
    recorder, lines = load()
    recorder.record_event(10, [b"1"], first=True)
    recorder.record_event(10, [b"1"], first=False)
    assert (lines, recorder.window()) == ([], None)
    recorder.record_event(20, [b"4"], first=True)
    assert lines == [FULL]
    recorder.record_event(30, [b"9", b"11"], first=False)
    recorder.record_end(opened=True)
    assert lines == [FULL, EBBING]
    recorder.record_event(40, [b"1"], first=False)
    recorder.record_end(opened=True)
    window = recorder.window()
    assert window is not None
    assert (window.streams, window.deltas, window.events) == (2, 3, 2)
    # Those before and after it too.
    assert recorder.deltas == 6
    assert window.delay_ms is not None


def test_a_stream_that_never_began_does_not_keep_the_window_shut() -> None:
    recorder, lines = load()
    recorder.record_event(10, [b"1"], first=True)
    recorder.record_end(opened=False)
    assert lines == [FULL]


def test_without_a_stream_that_began_there_is_no_window() -> None:
    recorder, lines = load()
    recorder.record_end(opened=False)
    recorder.record_end(opened=False)
    assert (lines, recorder.window()) == ([], None)
