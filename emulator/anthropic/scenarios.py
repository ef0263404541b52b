"""Answers over this API with something special, or that break off once they were begun, as steps."""

from collections.abc import Iterator

from emulator.answers import SampleAnswer
from emulator.anthropic import refusals
from emulator.anthropic.error_response import AnthropicError
from emulator.anthropic.turn import MessageTurn, event
from emulator.event_stream import FailAnswer, FinishAnswer, SendEvent, SendStreamText
from emulator.failure_scenarios import after_text, midway
from emulator.json_text import dump
from emulator.reply import ScriptedReply, think
from emulator.scenarios import TOO_BIG, Scenario, give, interrupt, plain
from emulator.steps import Silence, Step

TRUNCATED = "truncated"
THOUGHTS = 3


def reasoning(turn: MessageTurn) -> Iterator[Step]:
    """Send thoughts before the text, whatever was asked for."""
    turn.reply = turn.reply or ScriptedReply(tuple(think(THOUGHTS)))
    yield from give(turn, turn.compose())


def empty(turn: MessageTurn) -> Iterator[Step]:
    """Send no content at all, and end well."""
    answer = SampleAnswer("", (), ())
    yield from turn.begin(answer)
    yield from turn.end(answer)


def cut_off(reason: str) -> Scenario[MessageTurn]:
    """Return a scenario whose answer ends in its middle, for this reason."""

    def play(turn: MessageTurn) -> Iterator[Step]:
        answer, first, _ = turn.halves()
        yield from turn.begin(answer)
        yield from turn.write(first)
        yield from turn.end(answer, reason)

    return play


@interrupt
def empty_events(_turn: MessageTurn) -> Iterator[Step]:
    """Send events without data, and fields that no client needs."""
    yield SendStreamText("event: message\nid: 7\nretry: 1000\n\n: comment\n\n" * 3, spoils=False)


@interrupt
def unknown_events(_turn: MessageTurn) -> Iterator[Step]:
    """Send pings, and an event of a type that may come to be."""
    yield event("ping")
    yield event("something_new", index=0, value={"a": 1})


def pings(turn: MessageTurn) -> Iterator[Step]:
    """Send a ping after each event but the last."""
    for step in plain(turn):
        yield step
        if isinstance(step, SendEvent):
            yield event("ping")


@interrupt
def big(turn: MessageTurn) -> Iterator[Step]:
    """Send a line of more than 4 MiB."""
    yield from turn.write(["x" * TOO_BIG])


def after_final(turn: MessageTurn) -> Iterator[Step]:
    """Send an event behind message_stop."""
    answer = turn.compose()
    yield from turn.begin(answer)
    yield from turn.write(turn.pieces(answer))
    late = turn.delta("text_delta", "text", "Too late.")
    yield from turn.close_block()
    ending = (turn.ending(), event("message_stop"))
    yield FinishAnswer(ending, after=f"event: {late.name}\ndata: {dump(late.body)}\n\n")


def silence_first(turn: MessageTurn) -> Iterator[Step]:
    """Send nothing after message_start."""
    yield event("message_start", message=turn.opened())
    yield Silence()


@midway
def no_finish(_turn: MessageTurn) -> Iterator[Step]:
    """End the response, which is whole for HTTP."""
    yield FinishAnswer(outcome=TRUNCATED)


@after_text
def no_done(turn: MessageTurn) -> Iterator[Step]:
    """Send the reason, but no message_stop."""
    yield from turn.close_block()
    yield FinishAnswer((turn.ending(),), TRUNCATED)


@midway
def no_reason(turn: MessageTurn) -> Iterator[Step]:
    """Send message_stop, but no reason."""
    yield from turn.close_block()
    yield FinishAnswer((event("message_stop"),), TRUNCATED)


def fail(error: AnthropicError, outcome: str) -> Scenario[MessageTurn]:
    """Return a scenario that sends an error event with status 200."""

    def play(_turn: MessageTurn) -> Iterator[Step]:
        yield FailAnswer(error.event, error, outcome)

    return play


error_first = fail(refusals.INTERNAL, "InternalError")
error_mid = midway(error_first)
internal_after_text = after_text(error_first)
throttled_after_text = midway(fail(refusals.TOO_MANY, "Throttled"))
overloaded_first = fail(refusals.OVERLOADED, "Unavailable")
overloaded_mid = midway(overloaded_first)


def bad_json(turn: MessageTurn) -> Iterator[Step]:
    """Cut off one event in its middle, and with it a piece of the text; the rest comes as usual."""
    answer, first, second = turn.halves()
    yield from turn.begin(answer)
    yield from turn.write(first)
    data = dump(turn.delta("text_delta", "text", "".join(second[:1])).body)
    yield SendStreamText(f"event: content_block_delta\ndata: {data[: len(data) // 2]}\n\n")
    yield from turn.write(second[1:])
    yield from turn.end(answer)


@interrupt
def not_object(_turn: MessageTurn) -> Iterator[Step]:
    """Send events that are JSON, but not objects."""
    for value in ("[1,2]", "null", '"text"'):
        yield SendStreamText(f"event: content_block_delta\ndata: {value}\n\n")


@interrupt
def wrong_types(_turn: MessageTurn) -> Iterator[Step]:
    """Send numbers and nulls where lists, objects and texts belong."""
    broken: list[object] = ["text", None, {"type": "text_delta", "text": 7}, {"type": 7}]
    for delta in broken:
        body = {"type": "content_block_delta", "index": 0, "delta": delta}
        yield SendStreamText(f"event: content_block_delta\ndata: {dump(body)}\n\n")
