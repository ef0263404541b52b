"""What can go wrong for a client, and the one table that says how each error is told.

RefusedError          the request itself is at fault, or must come back later
KeyLengthError        the Idempotency-Key is too short or too long
AnswerUnknownError    the client knows no such answer, or it is no longer kept
SocketFullError       too many answers at once on one socket
TurnEndedError
 ├── DeadlineError    no answer within the limits
 ├── DrainingError    this gateway is going down
 └── ClientGoneError  nobody is left to tell
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from wire.errors import (
    AnswerGoneError,
    ClientFullError,
    KeyReusedError,
    KeySpentError,
    QueueFullError,
    StoreUnavailableError,
    TokenUnknownError,
)
from wire.jobs import BUSY

_STATE_LOST = "回答已丢失,请重新提问"
_TIMED_OUT = "回答超时,请重新提问"
_UNKNOWN = "未知错误"

# The messages that a client can have in English, by its Accept-Language.
BY_STATUS = {
    401: ("API key 缺失或无效", "API key missing or wrong"),
    404: ("未找到文件", "Not found"),
    405: ("请求方法错误", "Method not allowed"),
    408: ("请求超时", "Request timeout"),
    413: ("请求内容过大", "Request too large"),
    422: ("Idempotency-Key 已用于另一个问题", "Idempotency-Key was used for another question"),
    429: ("请求过多,请稍后再试", "Too many requests, come back later"),
}


@dataclass(frozen=True)
class Problem:
    """What a client is told. `retry_after` is in seconds; `reason`, the typed cause, is told only in frames of v2."""

    code: int
    message: str
    retry_after: int | None = None
    reason: str = "internal"

    @property
    def status(self) -> int:
        """The HTTP status: existing clients read 110 and 120 from the body of a 200."""
        return self.code if self.code >= 400 else 200


EMPTY = Problem(110, "参数不能为空", reason="request.empty")
STYLE = Problem(110, "style不存在", reason="request.style")
FORMAT = Problem(110, "格式错误", reason="request.format")
LATIN = Problem(110, "仅支持英文")
TOKEN = Problem(120, "token不存在", reason="token.unknown")
UNKNOWN = Problem(500, _UNKNOWN)


class RefusedError(Exception):
    """A request that can't be served, for a reason that its sender can read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class KeyLengthError(Exception):
    """An Idempotency-Key must have `shortest` to `longest` characters."""

    def __init__(self, shortest: int, longest: int) -> None:
        super().__init__(f"an Idempotency-Key has {shortest} to {longest} characters")
        self.shortest = shortest
        self.longest = longest


class AnswerUnknownError(Exception):
    """No such answer of this client's, or it is no longer kept."""


class SocketFullError(Exception):
    """As many answers as one socket may follow at once run on it already."""


class TurnEndedError(Exception):
    """The gateway stopped waiting for an answer, which may live on."""


class DeadlineError(TurnEndedError):
    """The answer didn't end within the limits."""


class DrainingError(TurnEndedError):
    """This gateway is going down."""


class ClientGoneError(TurnEndedError):
    """The client left."""


def by_status(status: int, english: bool = False, reason: str = "internal", retry_after: int | None = None) -> Problem:
    """The problem of an HTTP status."""
    return Problem(status, BY_STATUS.get(status, (_UNKNOWN, "Unknown error"))[english], retry_after, reason)


def _key_length(error: KeyLengthError, english: bool) -> Problem:
    lengths = (
        f"{error.shortest} to {error.longest} characters" if english else f"{error.shortest} 至 {error.longest} 个字符"
    )
    message = f"Idempotency-Key must have {lengths}" if english else f"Idempotency-Key 须有 {lengths}"
    return Problem(422, message, reason="key.length")


# Looked up along an error's class tree: the most specific entry wins.
TABLE: Mapping[type[Exception], Callable[[Any, bool], Problem]] = {
    RefusedError: lambda error, _: error.problem,
    HTTPException: lambda error, english: by_status(error.status_code, english),
    KeyLengthError: _key_length,
    KeyReusedError: lambda _, english: by_status(422, english, "key.reused"),
    KeySpentError: lambda _, english: by_status(404, english, "key.spent"),
    TokenUnknownError: lambda _, __: TOKEN,
    ClientFullError: lambda error, english: by_status(429, english, "client.limit", error.retry_after),
    SocketFullError: lambda _, english: by_status(429, english, "socket.limit", 1),
    QueueFullError: lambda error, _: Problem(503, BUSY, error.retry_after, "queue.full"),
    StoreUnavailableError: lambda _, __: Problem(503, BUSY, 2, "store.unavailable"),
    AnswerUnknownError: lambda _, english: by_status(404, english, "answer.unknown"),
    AnswerGoneError: lambda _, __: Problem(500, _STATE_LOST, reason="state.lost"),
    DeadlineError: lambda _, __: Problem(500, _TIMED_OUT, reason="timeout.gateway"),
    DrainingError: lambda _, __: Problem(503, BUSY, 1, "gateway.draining"),
}


def problem_of(error: Exception, english: bool = False) -> Problem | None:
    """How a client is told of `error`; None if the table doesn't know it."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind](error, english)
    return None


def prefers_english(accept_language: str) -> bool:
    """Whether an Accept-Language header ranks English above Chinese."""
    ranks = {"en": 0.0, "zh": 0.0}
    for part in accept_language.split(","):
        name, _, quality = part.partition(";")
        language = name.strip().lower().split("-")[0]
        if language in ranks:
            ranks[language] = max(ranks[language], _quality(quality))
    return ranks["en"] > ranks["zh"]


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
