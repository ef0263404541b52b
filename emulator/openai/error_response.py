"""Errors in the shape in which OpenAI's API reports them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from emulator.json_text import Json, dump

INVALID = "invalid_request_error"


class BadRequestError(Exception):
    """A request turned out to be wrong."""

    def __init__(self, response: "ErrorResponse") -> None:
        super().__init__(response.message)
        self.response = response


@dataclass(frozen=True)
class ErrorResponse:
    """An error. status: of HTTP. kind: the error's `type`. extra_fields: of the error, beside the four usual ones.

    whole_body: in place of all that, for a server whose errors have another shape.
    """

    status: int
    message: str
    kind: str = INVALID
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    extra_fields: Json = field(default_factory=dict)
    whole_body: object = None

    @property
    def body(self) -> Any:
        """The body in JSON."""
        if self.whole_body is not None:
            return self.whole_body
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error | self.extra_fields}

    def render(self) -> web.Response:
        """Return the HTTP response."""
        return json_response(self.body, self.status, self.headers)


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return JSON with the id that such servers give every request."""
    return web.Response(
        status=status,
        text=dump(body),
        content_type="application/json",
        headers={"x-request-id": request_id(), **(headers or {})},
    )


def request_id() -> str:
    """Return a new id of a request."""
    return f"req_{os.urandom(16).hex()}"


def no_key() -> ErrorResponse:
    """Return the error for a request without a key."""
    return ErrorResponse(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY).",
    )


def wrong_key() -> ErrorResponse:
    """Return the error for a key that is not valid; it holds no part of the key."""
    return ErrorResponse(401, "Incorrect API key provided.", code="invalid_api_key")


def no_model(name: str) -> ErrorResponse:
    """Return the error for a model that does not exist."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return ErrorResponse(404, message, code="model_not_found")


def no_json() -> ErrorResponse:
    """Return the error for a body that is no JSON object."""
    return ErrorResponse(400, "We could not parse the JSON body of your request.")


def missing(param: str) -> ErrorResponse:
    """Return the error for a field that is not there."""
    return ErrorResponse(400, f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)


def wrong_type(param: str, expected: str) -> ErrorResponse:
    """Return the error for a field of another type."""
    message = f"Invalid type for '{param}': expected {expected}."
    return ErrorResponse(400, message, code="invalid_type", param=param)


def wrong_value(param: str, expected: str) -> ErrorResponse:
    """Return the error for a field with a value that is not allowed."""
    message = f"Invalid value for '{param}': expected {expected}."
    return ErrorResponse(400, message, code="invalid_value", param=param)
