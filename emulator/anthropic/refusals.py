"""Questions that get no answer, but a status that gives the reason."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import web

from emulator import http_faults
from emulator.anthropic import error_response, rate_limits
from emulator.anthropic.error_response import AnthropicError, invalid

RETRY_AFTER = 5.0  # seconds

TOO_MANY = AnthropicError(
    429, "rate_limit_error", "This request would exceed your organization's rate limit of requests per minute."
)
OVERLOADED = AnthropicError(529, "overloaded_error", "Overloaded")
INTERNAL = AnthropicError(500, "api_error", "Internal server error")
NO_MONEY = invalid("Your credit balance is too low to access the Anthropic API.")
BILLING = AnthropicError(402, "billing_error", "There is a problem with your billing or payment information.")
FORBIDDEN = AnthropicError(403, "permission_error", "Your API key does not have permission to use this resource.")
TOO_LONG = invalid("prompt is too long: 208310 tokens > 200000 maximum")
FILTERED = invalid("Output blocked by content filtering policy")
BAD_REQUEST = invalid("messages: this request is not valid")
TIMEOUT = AnthropicError(504, "timeout_error", "The request took too long.")
UNAVAILABLE = AnthropicError(503, "api_error", "Service unavailable")
GATEWAY = AnthropicError(502, "api_error", "Bad gateway")


@dataclass(frozen=True)
class MessageRefusal:
    """A refusal. outcome: as in the ledger. render: returns the response, for the number beside the directive."""

    outcome: str
    meaning: str
    render: Callable[[float | None], web.Response]


def throttled(seconds: float | None) -> web.Response:
    """Return 429 with retry-after in whole seconds, rounded up, and the limits, of which nothing is left."""
    wait = math.ceil(RETRY_AFTER if seconds is None else seconds)
    return replace(TOO_MANY, headers={"retry-after": str(wait), **rate_limits.describe(0, wait)}).render()


def always(error: AnthropicError) -> Callable[[float | None], web.Response]:
    """Return a function that renders this error for any number."""
    return lambda _seconds: error.render()


def or_later(error: AnthropicError) -> Callable[[float | None], web.Response]:
    """Return a function that renders this error with retry-after only if there is a number."""

    def render(seconds: float | None) -> web.Response:
        headers = {} if seconds is None else {"retry-after": str(math.ceil(seconds))}
        return replace(error, headers=headers).render()

    return render


def page(status: int) -> Callable[[float | None], web.Response]:
    """Return a function that renders an HTML page for any number."""
    return lambda _seconds: http_faults.status_page(status)


CHAT: dict[str, MessageRefusal] = {
    "throttled": MessageRefusal("Throttled", "429 rate_limit_error with retry-after, `=S` seconds (else 5)", throttled),
    "throttled-bare": MessageRefusal("Throttled", "429 without retry-after", always(TOO_MANY)),
    "quota": MessageRefusal("Throttled", "400, the credit balance is too low", always(NO_MONEY)),
    "billing": MessageRefusal("Throttled", "402 billing_error", always(BILLING)),
    "unauthorized": MessageRefusal(
        "UnauthorizedRequest", "401 authentication_error", always(error_response.wrong_key())
    ),
    "forbidden": MessageRefusal("Forbidden", "403 permission_error", always(FORBIDDEN)),
    "model-not-found": MessageRefusal("NotFound", "404 not_found_error", always(error_response.no_model("that-model"))),
    "http-404": MessageRefusal("NotFound", "404 with an HTML page", page(404)),
    "context-length": MessageRefusal("ContextLength", "400, the prompt is too long", always(TOO_LONG)),
    "content-filter": MessageRefusal("ContentFilter", "400, blocked by the content filter", always(FILTERED)),
    "invalid-request": MessageRefusal("InvalidRequest", "400 invalid_request_error", always(BAD_REQUEST)),
    "too-large": MessageRefusal("InvalidRequest", "413 request_too_large", always(error_response.too_large())),
    "internal": MessageRefusal("InternalError", "500 api_error", always(INTERNAL)),
    "http-502": MessageRefusal("BadGateway", "502 with an HTML page", page(502)),
    "http-502-json": MessageRefusal("ServerError", "502 with an error in JSON", always(GATEWAY)),
    "http-503": MessageRefusal("Unavailable", "503, with retry-after only if `=S` gives it", or_later(UNAVAILABLE)),
    "http-504": MessageRefusal("ServerError", "504 timeout_error", always(TIMEOUT)),
    "overloaded": MessageRefusal(
        "Unavailable", "529 overloaded_error, with retry-after only if `=S` gives it", or_later(OVERLOADED)
    ),
    "html": MessageRefusal("no completion", "status 200 with an HTML page", page(200)),
}
