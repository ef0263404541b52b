"""The ways in which a question ends without an answer."""

from collections.abc import Mapping

# Refusals for lack of room or quota; any other code than 200 is an error.
_NO_ROOM = (429, 503)
_QUOTA = 120
_OUT_OF_QUOTA = "已上限"


class RefusedError(Exception):
    """The service has no room and reports it. `retry_after` is in seconds; 0 where a frame can't contain it."""

    def __init__(self, code: int, retry_after: float) -> None:
        super().__init__(f"refused: {code}")
        self.code = code
        self.retry_after = retry_after


class WrongEndError(Exception):
    """A client got an error, or what it should never get; one sentence."""


def check(body: object, headers: Mapping[str, str] | None = None) -> object:
    """Return the data in a body or frame. RefusedError or WrongEndError for any other than success.

    headers: of an HTTP response whose whole body this is; then a refusal must have Retry-After.
    """
    if not isinstance(body, dict) or "code" not in body:
        raise WrongEndError("neither an answer nor an error")
    code, message = body["code"], str(body.get("message"))
    if code == 200:
        return body.get("data")
    if code in _NO_ROOM or (code == _QUOTA and message.startswith(_OUT_OF_QUOTA)):
        raise RefusedError(code, 0.0 if headers is None else _retry_after(code, headers))
    raise WrongEndError(f"{code} {message}")


def _retry_after(code: int, headers: Mapping[str, str]) -> float:
    value = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    if not value.isdecimal():
        raise WrongEndError(f"refused with {code}, but without Retry-After")
    return float(value)
