"""Turns that are refused or go wrong, as steps."""

from collections.abc import Iterator

from emulator import frames, plays
from emulator.answers import Answer
from emulator.frames import HOLE, SEPARATOR, Json
from emulator.pace import Pause
from emulator.turn import Binary, Close, Delta, Final, Reset, Send, Silence, Step, Turn, Writer, written

INTERNAL = (
    "Unhandled Dependency Failure: DeepLeo|Bing",
    "ServiceClient failure for ChatGpt. Cancellation not requested",
    'Error calling extension "DeepLeo + Sydney" (deep-leo)',
    "Unhandled Exception",
    "ServiceClient failure for UserOffense",
)
LOGIN_FIRST = "Sorry, you need to login first to access this service."
SIGNATURE_MISSING = "The conversationSignature is not set and is required for this request."
TOKEN_EXPIRED = "Token issued by the service is invalid (IDX10223: Lifetime validation failed. The token is expired.)"
TOO_BIG = 4 * 1024 * 1024 + 1024


def throttled(turn: Turn) -> Iterator[Step]:
    yield from refused(turn, "Throttled", "Request is throttled.")


def captcha(turn: Turn) -> Iterator[Step]:
    yield from refused(turn, "CaptchaChallenge", "User needs to solve CAPTCHA to continue.")


def invalid_session(turn: Turn) -> Iterator[Step]:
    """No `error` beside the message; the caller has dropped the conversation."""
    missing = f"Conversation '{turn.conversation.id}' doesn't exist or has expired."
    yield from refused(turn, "InvalidSession", f"{missing} Conversations expire after 06:00:00 minutes.", error=False)


def unauthorized(turn: Turn) -> Iterator[Step]:
    yield from refused(turn, "UnauthorizedRequest", LOGIN_FIRST)


def unauthorized_signature(turn: Turn) -> Iterator[Step]:
    yield from refused(turn, "UnauthorizedRequest", SIGNATURE_MISSING)


def unauthorized_expired(turn: Turn) -> Iterator[Step]:
    yield from refused(turn, "UnauthorizedRequest", TOKEN_EXPIRED)


def forbidden(turn: Turn) -> Iterator[Step]:
    yield from refused(turn, "Forbidden", "Sorry, you are not allowed to access this service.")


def invalid_request(turn: Turn) -> Iterator[Step]:
    yield from refused(turn, "InvalidRequest", "Sorry, I wasn't able to respond to that")


def unknown_value(turn: Turn) -> Iterator[Step]:
    yield from refused(turn, "SomethingNew", "A value that no client knows.")


def internal(turn: Turn) -> Iterator[Step]:
    """`=N` picks one of the five messages, from 1."""
    index = int(turn.words.number or 1) - 1
    yield from plays.opening(turn)
    yield from refused(turn, "InternalError", INTERNAL[index % len(INTERNAL)])


def internal_after_text(turn: Turn) -> Iterator[Step]:
    """The whole answer is streamed, then the turn fails."""
    answer = turn.compose()
    yield from streamed(turn, answer, turn.pieces(answer))
    yield from refused(turn, "InternalError", "Unhandled Exception")


def throttled_after_text(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield from refused(turn, "Throttled", "Request is throttled.")


def refused(turn: Turn, value: str, message: str, error: bool = True) -> Iterator[Step]:
    yield turn.final(turn.refused(value, message, error))


def streamed(turn: Turn, answer: Answer, pieces: list[str]) -> Iterator[Step]:
    """An ordinary turn up to the last of these pieces."""
    yield from plays.opening(turn)
    yield from plays.start_of_text(turn, 2.7)
    yield from written(turn, plays.writer_for(turn, answer), pieces)


def half(turn: Turn) -> Iterator[Step]:
    """An ordinary turn up to the middle of its text."""
    answer = turn.compose()
    pieces = turn.pieces(answer)
    yield from streamed(turn, answer, pieces[: turn.cut(len(pieces))])


def silence(_turn: Turn) -> Iterator[Step]:
    yield Silence()


def silence_mid(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Silence()


def silence_late(turn: Turn) -> Iterator[Step]:
    """All the text, but no final record."""
    answer = turn.compose()
    yield from streamed(turn, answer, turn.pieces(answer))
    yield Silence()


def pause_mid(turn: Turn) -> Iterator[Step]:
    """`=S`: nothing for S seconds in the middle (5 if not given), whatever the pace; then the answer goes on."""
    answer = turn.compose()
    pieces = turn.pieces(answer)
    cut = turn.cut(len(pieces))
    writer = plays.writer_for(turn, answer)
    yield from plays.opening(turn)
    yield from plays.start_of_text(turn, 2.7)
    yield from written(turn, writer, pieces[:cut])
    yield Pause(5.0 if turn.words.number is None else turn.words.number, exact=True)
    yield from written(turn, writer, pieces[cut:])
    yield from plays.ending(turn, answer, writer.text, [], [])


def close_before(_turn: Turn) -> Iterator[Step]:
    yield Close()


def close_mid(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Close()


def close_late(turn: Turn) -> Iterator[Step]:
    """All the text, then a close without a final record."""
    answer = turn.compose()
    yield from streamed(turn, answer, turn.pieces(answer))
    yield Close()


def reset_before(_turn: Turn) -> Iterator[Step]:
    yield Reset()


def reset_mid(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Reset()


def type7(turn: Turn) -> Iterator[Step]:
    """A close record in the middle, and the socket stays open."""
    yield from half(turn)
    yield Send(frames.record(frames.close()))
    yield Silence()


def type7_close(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Send(frames.record(frames.close()))
    yield Close()


def type3(turn: Turn) -> Iterator[Step]:
    """A completion without a final item, and the socket stays open."""
    yield from half(turn)
    yield Send(frames.record(frames.completion(turn.invocation)))
    yield Silence()


def type3_error(turn: Turn) -> Iterator[Step]:
    yield Send(frames.record(frames.completion(turn.invocation) | {"error": "An unexpected error occurred."}))
    yield Silence()


def binary(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Binary(b'{"type":6}\x1e')
    yield Silence()


def empty_messages(turn: Turn) -> Iterator[Step]:
    """Five empty messages in the middle."""
    yield from half(turn)
    for _ in range(5):
        yield Send("")
    yield Silence()


def big(turn: Turn) -> Iterator[Step]:
    """One message of more than 4 MiB."""
    yield from half(turn)
    yield turn.update(messages=[turn.message("x" * TOO_BIG)])
    yield Silence()


def bad_json(turn: Turn) -> Iterator[Step]:
    yield from half(turn)
    yield Send('{"type":1,"target":"update","arguments":[{"messages":' + SEPARATOR)
    yield Silence()


def not_object(turn: Turn) -> Iterator[Step]:
    """Records that are JSON, but not objects."""
    yield from half(turn)
    yield Send("[1,2]" + SEPARATOR + "null" + SEPARATOR + '"text"' + SEPARATOR)
    yield Silence()


def split_record(turn: Turn) -> Iterator[Step]:
    """From the first text on, each record comes in two messages."""
    for step in plays.plain(turn):
        if isinstance(step, Delta):
            middle = len(step.data) // 2
            yield Send(step.data[:middle])
            yield Delta(step.data[middle:], step.length)
        else:
            yield step


def unknown_type(turn: Turn) -> Iterator[Step]:
    """A record of a type that does not exist, in an otherwise ordinary turn."""
    for step in plays.plain(turn):
        if isinstance(step, Final):
            yield Send(frames.record({"type": 99, "target": "elsewhere"}))
        yield step


def no_arguments(turn: Turn) -> Iterator[Step]:
    """Updates without arguments, with empty ones, and with messages that are no list."""
    yield from half(turn)
    broken: list[Json] = [{}, {"arguments": []}, {"arguments": [{"messages": "text"}]}, {"arguments": [None]}]
    for arguments in broken:
        yield Send(frames.record({"type": 1, "target": "update", **arguments}))
    yield Silence()


def wrong_types(turn: Turn) -> Iterator[Step]:
    """Numbers and nulls where text and lists belong, up to the final item."""
    broken = turn.message("") | {"text": 7, "adaptiveCards": "card", "sourceAttributions": None}
    yield from plays.opening(turn)
    yield turn.update(messages=[broken], throttling="many")
    yield turn.final(turn.item([broken]) | {"throttling": 3, "conversationExpiryTime": False})


def no_origin(turn: Turn) -> Iterator[Step]:
    """Updates whose message lacks contentOrigin."""
    answer = turn.compose()
    bare = frames.without(plays.answer_message(turn, answer, HOLE), "contentOrigin")
    writer = Writer(turn, bare)
    yield from plays.opening(turn)
    yield from written(turn, writer, turn.pieces(answer))
    yield turn.final(turn.item([plays.answer_message(turn, answer, writer.text)]))


def with_item(turn: Turn, item: Json) -> Iterator[Step]:
    """The whole answer in updates, then this final item."""
    answer = turn.compose()
    yield from streamed(turn, answer, turn.pieces(answer))
    yield turn.final(item)


def no_messages(turn: Turn) -> Iterator[Step]:
    yield from with_item(turn, frames.without(turn.item([]), "messages"))


def final_empty(turn: Turn) -> Iterator[Step]:
    yield from with_item(turn, turn.item([]) | {"messages": []})


def final_no_origin(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    message = frames.without(plays.answer_message(turn, answer, answer.text), "contentOrigin")
    yield from with_item(turn, turn.item([message]))


def no_throttling(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    item = turn.item([plays.answer_message(turn, answer, answer.text)])
    yield from with_item(turn, frames.without(item, "throttling", "conversationExpiryTime"))


def no_result(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    item = turn.item([plays.answer_message(turn, answer, answer.text)])
    yield from with_item(turn, frames.without(item, "result"))


def no_item(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    yield from streamed(turn, answer, turn.pieces(answer))
    yield Final(frames.record({"type": 2, "invocationId": turn.invocation}), "no item")


def after_final(turn: Turn) -> Iterator[Step]:
    """A late update in the same message as the final item, behind it."""
    late = turn.update(messages=[turn.message("Too late.")])
    for step in plays.plain(turn):
        yield Final(step.data + late.data, step.outcome) if isinstance(step, Final) else step
