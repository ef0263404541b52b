"""The messages of the WebSocket subprotocol `bing-chat.v2`. Pure: JSON in, requests or RefusedError out, and back.

Every frame begins with `type`, then `id` if the client named the question, `answer` and `seq` where they are known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import Problem, RefusedError, failure_of
from gateway.http.fields import MAX_WAIT
from gateway.http.sse import parse_event_id
from gateway.legacy import params
from wire.answer_reader import AnswerEvent
from wire.answers import QueuePosition
from wire.errors import AnswerNotFoundError
from wire.messages import Delta, Failed, Final, Replace
from wire.reasons import Reason

SUBPROTOCOL = "bing-chat.v2"
_MAX_ID = 64
_MAX_SEQ = 10**9


@dataclass(frozen=True)
class AskMessage:
    """A question; `key` is its Idempotency-Key, as it was sent.

    `wait`: the seconds that the client prefers to wait for an account instead of being refused.
    """

    question: params.QuestionParams
    key: str | None
    wait: float = 0.0


@dataclass(frozen=True)
class StopMessage:
    """Stop an answer."""

    answer: str


@dataclass(frozen=True)
class ResumeMessage:
    """Continue an answer after its event `after`."""

    answer: str
    after: int


Request = AskMessage | StopMessage | ResumeMessage
Message = Mapping[str, Any]


def parse_id(message: Message) -> str | None:
    """Return the client's own name for its request; None if it has none, or none that can be sent back."""
    name = message.get("id")
    valid = isinstance(name, str) and 1 <= len(name) <= _MAX_ID and _is_encodable(name)
    return name if valid else None


def parse_request(message: Message) -> Request:
    """Return what the client requests. Raises RefusedError; AnswerNotFoundError for an id that can't be one."""
    if parse_id(message) is None and (message.get("type") == "ask" or "id" in message):
        raise RefusedError(Reason.REQUEST_FORMAT)
    match message.get("type"):
        case "ask":
            key = message.get("idempotency_key")
            if key is not None and not (isinstance(key, str) and _is_encodable(key)):
                raise RefusedError(Reason.REQUEST_FORMAT)
            question = params.parse_question(params.select_fields(message))
            return AskMessage(question, key or None, _wait(message))
        case "stop":
            return StopMessage(_answer(message))
        case "resume":
            return ResumeMessage(_answer(message), _after(message))
        case _:
            raise RefusedError(Reason.REQUEST_FORMAT)


def _answer(message: Message) -> str:
    answer = message.get("answer")
    if not isinstance(answer, str):
        raise RefusedError(Reason.REQUEST_FORMAT)
    if parse_event_id(f"{answer}.0") is None:
        raise AnswerNotFoundError
    return answer


def _after(message: Message) -> int:
    after = message.get("after", 0)
    if type(after) is not int or not 0 <= after < _MAX_SEQ:
        raise RefusedError(Reason.REQUEST_FORMAT)
    return after


def _wait(message: Message) -> float:
    wait = message.get("wait", 0)
    if type(wait) not in (int, float) or not 0 <= wait <= MAX_WAIT:
        raise RefusedError(Reason.REQUEST_FORMAT)
    return float(wait)


def _is_encodable(text: str) -> bool:
    """Return whether UTF-8 can hold the text: JSON can contain half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True)
class V2Frames:
    """Renders the frames of one answer, for a client that named its question `id`."""

    id: str | None
    answer: str
    english: bool = False

    def render_accepted(self, token: str) -> bytes:
        """Return the frame of a question that is in Redis."""
        return self._frame("accepted", seq=0, token=token)

    def render_queued(self, place: QueuePosition) -> bytes:
        """Return the frame of a question's place in the queue."""
        return self._frame("queued", seq=0, position=place.position, wait=place.wait)

    def render(self, entry: AnswerEvent) -> bytes:
        """Return the frame of an event of the answer."""
        match entry.event:
            case Delta(text=text, provider=provider):
                return self._frame("delta", seq=entry.seq, text=text, **_provider(provider))
            case Replace(text=text, provider=provider):
                return self._frame("replace", seq=entry.seq, text=text, **_provider(provider))
            case Final() as final:
                return self._final(entry.seq, final)
            case Failed() as failed:
                return self._failed(entry.seq, failed)

    def render_error(self, problem: Problem) -> bytes:
        """Return the frame that ends following: it is no event of the answer, which may continue."""
        return self._frame("failed", **_error(problem))

    def _final(self, seq: int, event: Final) -> bytes:
        rest: dict[str, Any] = {"urls": event.urls, "suggestions": event.suggestions, "turns": event.turns}
        rest |= {"reset": event.reset, "stopped": event.stopped}
        if event.images:
            rest["images"] = event.images
        return self._frame("final", seq=seq, text=event.text, **rest, **_provider(event.provider))

    def _failed(self, seq: int, event: Failed) -> bytes:
        problem = failure_of(event, self.english)
        return self._frame(
            "failed",
            seq=seq,
            code=problem.code,
            message=problem.message,
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


def render_refusal(id_: str | None, problem: Problem) -> bytes:
    """Return the frame of a client's message that was refused."""
    return _frame("failed", id_, **_error(problem))


def _error(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "reason": problem.reason,
        "retry_after": problem.retry_after,
    }


def _frame(kind: str, id_: str | None, **rest: Any) -> bytes:
    named = {} if id_ is None else {"id": id_}
    return msgspec.json.encode({"type": kind, **named, **rest})
