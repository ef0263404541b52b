"""Errors in the shape in which Anthropic's API reports them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from emulator.event_stream import SendEvent
from emulator.json_text import Json, dump

INVALID = "invalid_request_error"
LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LENGTH = 22  # characters of an id behind its prefix and version


class MessageError(Exception):
    """A request turned out to be wrong."""

    def __init__(self, response: "AnthropicError") -> None:
        super().__init__(response.message)
        self.response = response


@dataclass(frozen=True)
class AnthropicError:
    """An error. status: of HTTP. kind: the error's `type`."""

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request: str) -> Json:
        """Return the body in JSON. request: the request's id."""
        return {"type": "error", "error": {"type": self.kind, "message": self.message}, "request_id": request}

    def render(self) -> web.Response:
        """Return the HTTP response."""
        name = make_id("req")
        return json_response(self.body(name), self.status, {"request-id": name, **self.headers})

    @property
    def event(self) -> SendEvent:
        """The error as an event of a stream."""
        return SendEvent(self.body(make_id("req")), "error")


def make_id(prefix: str) -> str:
    """Return a new id, in which `01` follows the prefix."""
    return f"{prefix}_01" + "".join(LETTERS[byte % len(LETTERS)] for byte in os.urandom(LENGTH))


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return JSON with the id that every request has."""
    usual = {"request-id": make_id("req")}
    return web.Response(
        status=status, text=dump(body), content_type="application/json", headers={**usual, **(headers or {})}
    )


def invalid(message: str) -> AnthropicError:
    """Return the error for a request that is wrong."""
    return AnthropicError(400, INVALID, message)


def no_key() -> AnthropicError:
    """Return the error for a request without a key."""
    return AnthropicError(401, "authentication_error", "x-api-key header is required")


def wrong_key() -> AnthropicError:
    """Return the error for a key that is not valid."""
    return AnthropicError(401, "authentication_error", "invalid x-api-key")


def no_model(name: str) -> AnthropicError:
    """Return the error for a model that does not exist."""
    return AnthropicError(404, "not_found_error", f"model: {name}")


def too_large() -> AnthropicError:
    """Return the error for a body above the limit."""
    return AnthropicError(413, "request_too_large", "Request exceeds the maximum size")
