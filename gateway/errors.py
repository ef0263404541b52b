"""The gateway's errors, and the one table of what a client gets for each reason.

RefusedError          the request is at fault; has its reason
BodyEncodingError     the request's body is compressed
QuestionLengthError   the question is longer than this service takes
KeyLengthError        the Idempotency-Key is too short or too long
NoWorkerError         there is no worker that could take the question
ModelNotFoundError    there is no such model, or not for this client
ModelAwayError        there was such a model within the last day, and there will be again
SocketFullError       the socket follows as many answers as it may
TurnEndedError
 ├── DeadlineError    no answer within the limits
 ├── DrainingError    this gateway is going down
 └── ClientGoneError  the client left, so nobody gets this one
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from wire.errors import (
    AnswerLostError,
    AnswerNotFoundError,
    ClientBytesError,
    ClientDailyError,
    ClientFullError,
    KeyReusedError,
    KeySpentError,
    OutdatedWorkerError,
    QueueFullError,
    StoreFullError,
    StoreUnavailableError,
    TokenUnknownError,
)
from wire.jobs import RETRY_AFTER
from wire.messages import Failed
from wire.reasons import Reason


@dataclass(frozen=True)
class OpenAIError:
    """What the OpenAI API has for a reason; a `status` or a sentence only where it isn't the table's own."""

    type: str
    code: str | None
    message: str
    status: int | None = None
    param: str | None = None


@dataclass(frozen=True)
class ErrorSpec:
    """What a client gets for one reason.

    `status` is the HTTP status, and the code in the body. `legacy_code` replaces it in the body of a 200, for a request
    that cost nothing: existing clients read 110 and 120 so. The same request may be sent again where it is `retryable`,
    after `retry_after` seconds where the error itself has no better estimate. Braces hold an
    attribute of the error.
    """

    status: int
    zh: str
    en: str
    openai: OpenAIError
    legacy_code: int | None = None
    retryable: bool = False
    retry_after: int | None = None

    def text(self, english: bool) -> str:
        """Return the sentence in one of the two languages."""
        return self.en if english else self.zh


def _invalid(
    zh: str,
    en: str,
    openai: str,
    status: int,
    code: str | None,
    *,
    legacy_code: int | None = None,
    v1: int | None = None,
) -> ErrorSpec:
    """Return the spec of a request that is at fault; `v1` is the status under /v1 where it is another one."""
    return ErrorSpec(status, zh, en, OpenAIError("invalid_request_error", code, openai, v1), legacy_code)


def _unreadable(zh: str, en: str) -> ErrorSpec:
    return _invalid(zh, en, "The request can't be understood.", 200, None, legacy_code=110, v1=400)


def _rejected(zh: str, en: str) -> ErrorSpec:
    return _invalid(zh, en, "The request can't be understood.", 400, None)


def _busy(reason: Reason, retry_after: int | None = None) -> ErrorSpec:
    return ErrorSpec(
        503,
        "服务繁忙,请稍后再试",
        "The service is busy, come back later",
        OpenAIError("service_unavailable", reason, "The server is busy, try again later."),
        retryable=True,
        retry_after=retry_after,
    )


def _too_many(retry_after: int | None = None) -> ErrorSpec:
    return ErrorSpec(
        429,
        "请求过多,请稍后再试",
        "Too many requests, come back later",
        OpenAIError("rate_limit_error", "rate_limit_exceeded", "Too many requests at once."),
        retryable=True,
        retry_after=retry_after,
    )


def _failed(
    reason: Reason, zh: str, en: str, openai: str = "The upstream failed.", *, legacy_code: int | None = None
) -> ErrorSpec:
    """Return the spec of an answer that failed."""
    return ErrorSpec(500, zh, en, OpenAIError("server_error", reason, openai), legacy_code)


def _refused(zh: str, en: str, code: str, openai: str, param: str | None = None) -> ErrorSpec:
    """Return the spec of a question that the upstream refused: under /v1 the request is at fault."""
    return ErrorSpec(500, zh, en, OpenAIError("invalid_request_error", code, openai, 400, param))


_SLOW = "The upstream took too long."

ERRORS: Mapping[Reason, ErrorSpec] = {
    Reason.REQUEST_EMPTY: _unreadable("参数不能为空", "A parameter is missing or empty"),
    Reason.REQUEST_STYLE: _unreadable("style不存在", "There is no such style"),
    Reason.REQUEST_FORMAT: _unreadable("格式错误", "The request can't be read"),
    Reason.REQUEST_KEYWORD: _unreadable("仅支持英文", "The keyword must begin with a Latin letter"),
    Reason.REQUEST_TOO_LONG: _unreadable(
        "问题过长,最多 {limit} 字节", "The question is too long, at most {limit} bytes are taken"
    ),
    Reason.REQUEST_UNAUTHORIZED: ErrorSpec(
        401,
        "API key 缺失或无效",
        "API key missing or wrong",
        OpenAIError("authentication_error", "invalid_api_key", "Incorrect or missing API key."),
    ),
    Reason.REQUEST_ORIGIN: _invalid(
        "不允许其他网站的网页请求,见 CORS_ORIGINS",
        "Pages of other sites may not ask here: see CORS_ORIGINS",
        "Pages of other sites may not ask here: see CORS_ORIGINS.",
        403,
        Reason.REQUEST_ORIGIN,
    ),
    Reason.REQUEST_HOST: _invalid(
        "不接受此主机名,见 ALLOWED_HOSTS",
        "This service has no such name: see ALLOWED_HOSTS",
        "This server has no such name: see ALLOWED_HOSTS.",
        421,
        Reason.REQUEST_HOST,
    ),
    Reason.REQUEST_PATH: _invalid("未找到文件", "Not found", "Unknown request URL.", 404, "unknown_url"),
    Reason.REQUEST_METHOD: _invalid(
        "请求方法错误", "Method not allowed", "This method is not allowed here.", 405, "method_not_allowed"
    ),
    Reason.REQUEST_SLOW: ErrorSpec(
        408,
        "请求超时",
        "Request timeout",
        OpenAIError("invalid_request_error", "request_timeout", "The request body did not arrive in time."),
        retryable=True,
    ),
    Reason.REQUEST_TOO_LARGE: _invalid(
        "请求内容过大", "Request too large", "The request body is too large.", 413, "request_too_large"
    ),
    Reason.REQUEST_ENCODING: _invalid(
        "不支持 Content-Encoding: {encoding},请发送未压缩的内容",
        "The Content-Encoding {encoding} is not supported, send the body as it is",
        "The Content-Encoding '{encoding}' is not supported: send the body as it is.",
        415,
        "unsupported_content_encoding",
    ),
    Reason.REQUEST_ADDRESS: _invalid(
        "请求地址过长", "Request address too long", "The request URL is too long.", 414, "request_url_too_long"
    ),
    Reason.REQUEST_HEADERS: _invalid(
        "请求头过大",
        "Request headers too large",
        "The request headers are too large, or too many.",
        431,
        "request_headers_too_large",
    ),
    Reason.REQUEST_RATE: _too_many(),
    Reason.TOKEN_UNKNOWN: _invalid(
        "token不存在",
        "There is no such token",
        "There is no such conversation.",
        200,
        "not_found",
        legacy_code=120,
        v1=404,
    ),
    Reason.MODEL_UNKNOWN: ErrorSpec(
        404,
        "没有名为 {model} 的模型,或无权使用{nearest_zh}",
        "There is no model {model}, or it is not for this key{nearest_en}",
        OpenAIError(
            "invalid_request_error",
            "model_not_found",
            "The model '{model}' does not exist, or you do not have access to it{nearest_en}.",
            param="model",
        ),
    ),
    Reason.KEY_LENGTH: _invalid(
        "Idempotency-Key 须有 {shortest} 至 {longest} 个字符",
        "Idempotency-Key must have {shortest} to {longest} characters",
        "An Idempotency-Key must have {shortest} to {longest} characters.",
        422,
        Reason.KEY_LENGTH,
    ),
    Reason.KEY_REUSED: _invalid(
        "Idempotency-Key 已用于另一个问题",
        "Idempotency-Key was used for another question",
        "The Idempotency-Key was used for another question.",
        422,
        Reason.KEY_REUSED,
    ),
    Reason.KEY_SPENT: _invalid(
        "未找到文件", "Not found", "The Idempotency-Key's answer is no longer kept.", 404, Reason.KEY_SPENT
    ),
    Reason.ANSWER_UNKNOWN: _invalid(
        "未找到文件", "Not found", "There is no such answer, or it is no longer kept.", 404, "not_found"
    ),
    Reason.EXPORT_FORMAT: _rejected("需要 JSON", "JSON is needed: name and export"),
    Reason.EXPORT_NAME: _rejected(
        "账号名无效", "Not an account's name: 1 to 64 characters, without / or a dot in front"
    ),
    Reason.EXPORT_SIZE: _rejected("导出内容为空或过大", "The export is empty, or larger than 1 MiB"),
    Reason.CLIENT_LIMIT: _too_many(),
    Reason.CLIENT_BYTES: _too_many(),
    Reason.CLIENT_DAILY: ErrorSpec(
        429,
        "今日提问次数已用完,请稍后再试",
        "The day's questions are used up, come back later",
        OpenAIError("rate_limit_error", "rate_limit_exceeded", "The daily limit of requests is reached."),
        retryable=True,
    ),
    Reason.SOCKET_LIMIT: _too_many(1),
    Reason.QUEUE_FULL: _busy(Reason.QUEUE_FULL),
    Reason.QUEUE_TIMEOUT: _busy(Reason.QUEUE_TIMEOUT),
    Reason.WORKER_NONE: ErrorSpec(
        503,
        "没有正在运行且有账号的 worker,请稍后再试",
        "No worker with an account is running, come back later",
        OpenAIError(
            "service_unavailable", Reason.WORKER_NONE, "No worker with an account is running, try again later."
        ),
        retryable=True,
        retry_after=RETRY_AFTER,
    ),
    Reason.WORKER_OUTDATED: ErrorSpec(
        503,
        "服务正在更新,还不能处理这个请求,请稍后再试",
        "The service is being updated and can't take this request yet, come back later",
        OpenAIError(
            "service_unavailable",
            Reason.WORKER_OUTDATED,
            "The server is being updated and can't take this request yet, try again later.",
        ),
        retryable=True,
        retry_after=RETRY_AFTER,
    ),
    Reason.MODEL_AWAY: ErrorSpec(
        503,
        "模型 {model} 现在不可用,请稍后再试",
        "Nothing serves the model {model} now, come back later",
        OpenAIError(
            "service_unavailable", Reason.MODEL_AWAY, "Nothing serves the model '{model}' now, try again later."
        ),
        retryable=True,
        retry_after=RETRY_AFTER,
    ),
    Reason.STORE_UNAVAILABLE: _busy(Reason.STORE_UNAVAILABLE, 2),
    Reason.STORE_FULL: _busy(Reason.STORE_FULL),
    Reason.GATEWAY_DRAINING: _busy(Reason.GATEWAY_DRAINING, 1),
    Reason.TIMEOUT_GATEWAY: _failed(
        Reason.TIMEOUT_GATEWAY,
        "回答超时,请重新提问",
        "The answer took too long, ask again",
        "The answer took too long.",
    ),
    Reason.INTERNAL: ErrorSpec(
        500,
        "未知错误",
        "Unknown error",
        OpenAIError("server_error", None, "The server had an error while processing your request."),
    ),
    Reason.INTERRUPTED: _failed(
        Reason.INTERRUPTED,
        "回答中断,请重新提问",
        "The answer was interrupted, ask again",
        "The answer was interrupted.",
    ),
    Reason.POISON: _failed(
        Reason.POISON, "该问题多次使服务中断,已放弃", "The question broke the service repeatedly and was given up"
    ),
    Reason.CANCELLED: _failed(
        Reason.CANCELLED,
        "无人等待回答,问题已取消",
        "Nobody waited for the answer, so the question was cancelled",
        "Nobody waited for the answer, so the question was cancelled.",
    ),
    Reason.SESSION_CLOSED: _failed(Reason.SESSION_CLOSED, "会话已关闭", "The conversation was closed"),
    Reason.JOB_UNREADABLE: _failed(Reason.JOB_UNREADABLE, "无法识别的请求", "The worker could not read the question"),
    Reason.ACCOUNT_THROTTLED: ErrorSpec(
        500,
        "已上限,24小时后尝试",
        "All accounts are out of quota, try again in 24 hours",
        OpenAIError("insufficient_quota", "insufficient_quota", "All accounts are out of quota.", 429),
        legacy_code=120,
    ),
    Reason.ACCOUNT_CAPTCHA: _failed(
        Reason.ACCOUNT_CAPTCHA, "上游账号需要人工验证", "The upstream account needs a person to verify it"
    ),
    Reason.ACCOUNT_UNAUTHORIZED: _failed(
        Reason.ACCOUNT_UNAUTHORIZED,
        "上游账号未登录或无权限",
        "The upstream account is not signed in, or lacks permission",
    ),
    Reason.ACCOUNT_REFUSED: _failed(Reason.ACCOUNT_REFUSED, "上游拒绝了该账号", "The upstream refused the account"),
    Reason.ACCOUNT_BLOCKED: _failed(
        Reason.ACCOUNT_BLOCKED,
        "上游前的网关拒绝了请求",
        "Something in front of the upstream refused the request",
    ),
    Reason.ACCOUNT_NONE: _failed(
        Reason.ACCOUNT_NONE,
        "没有可用的上游账号",
        "No upstream account is available",
        "No upstream account can be asked.",
    ),
    Reason.SESSION_EXPIRED: _failed(Reason.SESSION_EXPIRED, "上游会话已过期", "The upstream conversation has expired"),
    Reason.SESSION_TOO_LONG: _refused(
        "对话内容超过了上游的长度限制",
        "The conversation is longer than the upstream allows",
        "context_length_exceeded",
        "The conversation is too long for the model.",
    ),
    Reason.SESSION_DISENGAGED: _failed(
        Reason.SESSION_DISENGAGED,
        "上游结束了本轮对话",
        "The upstream ended the conversation",
        "The upstream ended the conversation.",
    ),
    Reason.QUESTION_REFUSED: _refused(
        "上游拒绝了这个问题",
        "The upstream refused the question",
        "content_filter",
        "The question was refused by the upstream.",
    ),
    Reason.QUESTION_INVALID: _refused(
        "上游认为请求无效",
        "The upstream took the request for invalid",
        Reason.QUESTION_INVALID,
        "The upstream took the request for invalid.",
    ),
    Reason.ANSWER_EMPTY: _failed(
        Reason.ANSWER_EMPTY, "上游没有给出回答", "The upstream gave no answer", "The upstream gave no answer."
    ),
    Reason.ANSWER_TEXTLESS: _failed(
        Reason.ANSWER_TEXTLESS,
        "回答没有文字,只有推理或工具调用",
        "The answer has no text, only reasoning or calls of tools",
        "The answer has no text, only reasoning or calls of tools.",
    ),
    Reason.UPSTREAM_BUSY: _failed(
        Reason.UPSTREAM_BUSY, "上游繁忙或正在启动", "The upstream is busy, or is starting", "The upstream is busy."
    ),
    Reason.UPSTREAM_GATEWAY: _failed(
        Reason.UPSTREAM_GATEWAY,
        "上游前的网关没有得到回答",
        "Something in front of the upstream got no answer from it",
    ),
    Reason.UPSTREAM_INTERNAL: _failed(Reason.UPSTREAM_INTERNAL, "上游内部错误", "The upstream had an internal error"),
    Reason.UPSTREAM_PROTOCOL: _failed(
        Reason.UPSTREAM_PROTOCOL, "上游返回了无法识别的内容", "The upstream sent something unreadable"
    ),
    Reason.TRANSPORT_CONNECT: _failed(Reason.TRANSPORT_CONNECT, "无法连接上游", "The upstream could not be reached"),
    Reason.TRANSPORT_UPGRADE: _failed(
        Reason.TRANSPORT_UPGRADE, "上游拒绝了连接", "The upstream refused the connection"
    ),
    Reason.TRANSPORT_CLOSED: _failed(
        Reason.TRANSPORT_CLOSED, "上游中断了连接", "The upstream broke off the connection"
    ),
    Reason.TRANSPORT_TOO_BIG: _failed(Reason.TRANSPORT_TOO_BIG, "上游返回的内容过大", "The upstream sent too much"),
    Reason.TIMEOUT_CONNECT: _failed(
        Reason.TIMEOUT_CONNECT, "连接上游超时", "Connecting to the upstream took too long", _SLOW
    ),
    Reason.TIMEOUT_FIRST: _failed(
        Reason.TIMEOUT_FIRST, "等待上游回答超时", "The upstream took too long to begin its answer", _SLOW
    ),
    Reason.TIMEOUT_IDLE: _failed(
        Reason.TIMEOUT_IDLE, "上游回答中断超时", "The upstream paused for too long in its answer", _SLOW
    ),
    Reason.TIMEOUT_TOTAL: _failed(
        Reason.TIMEOUT_TOTAL, "回答超过了时间限制", "The answer exceeded its time limit", _SLOW
    ),
    Reason.STATE_LOST: _failed(
        Reason.STATE_LOST,
        "服务数据丢失,请重新提问",
        "The service lost data of this answer, ask again",
        "The server has lost the answer.",
    ),
    Reason.MODEL_NONE: _failed(
        Reason.MODEL_NONE,
        "没有可用的账号提供该模型",
        "No account that has this model is available",
        "No account that has this model can be asked.",
    ),
    Reason.MODEL_UNABLE: ErrorSpec(
        400,
        "该模型不支持所需的功能",
        "The model lacks what the request needs",
        OpenAIError("invalid_request_error", Reason.MODEL_UNABLE, "The model lacks what the request needs."),
    ),
    Reason.RESULT_TOO_LARGE: _refused(
        "结果过大,请减少输入",
        "The result is too large, send fewer inputs",
        Reason.RESULT_TOO_LARGE,
        "The result is larger than 8 MiB: send fewer inputs at a time.",
        "input",
    ),
    Reason.RESULT_FULL: _failed(
        Reason.RESULT_FULL,
        "结果存储已满,请稍后再试",
        "There is no room to keep the result, come back later",
        "There is no room for the result, try again later.",
    ),
    Reason.IMAGE_NONE: _failed(Reason.IMAGE_NONE, "没有能生成图片的上游账号", "No upstream account makes pictures"),
    Reason.IMAGE_BLOCKED: _refused(
        "图片描述被屏蔽",
        "The picture's description was blocked",
        "content_policy_violation",
        "The prompt was blocked.",
        "prompt",
    ),
    Reason.IMAGE_REVIEWED: _refused(
        "图片描述正在审核",
        "The picture's description is under review",
        "content_policy_violation",
        "The prompt is under review.",
        "prompt",
    ),
    Reason.IMAGE_UNSUPPORTED_LANGUAGE: _refused(
        "图片描述的语言不受支持",
        "The language of the picture's description is not supported",
        Reason.IMAGE_UNSUPPORTED_LANGUAGE,
        "The prompt's language is not supported.",
        "prompt",
    ),
    Reason.IMAGE_BUSY: _failed(Reason.IMAGE_BUSY, "图片服务繁忙", "The picture service is busy"),
    Reason.IMAGE_EMPTY: _failed(Reason.IMAGE_EMPTY, "没有生成图片", "No picture was made"),
    Reason.IMAGE_BAD: _failed(Reason.IMAGE_BAD, "生成的图片不可用", "The picture that was made is not usable"),
    Reason.IMAGE_TIMEOUT: _failed(Reason.IMAGE_TIMEOUT, "生成图片超时", "Making the picture took too long", _SLOW),
    Reason.IMAGE_PROTOCOL: _failed(
        Reason.IMAGE_PROTOCOL, "图片服务返回了无法识别的内容", "The picture service sent something unreadable"
    ),
    Reason.IMAGE_FULL: _failed(
        Reason.IMAGE_FULL,
        "图片存储已满,请稍后再试",
        "There is no room to keep the picture, come back later",
        "The picture was made, but there is no room to keep it.",
    ),
}


class RefusedError(Exception):
    """A request that can't be served, for a reason that its sender can read."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class BodyEncodingError(Exception):
    """A body has a Content-Encoding, `encoding`, that isn't decoded here."""

    def __init__(self, encoding: str) -> None:
        super().__init__("a body is taken only as it is")
        self.encoding = encoding


class QuestionLengthError(Exception):
    """A question, or a keyword, has more than `limit` bytes of UTF-8."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a question has at most {limit} bytes")
        self.limit = limit


class KeyLengthError(Exception):
    """An Idempotency-Key must have `shortest` to `longest` characters."""

    def __init__(self, shortest: int, longest: int) -> None:
        super().__init__(f"an Idempotency-Key has {shortest} to {longest} characters")
        self.shortest = shortest
        self.longest = longest


class NoWorkerError(Exception):
    """No worker has been alive for a while, so nobody would take the question."""


class ModelNotFoundError(Exception):
    """There is no such `model`, or the client may not ask it; `nearest` are the names most like it."""

    def __init__(self, model: str, nearest: Sequence[str]) -> None:
        super().__init__(f"no model {model!r}")
        self.model = model
        self.nearest = ", ".join(nearest)
        self.nearest_en = f"; the nearest names: {self.nearest}" if nearest else "; /v1/models lists those that exist"
        self.nearest_zh = f";相近的名称:{self.nearest}" if nearest else ";可用的模型见 /v1/models"


class ModelAwayError(Exception):
    """The `model` is known, but no account has it now."""

    def __init__(self, model: str) -> None:
        super().__init__(f"nothing serves {model!r}")
        self.model = model


class SocketFullError(Exception):
    """The socket follows as many answers as one may at once."""


class TurnEndedError(Exception):
    """The gateway stopped waiting for an answer, which may continue."""


class DeadlineError(TurnEndedError):
    """The answer didn't end within the limits."""


class DrainingError(TurnEndedError):
    """The gateway is going down."""


class ClientGoneError(TurnEndedError):
    """The client left."""


# Looked up along an error's class tree: the most specific entry wins.
REASONS: Mapping[type[Exception], Reason] = {
    BodyEncodingError: Reason.REQUEST_ENCODING,
    QuestionLengthError: Reason.REQUEST_TOO_LONG,
    KeyLengthError: Reason.KEY_LENGTH,
    KeyReusedError: Reason.KEY_REUSED,
    KeySpentError: Reason.KEY_SPENT,
    TokenUnknownError: Reason.TOKEN_UNKNOWN,
    ClientFullError: Reason.CLIENT_LIMIT,
    ClientBytesError: Reason.CLIENT_BYTES,
    ClientDailyError: Reason.CLIENT_DAILY,
    SocketFullError: Reason.SOCKET_LIMIT,
    NoWorkerError: Reason.WORKER_NONE,
    OutdatedWorkerError: Reason.WORKER_OUTDATED,
    ModelNotFoundError: Reason.MODEL_UNKNOWN,
    ModelAwayError: Reason.MODEL_AWAY,
    QueueFullError: Reason.QUEUE_FULL,
    StoreFullError: Reason.STORE_FULL,
    StoreUnavailableError: Reason.STORE_UNAVAILABLE,
    AnswerNotFoundError: Reason.ANSWER_UNKNOWN,
    AnswerLostError: Reason.STATE_LOST,
    DeadlineError: Reason.TIMEOUT_GATEWAY,
    DrainingError: Reason.GATEWAY_DRAINING,
}
STATUS_REASONS: Mapping[int, Reason] = {
    401: Reason.REQUEST_UNAUTHORIZED,
    404: Reason.REQUEST_PATH,
    405: Reason.REQUEST_METHOD,
    408: Reason.REQUEST_SLOW,
    413: Reason.REQUEST_TOO_LARGE,
    414: Reason.REQUEST_ADDRESS,
    421: Reason.REQUEST_HOST,
    431: Reason.REQUEST_HEADERS,
    429: Reason.REQUEST_RATE,
}
# Of the console, for an account that is handed in.
EXPORT_REASONS = (Reason.EXPORT_FORMAT, Reason.EXPORT_NAME, Reason.EXPORT_SIZE)
# All that an application has to handle; RefusedError and HTTPException have their reason with them.
HANDLED = (*REASONS, RefusedError, HTTPException)


@dataclass(frozen=True)
class Problem:
    """An error as the drop-in endpoints and v2 have it. `retry_after` is in seconds."""

    code: int
    message: str
    retry_after: int | None = None
    reason: str = Reason.INTERNAL

    @property
    def status(self) -> int:
        """The HTTP status: existing clients read 110 and 120 from the body of a 200."""
        return self.code if self.code >= 400 else 200


def find_reason(error: Exception) -> Reason:
    """Return the reason of an exception; INTERNAL for one that nobody expects."""
    if isinstance(error, RefusedError):
        return error.reason
    if isinstance(error, HTTPException):
        return STATUS_REASONS.get(error.status_code, Reason.INTERNAL)
    kinds = type(error).__mro__
    return next((REASONS[kind] for kind in kinds if kind in REASONS), Reason.INTERNAL)


def problem_for(reason: Reason, english: bool = False) -> Problem:
    """Return what a client gets for a reason."""
    spec = ERRORS[reason]
    return Problem(spec.legacy_code or spec.status, spec.text(english), spec.retry_after, reason)


def fill_in(text: str, error: Exception) -> str:
    """Return a sentence of the table with the error's attributes in it."""
    return text.format_map(vars(error))


def problem_of(error: Exception, english: bool = False) -> Problem:
    """Return what a client gets for an exception."""
    reason = find_reason(error)
    spec = ERRORS[reason]
    code = spec.legacy_code or spec.status
    if reason is Reason.INTERNAL and isinstance(error, HTTPException):
        code = error.status_code
    retry_after = getattr(error, "retry_after", spec.retry_after)
    text = _LOST if isinstance(error, AnswerLostError) else (spec.zh, spec.en)
    return Problem(code, fill_in(text[english], error), retry_after, reason)


# Seconds up to which a limit's end is near; quotas are of a day.
_BRIEFLY = 3600
# A log that is incomplete has another sentence than a worker's `state.lost`.
_LOST = ("回答已丢失,请重新提问", "The answer was lost, ask again")


def failure_of(event: Failed, english: bool = False) -> Problem:
    """Return what a client gets for an answer that failed. With a time to come back, nothing was spent."""
    known = event.reason in ERRORS
    spec = ERRORS[Reason(event.reason) if known else Reason.INTERNAL]
    code = spec.status if event.retry_after is None else spec.legacy_code or 503
    text = _brief_limit(event, english) if is_limited_briefly(event) else spec.text(english)
    if event.detail:
        text = f"{text}: {event.detail}"
    if not known and event.code:
        # Of another version: what it wrote for its clients, unless that says nothing.
        code, text = event.code, text if event.message == spec.zh else event.message
    return Problem(code, text, event.retry_after, event.reason)


def is_limited_briefly(event: Failed) -> bool:
    """Return whether all accounts are limited for a while only, and not for as long as a quota takes."""
    limited = event.reason == Reason.ACCOUNT_THROTTLED
    return limited and event.retry_after is not None and event.retry_after <= _BRIEFLY


def _brief_limit(event: Failed, english: bool) -> str:
    if english:
        return f"All accounts are limited, try again in {event.retry_after} seconds"
    return f"已上限,{event.retry_after}秒后尝试"


# Characters of Accept-Language that are read: browsers send fewer than two hundred.
_LONGEST_LIST = 1024


def prefers_english(accept_language: str) -> bool:
    """Return whether an Accept-Language header ranks English above Chinese."""
    ranks = {"en": 0.0, "zh": 0.0}
    for part in accept_language[:_LONGEST_LIST].split(","):
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
