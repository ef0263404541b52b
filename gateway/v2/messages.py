"""The messages of the WebSocket subprotocol `bing-chat.v2`. Pure: JSON in, requests or RefusedError out, and back.

Every frame begins with `type`, then `id` if the client named the question, `answer` and `seq` where they are known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import FORMAT, AnswerUnknownError, Problem, RefusedError
from gateway.http.sse import position
from gateway.legacy import params
from wire.answers import AnswerEvent, QueuePosition
from wire.messages import Delta, Failed, Final, Replace

SUBPROTOCOL = "bing-chat.v2"
_LONGEST_ID = 64
_LAST_SEQ = 10**9


@dataclass(frozen=True)
class AskMessage:
    """A question; `key` is its Idempotency-Key, as it was sent.

    `wait`: for how many seconds the client would rather wait for an account than be refused.
    """

    ask: params.QuestionParams
    key: str | None
    wait: float = 0.0


@dataclass(frozen=True)
class StopMessage:
    """Stop an answer."""

    answer: str


@dataclass(frozen=True)
class ResumeMessage:
    """Go on with an answer after its event `after`."""

    answer: str
    after: int


Request = AskMessage | StopMessage | ResumeMessage
Message = Mapping[str, Any]


def id_of(message: Message) -> str | None:
    """The client's own name for what it asks; None if it has none, or none that can be sent back."""
    found = message.get("id")
    sound = isinstance(found, str) and 1 <= len(found) <= _LONGEST_ID and _encodable(found)
    return found if sound else None


def request(message: Message) -> Request:
    """What the client wants. RefusedError; AnswerUnknownError for an id that can't be one."""
    if id_of(message) is None and (message.get("type") == "ask" or "id" in message):
        raise RefusedError(FORMAT)
    match message.get("type"):
        case "ask":
            key = message.get("idempotency_key")
            if key is not None and not (isinstance(key, str) and _encodable(key)):
                raise RefusedError(FORMAT)
            return AskMessage(params.ask(params.known_fields(message)), key, _wait(message))
        case "stop":
            return StopMessage(_answer(message))
        case "resume":
            return ResumeMessage(_answer(message), _after(message))
        case _:
            raise RefusedError(FORMAT)


def _answer(message: Message) -> str:
    answer = message.get("answer")
    if not isinstance(answer, str):
        raise RefusedError(FORMAT)
    if position(f"{answer}.0") is None:
        raise AnswerUnknownError
    return answer


def _after(message: Message) -> int:
    after = message.get("after", 0)
    if type(after) is not int or not 0 <= after < _LAST_SEQ:
        raise RefusedError(FORMAT)
    return after


def _wait(message: Message) -> float:
    wait = message.get("wait", 0)
    if type(wait) not in (int, float) or not 0 <= wait <= params.LONGEST_WAIT:
        raise RefusedError(FORMAT)
    return float(wait)


def _encodable(text: str) -> bool:
    """Whether UTF-8 can hold it: JSON can name half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True)
class V2Frames:
    """Makes the frames of one answer, for a client that named its question `id`."""

    id: str | None
    answer: str

    def accepted(self, token: str) -> bytes:
        """The question is in Redis, and the answer is followed from here on."""
        return self._frame("accepted", seq=0, token=token)

    def queued(self, place: QueuePosition) -> bytes:
        """Where the question waits."""
        return self._frame("queued", seq=0, position=place.position, wait=place.wait)

    def event(self, entry: AnswerEvent) -> bytes:
        """An event of the answer."""
        match entry.event:
            case Delta(text=text, provider=provider):
                return self._frame("delta", seq=entry.seq, text=text, **_provider(provider))
            case Replace(text=text, provider=provider):
                return self._frame("replace", seq=entry.seq, text=text, **_provider(provider))
            case Final() as final:
                return self._final(entry.seq, final)
            case Failed() as failed:
                return self._failed(entry.seq, failed)

    def broken_off(self, problem: Problem) -> bytes:
        """This gateway stops following: no event of the answer, which may live on."""
        return self._frame("failed", **_told(problem))

    def _final(self, seq: int, event: Final) -> bytes:
        rest: dict[str, Any] = {"urls": event.urls, "suggestions": event.suggestions, "turns": event.turns}
        rest |= {"reset": event.reset, "stopped": event.stopped}
        if event.images:
            rest["images"] = event.images
        return self._frame("final", seq=seq, text=event.text, **rest, **_provider(event.provider))

    def _failed(self, seq: int, event: Failed) -> bytes:
        return self._frame(
            "failed",
            seq=seq,
            code=event.code,
            message=event.message,
            reason=event.reason,
            text=event.text,
            reset=event.reset,
            retry_after=event.retry_after,
            **_provider(event.provider),
        )

    def _frame(self, kind: str, **rest: Any) -> bytes:
        return _frame(kind, self.id, answer=self.answer, **rest)


def _provider(name: str) -> dict[str, str]:
    return {"provider": name} if name else {}


def refused(id_: str | None, problem: Problem) -> bytes:
    """A client's message came to nothing."""
    return _frame("failed", id_, **_told(problem))


def _told(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "reason": problem.reason,
        "retry_after": problem.retry_after,
    }


def _frame(kind: str, id_: str | None, **rest: Any) -> bytes:
    named = {} if id_ is None else {"id": id_}
    return msgspec.json.encode({"type": kind, **named, **rest})
