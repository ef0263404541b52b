"""Answers that go wrong once they were begun, as steps."""

from collections.abc import Iterator

from emulator import frames
from emulator.openai import plays, refusals
from emulator.openai.turn import Close, End, Failure, Final, Raw, Reset, Silence, Step, Turn

TRUNCATED = "truncated"


def half(turn: Turn) -> Iterator[Step]:
    """An ordinary turn up to the middle of its text."""
    yield from plays.opening(turn)
    yield from plays.written(turn, plays.halves(turn)[1])


def full(turn: Turn) -> Iterator[Step]:
    """An ordinary turn up to the end of its text."""
    yield from plays.opening(turn)
    yield from plays.written(turn, turn.pieces(turn.compose()))


def silence(_turn: Turn) -> Iterator[Step]:
    yield Silence()


def silence_first(turn: Turn) -> Iterator[Step]:
    yield turn.delta(role="assistant", content="")
    yield Silence()


def silence_mid(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Silence()


def silence_late(turn: Turn) -> Iterator[Step]:
    yield from full(turn)
    yield Silence()


def close_before(_turn: Turn) -> Iterator[Step]:
    yield Close()


def close_mid(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Close()


def close_late(turn: Turn) -> Iterator[Step]:
    yield from full(turn)
    yield Close()


def reset_before(_turn: Turn) -> Iterator[Step]:
    yield Reset()


def reset_mid(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Reset()


def no_finish(turn: Turn) -> Iterator[Step]:
    """Half the text, and HTTP says that this was all."""
    yield from half(turn)
    yield End(TRUNCATED)


def no_done(turn: Turn) -> Iterator[Step]:
    """All the text and the reason, but no [DONE]."""
    yield from full(turn)
    yield turn.finish("stop")
    yield End(TRUNCATED)


def no_reason(turn: Turn) -> Iterator[Step]:
    """Half the text and [DONE], but no reason."""
    yield from half(turn)
    yield Final(TRUNCATED)


def internal_after_text(turn: Turn) -> Iterator[Step]:
    yield from full(turn)
    yield Failure(refusals.INTERNAL, "InternalError")


def throttled_after_text(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Failure(refusals.TOO_MANY, "Throttled")


def error_first(_turn: Turn) -> Iterator[Step]:
    """Status 200, and the first event is an error."""
    yield Failure(refusals.INTERNAL, "InternalError")


def error_mid(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Failure(refusals.INTERNAL, "InternalError")


def error_done(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Failure(refusals.INTERNAL, "InternalError", done=True)


def bad_json(turn: Turn) -> Iterator[Step]:
    """One event is cut off in its middle, and with it a piece of the text; the rest comes as if nothing was."""
    answer, first, second = plays.halves(turn)
    yield from plays.opening(turn)
    yield from plays.written(turn, first)
    lost, second = "".join(second[:1]), second[1:]
    event = frames.dump(turn.piece(lost).body)
    yield Raw(f"data: {event[: len(event) // 2]}\n\n")
    yield from plays.written(turn, second)
    yield from plays.ending(turn, answer)


def not_object(turn: Turn) -> Iterator[Step]:
    """Events that are JSON, but not objects."""
    yield from plays.interrupted(turn, *(Raw(f"data: {value}\n\n") for value in ("[1,2]", "null", '"text"')))


def wrong_types(turn: Turn) -> Iterator[Step]:
    """Numbers and nulls where lists, objects and texts belong."""
    broken: list[object] = ["text", [None], [{"index": 0, "delta": "text"}], [{"index": 0, "delta": {"content": 7}}]]
    events = (frames.dump(turn.event([]) | {"choices": choices}) for choices in broken)
    yield from plays.interrupted(turn, *(Raw(f"data: {event}\n\n") for event in events))
