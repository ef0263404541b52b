"""The messages of a client of the WebSocket subprotocol `bing-chat.v2`. Pure: JSON in, requests or RefusedError out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.errors import RefusedError
from gateway.http.fields import MAX_WAIT
from gateway.http.sse import parse_event_id
from gateway.legacy import params
from wire.errors import AnswerNotFoundError
from wire.messages import Style
from wire.reasons import Reason

SUBPROTOCOL = "bing-chat.v2"
_MAX_ID = 64
_MAX_SEQ = 10**9 - 1
MAX_MODEL = 256
# Of a question to a model, which has no styles.
_ANY_STYLE: Style = "balanced"

RequestId = Annotated[
    str,
    Meta(min_length=1, max_length=_MAX_ID, description="A name of the client's own, which comes back in each frame."),
]
AnswerId = Annotated[str, Meta(pattern=r"^s\d{1,4}-[0-9a-f]{32}$", description="The answer's id.")]


class AskFields(msgspec.Struct, kw_only=True, tag_field="type", tag="ask"):
    """Ask a question."""

    id: RequestId
    style: Annotated[Style | UnsetType, Meta(description="May be missing where there is a `model`.")] = UNSET
    model: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_MODEL)] | None,
        Meta(description="The model to ask, one of those that `/v1/models` lists; it goes before the style."),
    ] = None
    question: Annotated[str, Meta(min_length=1)]
    token: Annotated[
        str | None, Meta(description="Without one a new conversation begins, which remains after the socket.")
    ] = None
    idempotency_key: Annotated[
        Annotated[str, Meta(max_length=255)] | None, Meta(description="Makes it safe to send again.")
    ] = None
    wait: Annotated[
        float,
        Meta(
            ge=0,
            le=MAX_WAIT,
            description="For how many seconds to wait for an account's return rather than be refused.",
        ),
    ] = 0


class ResumeFields(msgspec.Struct, kw_only=True, tag_field="type", tag="resume"):
    """Resume an answer. One that has ended by then sends its end again."""

    id: RequestId | UnsetType = UNSET
    answer: AnswerId
    after: Annotated[int, Meta(ge=0, le=_MAX_SEQ, description="The `seq` of the last event that the client has.")] = 0


class StopFields(msgspec.Struct, kw_only=True, tag_field="type", tag="stop"):
    """End an answer with the text so far. It is answered by that answer's end."""

    id: RequestId | UnsetType = UNSET
    answer: AnswerId


@dataclass(frozen=True)
class AskMessage:
    """A question; `key` is its Idempotency-Key, as it was sent; `model` the name of the model to ask, if it has one.

    `wait`: the seconds that the client prefers to wait for an account instead of being refused.
    """

    question: params.QuestionParams
    key: str | None
    wait: float = 0.0
    model: str | None = None


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


def parse_request(message: Message, question_limit: int) -> Request:
    """Return what the client requests; a question may have `question_limit` bytes of UTF-8.

    Raises RefusedError and QuestionLengthError; AnswerNotFoundError for an id that can't be one.
    """
    if parse_id(message) is None and (message.get("type") == "ask" or "id" in message):
        raise RefusedError(Reason.REQUEST_FORMAT)
    match message.get("type"):
        case "ask":
            key = message.get("idempotency_key")
            if key is not None and not (isinstance(key, str) and _is_encodable(key)):
                raise RefusedError(Reason.REQUEST_FORMAT)
            model = _model(message)
            fields = params.select_fields(message)
            if model is not None and not fields.get("style"):
                fields["style"] = _ANY_STYLE
            return AskMessage(params.parse_question(fields, question_limit), key or None, _wait(message), model)
        case "stop":
            return StopMessage(_answer(message))
        case "resume":
            return ResumeMessage(_answer(message), _after(message))
        case _:
            raise RefusedError(Reason.REQUEST_FORMAT)


def _model(message: Message) -> str | None:
    model = message.get("model")
    if model is None:
        return None
    if not isinstance(model, str) or not 1 <= len(model) <= MAX_MODEL or not _is_encodable(model):
        raise RefusedError(Reason.REQUEST_FORMAT)
    return model


def _answer(message: Message) -> str:
    answer = message.get("answer")
    if not isinstance(answer, str):
        raise RefusedError(Reason.REQUEST_FORMAT)
    if parse_event_id(f"{answer}.0") is None:
        raise AnswerNotFoundError
    return answer


def _after(message: Message) -> int:
    after = message.get("after", 0)
    if type(after) is not int or not 0 <= after <= _MAX_SEQ:
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
