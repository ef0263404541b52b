"""How a question may end that has no answer."""

from collections.abc import Mapping

# Refusals for want of room or quota; any other code than 200 is an error.
_ROOM = (429, 503)
_QUOTA = 120
_OUT_OF_QUOTA = "已上限"


class RefusedError(Exception):
    """The service has no room and says so. `retry_after` is in seconds; 0 where a frame can't tell it."""

    def __init__(self, code: int, retry_after: float) -> None:
        super().__init__(f"refused: {code}")
        self.code = code
        self.retry_after = retry_after


class WrongEndError(Exception):
    """A client got an error, or what it should never get; one sentence."""


def check(told: object, headers: Mapping[str, str] | None = None) -> object:
    """The data in a body or frame. RefusedError or WrongEndError for any other than success.

    headers: of an HTTP response whose whole body this is; then a refusal has to say when to come back.
    """
    if not isinstance(told, dict) or "code" not in told:
        raise WrongEndError("neither an answer nor an error")
    code, message = told["code"], str(told.get("message"))
    if code == 200:
        return told.get("data")
    if code in _ROOM or (code == _QUOTA and message.startswith(_OUT_OF_QUOTA)):
        raise RefusedError(code, 0.0 if headers is None else _retry_after(code, headers))
    raise WrongEndError(f"{code} {message}")


def _retry_after(code: int, headers: Mapping[str, str]) -> float:
    found = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    if not found.isdecimal():
        raise WrongEndError(f"refused with {code}, but without Retry-After")
    return float(found)
