"""Answers over this API that break off, or break its format, once they were begun, as steps."""

from collections.abc import Iterator

from emulator.failure_scenarios import after_text, midway
from emulator.json_text import dump
from emulator.openai import refusals
from emulator.openai.error_response import ErrorResponse
from emulator.openai.turn import CompletionTurn, SendDone, SendEnd, SendError, SendRaw
from emulator.scenarios import Scenario, interrupt
from emulator.steps import Silence, Step

TRUNCATED = "truncated"


def silence_first(turn: CompletionTurn) -> Iterator[Step]:
    """Send nothing after the role."""
    yield turn.delta(role="assistant", content="")
    yield Silence()


@midway
def no_finish(_turn: CompletionTurn) -> Iterator[Step]:
    """End the response, which is whole for HTTP."""
    yield SendEnd(TRUNCATED)


@after_text
def no_done(turn: CompletionTurn) -> Iterator[Step]:
    """Send the reason, but no [DONE]."""
    yield turn.reason("stop")
    yield SendEnd(TRUNCATED)


@midway
def no_reason(_turn: CompletionTurn) -> Iterator[Step]:
    """Send [DONE], but no reason."""
    yield SendDone(TRUNCATED)


def fail(error: ErrorResponse, outcome: str, done: bool = False) -> Scenario[CompletionTurn]:
    """Return a scenario that sends an error event with status 200. done: whether [DONE] follows."""

    def play(_turn: CompletionTurn) -> Iterator[Step]:
        yield SendError(error, outcome, done)

    return play


error_first = fail(refusals.INTERNAL, "InternalError")
error_mid = midway(error_first)
error_done = midway(fail(refusals.INTERNAL, "InternalError", done=True))
internal_after_text = after_text(error_first)
throttled_after_text = midway(fail(refusals.TOO_MANY, "Throttled"))


def bad_json(turn: CompletionTurn) -> Iterator[Step]:
    """Cut off one event in its middle, and with it a piece of the text; the rest comes as usual."""
    answer, first, second = turn.halves()
    yield from turn.begin(answer)
    yield from turn.write(first)
    event = dump(turn.text_chunk("".join(second[:1])).body)
    yield SendRaw(f"data: {event[: len(event) // 2]}\n\n")
    yield from turn.write(second[1:])
    yield from turn.end(answer)


@interrupt
def not_object(_turn: CompletionTurn) -> Iterator[Step]:
    """Send events that are JSON, but not objects."""
    for value in ("[1,2]", "null", '"text"'):
        yield SendRaw(f"data: {value}\n\n")


@interrupt
def wrong_types(turn: CompletionTurn) -> Iterator[Step]:
    """Send numbers and nulls where lists, objects and texts belong."""
    broken: list[object] = ["text", [None], [{"index": 0, "delta": "text"}], [{"index": 0, "delta": {"content": 7}}]]
    for choices in broken:
        yield SendRaw(f"data: {dump(turn.event([]) | {'choices': choices})}\n\n")
