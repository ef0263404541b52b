"""Read the errors of a server with the OpenAI API. What is logged never contains the server's own message."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.openai.parameters import find_parameter
from worker.providers.openai.refusals import NO_CREDIT, NO_CREDIT_WORDS, BodyKind, find_rule
from worker.providers.openai.retry_after import RETRY_AFTER, parse_retry_delay, parse_retry_words
from worker.providers.openai.words import clean_words

# A code that is safe to log: words, or an HTTP status.
_CODE = re.compile(r"[A-Za-z_]{1,40}|[1-5]\d\d")
_PAGE = re.compile(rb"\s*(<!doctype|<html|<head|<body|<\?xml)", re.IGNORECASE)
_LONGEST_MESSAGE = 2000
_LONGEST_PARAM = 200
# What follows a field's name where its place is inside of it, such as `messages[1].content`.
_TOP = re.compile(r"[.\[]")


@dataclass(frozen=True)
class ErrorReport:
    """An error that a server reports.

    `status` is the HTTP status, or the one that an error within a stream contains; None if it has none. `codes` are the
    error's names as the server writes them; `message` is for people, and may repeat the question and the key. `params`
    are the fields of the request that it names. `retry_after`, in seconds, is in a field of the error itself.
    """

    status: int | None
    codes: tuple[str, ...] = ()
    message: str = ""
    params: tuple[str, ...] = ()
    retry_after: float | None = None
    body: BodyKind = BodyKind.ERROR

    def to_upstream_error(
        self,
        retry_after: float | None = None,
        policy: Reason = Reason.QUESTION_REFUSED,
        secret: str = "",
        fields: Collection[str] = (),
        sent: Collection[str] = (),
    ) -> UpstreamError:
        """Return our error for a question of whose answer nothing has arrived yet.

        `retry_after` is the pause that the server's headers contain, in seconds; `policy` is the reason for a question
        whose content is rejected. `secret` is the key, which the words for the client don't contain. `fields` are those
        of earlier answers that were sent along, and `sent` those of the request that its client sent as they are.
        """
        rule = find_rule(self.status, self.body, self.codes, self.message)
        reason = policy if rule.reason is Reason.QUESTION_REFUSED else rule.reason
        pause = self.retry_after if retry_after is None else retry_after
        if pause is None and reason in _PAUSED_BY_WORDS and (self.status == 429 or not rule.by_question):
            pause = parse_retry_words(self.message)
        if reason is Reason.ACCOUNT_THROTTLED and pause is None and not self._lacks_credit:
            pause = RETRY_AFTER
        allowed = pause if reason in _PAUSED and not rule.final else None
        error = UpstreamError(reason, self.detail, refused=not rule.final, retry_after=allowed)
        error.status, error.is_page = self.status, self.body is BodyKind.PAGE
        error.by_question = rule.by_question
        error.elsewhere = reason in _SERVERS and not rule.final
        error.missing_model = reason is Reason.ACCOUNT_REFUSED and (
            self.status == 404 or any(code.lower() == _NO_MODEL for code in self.codes)
        )
        if reason is Reason.QUESTION_INVALID:
            error.words = clean_words(self.message, secret)
            error.param = self._find_param(sent)
        if reason in _ABOUT_THE_REQUEST and not rule.final:
            error.parameter = find_parameter(self.params, self.message, fields)
        return error

    def _find_param(self, sent: Collection[str]) -> str:
        """Return the first field that it names and that is, or is part of, one of those that were sent."""
        named = (param for param in self.params if _TOP.split(param, 1)[0] in sent and len(param) <= _LONGEST_PARAM)
        return next(named, "")

    @property
    def detail(self) -> str:
        """The part that may be logged."""
        status = [f"HTTP {self.status}"] if self.status else []
        return ", ".join([*status, *(code for code in self.codes if _CODE.fullmatch(code))])

    @property
    def _lacks_credit(self) -> bool:
        named = any(code.lower() in NO_CREDIT for code in self.codes)
        return self.status == 402 or named or NO_CREDIT_WORDS.search(self.message.lower()) is not None


_NO_MODEL = "model_not_found"
# Refusals that are about the server and not about the account.
_SERVERS = frozenset({Reason.UPSTREAM_BUSY, Reason.UPSTREAM_INTERNAL})
# Refusals that may be about a field of the request.
_ABOUT_THE_REQUEST = frozenset({Reason.QUESTION_INVALID, Reason.UPSTREAM_INTERNAL})
# Refusals for which the account pauses as long as the server asks for.
_PAUSED = frozenset({Reason.ACCOUNT_THROTTLED, Reason.UPSTREAM_BUSY, Reason.UPSTREAM_INTERNAL})
# Those of them of which the words count too: they don't repeat what was asked.
_PAUSED_BY_WORDS = frozenset({Reason.ACCOUNT_THROTTLED, Reason.UPSTREAM_BUSY})


def parse_error_response(status: int, body: bytes, content_type: str = "") -> ErrorReport:
    """Parse the body of an error's response; one that isn't JSON adds its kind, and its text if it is no page."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        if "html" in content_type.lower() or _PAGE.match(body):
            return ErrorReport(status, body=BodyKind.PAGE)
        return ErrorReport(status, message=_text(body), body=BodyKind.OTHER)
    report = parse_error(value, status)
    kind = BodyKind.ERROR if _is_error(value) else BodyKind.JSON
    return ErrorReport(status, report.codes, report.message, report.params, report.retry_after, kind)


def parse_error(value: Any, status: int | None = None) -> ErrorReport:
    """Parse an error that is an object, or inside one, or inside a list."""
    if isinstance(value, list):
        value = value[0] if value else None
    outer = value if isinstance(value, dict) else {}
    error = outer.get("error") or value
    if not isinstance(error, dict):
        message = error[:_LONGEST_MESSAGE] if isinstance(error, str) else ""
        return ErrorReport(status, message=message, retry_after=parse_retry_delay(outer))
    codes = tuple(
        str(error[name]) for name in ("type", "code", "status", "error_code") if isinstance(error.get(name), str | int)
    )
    message, params = _message(error)
    number = next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)), None)
    pause = parse_retry_delay(error)
    pause = parse_retry_delay(outer) if pause is None else pause
    return ErrorReport(status or number, codes, message, params, pause)


def has_error(value: Mapping[str, Any]) -> bool:
    """Return whether a document under 200, or a chunk, is an error: in one of the ways that servers write it.

    An error whose fields are all empty is none, and neither is a report of success beside an answer.
    """
    error = value.get("error")
    if any(error.values()) if isinstance(error, dict) else error:
        return True
    if value.get("choices"):
        return False
    if value.get("errors") or value.get("success") is False or "error" in (value.get("type"), value.get("status")):
        return True
    if value.get("object") == "error" or (value.get("detail") and isinstance(value["detail"], str | list)):
        return True
    words = any(value.get(name) for name in ("message", "msg", "title", "error_msg"))
    statuses = [value.get(name) for name in ("status", "statusCode", "status_code")]
    is_status = any(isinstance(status, int) and status >= 400 for status in statuses)
    return words and (is_status or any(map(_is_failure, (value.get("code"), value.get("error_code")))))


def _is_failure(code: Any) -> bool:
    """Return whether a code is neither 0 nor an HTTP status of success, nor the word for one."""
    text = str(code or 0).lower()
    return not isinstance(code, bool) and re.fullmatch(r"0+|2\d\d|ok|success", text) is None


def _is_error(value: Any) -> bool:
    if isinstance(value, list):
        value = value[0] if value else None
    return isinstance(value, dict) and bool(value.get("error") or value.get("object") == "error")


def _message(error: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return an error's message, and the fields of the request that the error names.

    Servers that check a request by its schema send a list in place of a message; each item has the field's place.
    """
    params = [error["param"]] if isinstance(error.get("param"), str) else []
    for name in ("message", "detail", "errors", "msg", "error_msg"):
        value = error.get(name)
        if isinstance(value, dict):
            value = value.get("detail") or value.get("message")
        if isinstance(value, str) and value:
            return (value + _passed_on(error))[:_LONGEST_MESSAGE], tuple(params)
        if isinstance(value, list) and value:
            return _join_items(value, params)[:_LONGEST_MESSAGE], tuple(params)
    return "", tuple(params)


def _passed_on(error: Mapping[str, Any]) -> str:
    """Return the words of the server behind the one that reports an error, as OpenRouter passes them on."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return f": {raw}" if isinstance(raw, str) and raw else ""


def _join_items(items: list[Any], params: list[str]) -> str:
    """Return the sentences of the items, and add the fields that they name to `params`."""
    sentences = []
    for item in items[:10]:
        place = item.get("loc") if isinstance(item, dict) else None
        names = [name for name in place if isinstance(name, str)] if isinstance(place, list) else []
        params += names
        text = (item.get("msg") or item.get("message")) if isinstance(item, dict) else item
        sentences.append(": ".join(filter(None, [".".join(names), text if isinstance(text, str) else ""])))
    return "; ".join(filter(None, sentences))


def _text(body: bytes) -> str:
    text = body.decode(errors="replace").strip()
    return text[:_LONGEST_MESSAGE] if text.isprintable() or "\n" in text else ""
