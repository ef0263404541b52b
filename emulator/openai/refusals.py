"""Questions and prompts that get no answer, but a status that says why."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate

from aiohttp import web

from emulator import peer
from emulator.openai import problem
from emulator.openai.problem import Problem

RETRY_AFTER = 5.0  # seconds
SERVER = "server_error"
RATE = "rate_limit_exceeded"

TOO_MANY = Problem(429, "Rate limit reached for requests. Please try again later.", kind="requests", code=RATE)
NO_MONEY = Problem(
    429,
    "You exceeded your current quota, please check your plan and billing details.",
    kind="insufficient_quota",
    code="insufficient_quota",
)
INTERNAL = Problem(500, "The server had an error while processing your request. Sorry about that!", kind=SERVER)
GATEWAY = Problem(502, "Bad gateway.", kind=SERVER, code="bad_gateway")
OVERLOADED = Problem(503, "The engine is currently overloaded, please try again later.", kind="service_unavailable")
FORBIDDEN = Problem(403, "Country, region, or territory not supported.", code="unsupported_country_region_territory")
TOO_LONG = Problem(
    400,
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
    "Please reduce the length of the messages.",
    code="context_length_exceeded",
    param="messages",
)
BAD_REQUEST = Problem(400, "This request is not valid.", code="invalid_value", param="messages")
SAFETY = Problem(400, "Your request was rejected by the safety system.", "image_generation_user_error")
FILTERED = Problem(
    400,
    "The response was filtered due to the prompt triggering the content management policy. "
    "Please modify your prompt and retry.",
    kind="",
    code="content_filter",
    param="prompt",
    more={
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
class Refusal:
    """outcome: what the ledger says. answer: the response, for the number beside the word."""

    outcome: str
    meaning: str
    answer: Callable[[float | None], web.Response]


def with_header(given: Problem, seconds: float | None, default: float | None = None) -> web.Response:
    """A problem with Retry-After in whole seconds, rounded up; without one if neither number is given."""
    wait = default if seconds is None else seconds
    if wait is None:
        return given.response()
    return replace(given, headers={"Retry-After": str(math.ceil(wait))}).response()


def throttled(seconds: float | None) -> web.Response:
    return with_header(TOO_MANY, seconds, RETRY_AFTER)


def throttled_until(seconds: float | None) -> web.Response:
    """The same with a date, by the real clock: that is what clients compare it with."""
    until = math.ceil(time.time() + (RETRY_AFTER if seconds is None else seconds))
    return replace(TOO_MANY, headers={"Retry-After": formatdate(until, usegmt=True)}).response()


def always(given: Problem) -> Callable[[float | None], web.Response]:
    return lambda _seconds: given.response()


def or_later(given: Problem) -> Callable[[float | None], web.Response]:
    return lambda seconds: with_header(given, seconds)


def page(status: int) -> Callable[[float | None], web.Response]:
    return lambda _seconds: peer.page(f"Status {status}", status)


CHAT: dict[str, Refusal] = {
    "throttled": Refusal("Throttled", "429 with Retry-After, `=S` seconds (else 5)", throttled),
    "throttled-date": Refusal(
        "Throttled", "429 with Retry-After as a date `=S` seconds from now (else 5)", throttled_until
    ),
    "throttled-bare": Refusal("Throttled", "429 without Retry-After", always(TOO_MANY)),
    "quota": Refusal("Throttled", "429 insufficient_quota, without Retry-After", always(NO_MONEY)),
    "unauthorized": Refusal("UnauthorizedRequest", "401 invalid_api_key", always(problem.wrong_key())),
    "forbidden": Refusal("Forbidden", "403", always(FORBIDDEN)),
    "model-not-found": Refusal("NotFound", "404 model_not_found", always(problem.no_model("that model"))),
    "http-404": Refusal("NotFound", "404 with an HTML page", page(404)),
    "context-length": Refusal("ContextLength", "400 context_length_exceeded", always(TOO_LONG)),
    "content-filter": Refusal("ContentFilter", "400 content_filter in Azure's shape", always(FILTERED)),
    "invalid-request": Refusal("InvalidRequest", "400 invalid_value", always(BAD_REQUEST)),
    "internal": Refusal("InternalError", "500", always(INTERNAL)),
    "http-502": Refusal("BadGateway", "502 with an HTML page", page(502)),
    "http-502-json": Refusal("BadGateway", "502 with an error in JSON", always(GATEWAY)),
    "http-503": Refusal("Unavailable", "503, with Retry-After only if `=S` gives it", or_later(OVERLOADED)),
    "html": Refusal("no completion", "status 200 with an HTML page", page(200)),
}

IMAGE: dict[str, Refusal] = {
    "blocked": Refusal("blocked", "400 moderation_blocked", always(replace(SAFETY, code="moderation_blocked"))),
    "unsafe": Refusal(
        "unsafe", "400 content_policy_violation", always(replace(SAFETY, code="content_policy_violation"))
    ),
    "busy": Refusal("busy", "503, with Retry-After only if `=S` gives it", or_later(OVERLOADED)),
    "too-many": Refusal("too-many", "429 with Retry-After, `=S` seconds (else 5)", throttled),
    "quota": Refusal("quota", "429 insufficient_quota, without Retry-After", always(NO_MONEY)),
    "sign-in": Refusal("sign-in", "401 invalid_api_key", always(problem.wrong_key())),
    "forbidden": Refusal("forbidden", "403", always(FORBIDDEN)),
    "http-404": Refusal("http-404", "404 with an HTML page, as where there are no pictures", page(404)),
    "http-500": Refusal("http-500", "500", always(INTERNAL)),
    "html": Refusal("html", "status 200 with an HTML page", page(200)),
}
