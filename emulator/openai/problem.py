"""What goes wrong, in the shape in which OpenAI's API says it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from emulator import frames
from emulator.frames import Json

INVALID = "invalid_request_error"


class ProblemError(Exception):
    """Raised where a request turns out to be wrong."""

    def __init__(self, problem: "Problem") -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True)
class Problem:
    """status: of HTTP. kind: the error's `type`. more: fields beside the four usual ones."""

    status: int
    message: str
    kind: str = INVALID
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Json = field(default_factory=dict)

    @property
    def body(self) -> Json:
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error | self.more}

    def response(self) -> web.Response:
        return json_response(self.body, self.status, self.headers)


def json_response(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON with the id that such servers give every request."""
    return web.Response(
        status=status,
        text=frames.dump(body),
        content_type="application/json",
        headers={"x-request-id": request_id(), **(headers or {})},
    )


def request_id() -> str:
    return f"req_{os.urandom(16).hex()}"


def no_key() -> Problem:
    return Problem(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY).",
    )


def wrong_key() -> Problem:
    """Says nothing of the key itself, not even a part."""
    return Problem(401, "Incorrect API key provided.", code="invalid_api_key")


def no_model(name: str) -> Problem:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return Problem(404, message, code="model_not_found")


def no_json() -> Problem:
    return Problem(400, "We could not parse the JSON body of your request.")


def missing(param: str) -> Problem:
    return Problem(400, f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)


def wrong_type(param: str, expected: str) -> Problem:
    message = f"Invalid type for '{param}': expected {expected}."
    return Problem(400, message, code="invalid_type", param=param)


def wrong_value(param: str, expected: str) -> Problem:
    message = f"Invalid value for '{param}': expected {expected}."
    return Problem(400, message, code="invalid_value", param=param)
