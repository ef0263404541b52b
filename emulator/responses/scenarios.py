"""Answers over this API with something special, or that break off once they were begun, as steps."""

from collections.abc import Iterator

from emulator.answers import SampleAnswer
from emulator.blocks import AnswerBlock
from emulator.event_stream import FailAnswer, FinishAnswer, SendStreamText
from emulator.failure_scenarios import after_text, midway
from emulator.json_text import dump
from emulator.openai import refusals
from emulator.openai.error_response import ErrorResponse
from emulator.reply import ScriptedReply, think
from emulator.responses.turn import ResponseTurn
from emulator.scenarios import TOO_BIG, Scenario, give, interrupt
from emulator.steps import Silence, Step

TRUNCATED = "truncated"
THOUGHTS = 3


def reasoning(turn: ResponseTurn) -> Iterator[Step]:
    """Send thoughts before the text, whatever was asked for."""
    turn.reply = turn.reply or ScriptedReply(tuple(think(THOUGHTS)))
    turn.summary = True
    yield from give(turn, turn.compose())


def empty(turn: ResponseTurn) -> Iterator[Step]:
    """Send no output at all, and end well."""
    answer = SampleAnswer("", (), ())
    yield from turn.begin(answer)
    yield from turn.end(answer)


def refusal(turn: ResponseTurn) -> Iterator[Step]:
    """Decline."""
    turn.reply = ScriptedReply((AnswerBlock("refusal", "I'm sorry, I can't help with that."),))
    turn.is_ordinary = False
    yield from give(turn, turn.compose())


def cut_off(reason: str) -> Scenario[ResponseTurn]:
    """Return a scenario whose answer ends in its middle, for this reason."""

    def play(turn: ResponseTurn) -> Iterator[Step]:
        answer, first, _ = turn.halves()
        yield from turn.begin(answer)
        yield from turn.write(first)
        yield from turn.end(answer, reason)

    return play


@interrupt
def unknown_events(turn: ResponseTurn) -> Iterator[Step]:
    """Send an event of a type that may come to be."""
    yield turn.event("response.something_new", value={"a": 1})


@interrupt
def big(turn: ResponseTurn) -> Iterator[Step]:
    """Send a line of more than 4 MiB."""
    yield from turn.write(["x" * TOO_BIG])


def silence_first(turn: ResponseTurn) -> Iterator[Step]:
    """Send nothing after response.created."""
    yield turn.event("response.created", response=turn.response | {"output": []})
    yield Silence()


@midway
def no_finish(_turn: ResponseTurn) -> Iterator[Step]:
    """End the response of HTTP, which is whole."""
    yield FinishAnswer(outcome=TRUNCATED)


@after_text
def no_done(turn: ResponseTurn) -> Iterator[Step]:
    """Send the whole item, but no response.completed."""
    yield from turn.close_item()
    yield FinishAnswer(outcome=TRUNCATED)


def error(reason: ErrorResponse, outcome: str) -> Scenario[ResponseTurn]:
    """Return a scenario that sends an error event with status 200."""

    def play(turn: ResponseTurn) -> Iterator[Step]:
        event = turn.event("error", code=reason.code or reason.kind, message=reason.message, param=None)
        yield FailAnswer(event, reason, outcome)

    return play


def fail(reason: ErrorResponse, outcome: str) -> Scenario[ResponseTurn]:
    """Return a scenario that ends with response.failed."""

    def play(turn: ResponseTurn) -> Iterator[Step]:
        failed = turn.ended("failed") | {"error": {"code": reason.code or reason.kind, "message": reason.message}}
        yield FinishAnswer((turn.event("response.failed", response=failed),), outcome)

    return play


error_first = error(refusals.INTERNAL, "InternalError")
error_mid = midway(error_first)
failed_mid = midway(fail(refusals.INTERNAL, "InternalError"))
internal_after_text = after_text(fail(refusals.INTERNAL, "InternalError"))
throttled_after_text = midway(fail(refusals.TOO_MANY, "Throttled"))


def bad_json(turn: ResponseTurn) -> Iterator[Step]:
    """Cut off one event in its middle, and with it a piece of the text; the rest comes as usual."""
    answer, first, second = turn.halves()
    yield from turn.begin(answer)
    yield from turn.write(first)
    data = dump(turn.event("response.output_text.delta", delta="".join(second[:1])).body)
    yield SendStreamText(f"event: response.output_text.delta\ndata: {data[: len(data) // 2]}\n\n")
    yield from turn.write(second[1:])
    yield from turn.end(answer)
