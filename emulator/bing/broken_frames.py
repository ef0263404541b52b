"""Turns over the chat socket that break its protocol, as steps."""

from collections.abc import Iterator

from emulator.bing import frames
from emulator.bing.frames import HOLE, SEPARATOR
from emulator.bing.turn import BingTurn, GrowingText, SendBinary, SendDelta, SendFinal, SendText
from emulator.failure_scenarios import after_text, midway
from emulator.json_text import Json
from emulator.scenarios import TOO_BIG, plain
from emulator.steps import Close, Silence, Step


@midway
def type7(_turn: BingTurn) -> Iterator[Step]:
    """Send a close record, and leave the socket open."""
    yield SendText(frames.record(frames.close()))
    yield Silence()


@midway
def type7_close(_turn: BingTurn) -> Iterator[Step]:
    """Send a close record, and close the socket."""
    yield SendText(frames.record(frames.close()))
    yield Close()


@midway
def type3(turn: BingTurn) -> Iterator[Step]:
    """Send a completion without a final item, and leave the socket open."""
    yield SendText(frames.record(frames.completion(turn.invocation)))
    yield Silence()


def type3_error(turn: BingTurn) -> Iterator[Step]:
    """Send a completion with an error at once, and leave the socket open."""
    error = {"error": "An unexpected error occurred."}
    yield SendText(frames.record(frames.completion(turn.invocation) | error))
    yield Silence()


@midway
def binary(_turn: BingTurn) -> Iterator[Step]:
    """Send a binary message."""
    yield SendBinary(b'{"type":6}\x1e')
    yield Silence()


@midway
def empty_messages(_turn: BingTurn) -> Iterator[Step]:
    """Send five empty messages."""
    for _ in range(5):
        yield SendText("")
    yield Silence()


@midway
def big(turn: BingTurn) -> Iterator[Step]:
    """Send one message of more than 4 MiB."""
    yield turn.update(messages=[turn.message("x" * TOO_BIG)])
    yield Silence()


@midway
def bad_json(_turn: BingTurn) -> Iterator[Step]:
    """Send a record that is cut off."""
    yield SendText('{"type":1,"target":"update","arguments":[{"messages":' + SEPARATOR)
    yield Silence()


@midway
def not_object(_turn: BingTurn) -> Iterator[Step]:
    """Send records that are JSON, but not objects."""
    yield SendText("[1,2]" + SEPARATOR + "null" + SEPARATOR + '"text"' + SEPARATOR)
    yield Silence()


@midway
def no_arguments(_turn: BingTurn) -> Iterator[Step]:
    """Send updates without arguments, with empty ones, and with messages that are no list."""
    broken: list[Json] = [{}, {"arguments": []}, {"arguments": [{"messages": "text"}]}, {"arguments": [None]}]
    for arguments in broken:
        yield SendText(frames.record({"type": 1, "target": "update", **arguments}))
    yield Silence()


def split_record(turn: BingTurn) -> Iterator[Step]:
    """Send each record of text in two messages."""
    for step in plain(turn):
        if isinstance(step, SendDelta):
            middle = len(step.data) // 2
            yield SendText(step.data[:middle])
            yield SendDelta(step.data[middle:], step.length)
        else:
            yield step


def unknown_type(turn: BingTurn) -> Iterator[Step]:
    """Send a record of a type that does not exist before the final item."""
    for step in plain(turn):
        if isinstance(step, SendFinal):
            yield SendText(frames.record({"type": 99, "target": "elsewhere"}))
        yield step


def after_final(turn: BingTurn) -> Iterator[Step]:
    """Send a late update in the same message as the final item, behind it."""
    late = turn.update(messages=[turn.message("Too late.")])
    for step in plain(turn):
        yield SendFinal(step.data + late.data, step.outcome) if isinstance(step, SendFinal) else step


def wrong_types(turn: BingTurn) -> Iterator[Step]:
    """Send numbers and nulls where text and lists belong, in the final item too."""
    broken = turn.message("") | {"text": 7, "adaptiveCards": "card", "sourceAttributions": None}
    yield from turn.announce()
    yield turn.update(messages=[broken], throttling="many")
    yield turn.final(turn.item([broken]) | {"throttling": 3, "conversationExpiryTime": False})


def no_origin(turn: BingTurn) -> Iterator[Step]:
    """Send updates whose message lacks contentOrigin."""
    answer = turn.compose()
    bare = frames.without(turn.answer_message(answer, HOLE), "contentOrigin")
    turn.text = GrowingText(turn.request_id, bare)
    yield from turn.announce()
    yield from turn.write(turn.pieces(answer))
    yield turn.final(turn.item([turn.answer_message(answer, turn.text.value)]))


def ordinary_item(turn: BingTurn) -> Json:
    """Return the final item with the ordinary answer."""
    answer = turn.compose()
    return turn.item([turn.answer_message(answer, answer.text)])


@after_text
def no_messages(turn: BingTurn) -> Iterator[Step]:
    """Send a final item without messages."""
    yield turn.final(frames.without(turn.item([]), "messages"))


@after_text
def final_empty(turn: BingTurn) -> Iterator[Step]:
    """Send a final item with an empty list of messages."""
    yield turn.final(turn.item([]) | {"messages": []})


@after_text
def final_no_origin(turn: BingTurn) -> Iterator[Step]:
    """Send a final item whose last message lacks contentOrigin."""
    item = ordinary_item(turn)
    *others, last = item["messages"]
    yield turn.final(item | {"messages": [*others, frames.without(last, "contentOrigin")]})


@after_text
def no_throttling(turn: BingTurn) -> Iterator[Step]:
    """Send a final item without throttling and expiry."""
    yield turn.final(frames.without(ordinary_item(turn), "throttling", "conversationExpiryTime"))


@after_text
def no_result(turn: BingTurn) -> Iterator[Step]:
    """Send a final item without result."""
    yield turn.final(frames.without(ordinary_item(turn), "result"))


@after_text
def no_item(turn: BingTurn) -> Iterator[Step]:
    """Send a type 2 record without item."""
    yield SendFinal(frames.record({"type": 2, "invocationId": turn.invocation}), "no item")
