"""Questions and prompts that get no answer, but a status that gives the reason."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate

from aiohttp import web

from emulator import http_faults
from emulator.openai import error_response
from emulator.openai.error_response import ErrorResponse

RETRY_AFTER = 5.0  # seconds
SERVER = "server_error"
RATE = "rate_limit_exceeded"

TOO_MANY = ErrorResponse(429, "Rate limit reached for requests. Please try again later.", kind="requests", code=RATE)
NO_MONEY = ErrorResponse(
    429,
    "You exceeded your current quota, please check your plan and billing details.",
    kind="insufficient_quota",
    code="insufficient_quota",
)
INTERNAL = ErrorResponse(500, "The server had an error while processing your request. Sorry about that!", kind=SERVER)
GATEWAY = ErrorResponse(502, "Bad gateway.", kind=SERVER, code="bad_gateway")
OVERLOADED = ErrorResponse(
    503, "The engine is currently overloaded, please try again later.", kind="service_unavailable"
)
FORBIDDEN = ErrorResponse(
    403, "Country, region, or territory not supported.", code="unsupported_country_region_territory"
)
TOO_LONG = ErrorResponse(
    400,
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
    "Please reduce the length of the messages.",
    code="context_length_exceeded",
    param="messages",
)
BAD_REQUEST = ErrorResponse(400, "This request is not valid.", code="invalid_value", param="messages")
SAFETY = ErrorResponse(400, "Your request was rejected by the safety system.", "image_generation_user_error")
FILTERED = ErrorResponse(
    400,
    "The response was filtered due to the prompt triggering the content management policy. "
    "Please modify your prompt and retry.",
    kind="",
    code="content_filter",
    param="prompt",
    extra_fields={
        "type": None,
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": False, "severity": "safe"},
                "jailbreak": {"filtered": False, "detected": False},
                "self_harm": {"filtered": False, "severity": "safe"},
                "sexual": {"filtered": False, "severity": "safe"},
                "violence": {"filtered": True, "severity": "medium"},
            },
        },
    },
)


@dataclass(frozen=True)
class CompletionRefusal:
    """A refusal. outcome: as in the ledger. render: returns the response, for the number beside the directive."""

    outcome: str
    meaning: str
    render: Callable[[float | None], web.Response]


def with_header(error: ErrorResponse, seconds: float | None, default: float | None = None) -> web.Response:
    """Return an error with Retry-After in whole seconds, rounded up; without one if neither number is given."""
    wait = default if seconds is None else seconds
    if wait is None:
        return error.render()
    return replace(error, headers={"Retry-After": str(math.ceil(wait))}).render()


def throttled(seconds: float | None) -> web.Response:
    """Return 429 with Retry-After."""
    return with_header(TOO_MANY, seconds, RETRY_AFTER)


def throttled_until(seconds: float | None) -> web.Response:
    """Return the same with a date, by the real clock: clients compare it with theirs."""
    until = math.ceil(time.time() + (RETRY_AFTER if seconds is None else seconds))
    return replace(TOO_MANY, headers={"Retry-After": formatdate(until, usegmt=True)}).render()


def always(error: ErrorResponse) -> Callable[[float | None], web.Response]:
    """Return a function that renders this error for any number."""
    return lambda _seconds: error.render()


def or_later(error: ErrorResponse) -> Callable[[float | None], web.Response]:
    """Return a function that renders this error with Retry-After only if there is a number."""
    return lambda seconds: with_header(error, seconds)


def page(status: int) -> Callable[[float | None], web.Response]:
    """Return a function that renders an HTML page for any number."""
    return lambda _seconds: http_faults.status_page(status)


CHAT: dict[str, CompletionRefusal] = {
    "throttled": CompletionRefusal("Throttled", "429 with Retry-After, `=S` seconds (else 5)", throttled),
    "throttled-date": CompletionRefusal(
        "Throttled", "429 with Retry-After as a date `=S` seconds from now (else 5)", throttled_until
    ),
    "throttled-bare": CompletionRefusal("Throttled", "429 without Retry-After", always(TOO_MANY)),
    "quota": CompletionRefusal("Throttled", "429 insufficient_quota, without Retry-After", always(NO_MONEY)),
    "unauthorized": CompletionRefusal("UnauthorizedRequest", "401 invalid_api_key", always(error_response.wrong_key())),
    "forbidden": CompletionRefusal("Forbidden", "403", always(FORBIDDEN)),
    "model-not-found": CompletionRefusal(
        "NotFound", "404 model_not_found", always(error_response.no_model("that model"))
    ),
    "http-404": CompletionRefusal("NotFound", "404 with an HTML page", page(404)),
    "context-length": CompletionRefusal("ContextLength", "400 context_length_exceeded", always(TOO_LONG)),
    "content-filter": CompletionRefusal("ContentFilter", "400 content_filter in Azure's shape", always(FILTERED)),
    "invalid-request": CompletionRefusal("InvalidRequest", "400 invalid_value", always(BAD_REQUEST)),
    "internal": CompletionRefusal("InternalError", "500", always(INTERNAL)),
    "http-502": CompletionRefusal("BadGateway", "502 with an HTML page", page(502)),
    "http-502-json": CompletionRefusal("ServerError", "502 with an error in JSON", always(GATEWAY)),
    "http-503": CompletionRefusal("Unavailable", "503, with Retry-After only if `=S` gives it", or_later(OVERLOADED)),
    "html": CompletionRefusal("no completion", "status 200 with an HTML page", page(200)),
}

IMAGE: dict[str, CompletionRefusal] = {
    "blocked": CompletionRefusal(
        "blocked", "400 moderation_blocked", always(replace(SAFETY, code="moderation_blocked"))
    ),
    "unsafe": CompletionRefusal(
        "unsafe", "400 content_policy_violation", always(replace(SAFETY, code="content_policy_violation"))
    ),
    "busy": CompletionRefusal("busy", "503, with Retry-After only if `=S` gives it", or_later(OVERLOADED)),
    "too-many": CompletionRefusal("too-many", "429 with Retry-After, `=S` seconds (else 5)", throttled),
    "quota": CompletionRefusal("quota", "429 insufficient_quota, without Retry-After", always(NO_MONEY)),
    "sign-in": CompletionRefusal("sign-in", "401 invalid_api_key", always(error_response.wrong_key())),
    "forbidden": CompletionRefusal("forbidden", "403", always(FORBIDDEN)),
    "http-404": CompletionRefusal("http-404", "404 with an HTML page, as where there are no pictures", page(404)),
    "http-500": CompletionRefusal("http-500", "500", always(INTERNAL)),
    "html": CompletionRefusal("html", "status 200 with an HTML page", page(200)),
}
