"""The parameters of the drop-in endpoints. Pure: bytes in, questions or RefusedError out.

The order of the checks is fixed: an object, then not empty, then the style, then the length, then the token.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, FormParser, parse_options_header

from gateway.errors import QuestionLengthError, RefusedError
from gateway.http.charsets import UTF_8, decode_text
from gateway.http.fields import MAX_FIELDS, Fields, join_surrogates, parse_object
from wire.messages import Style
from wire.reasons import Reason

# No other text can be a live token, so it needs no look-up.
_TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)
_LATIN = re.compile("[A-Za-z]")
_NAMES = ("style", "question", "token", "keyword")
# So many parts of a form are read; the parser takes a long time for each.
MAX_FORM_PARTS = 100
# The field in which a browser names the set of a form's other fields (HTML, "form submission").
_CHARSET = "_charset_"
# Bytes of a Content-Type that are read; what it takes to find its parameters grows with their square.
_LONGEST_TYPE = 1024
_STYLES: Mapping[str, Style] = {style: style for style in get_args(Style)}


@dataclass(frozen=True)
class QuestionParams:
    """The parameters of a question; `token` is None for a new conversation."""

    style: Style
    question: str
    token: str | None


def parse_question(fields: Fields, limit: int) -> QuestionParams:
    """Return the question in `fields`, of up to `limit` bytes of UTF-8. Raises RefusedError, QuestionLengthError."""
    style, question = fields.get("style", ""), fields.get("question", "")
    if not style.strip() or not question.strip():
        raise RefusedError(Reason.REQUEST_EMPTY)
    if style not in _STYLES:
        raise RefusedError(Reason.REQUEST_STYLE)
    _check_length(question, limit)
    token = fields.get("token") or None
    if token is not None and not _TOKEN.fullmatch(token):
        raise RefusedError(Reason.TOKEN_UNKNOWN)
    return QuestionParams(_STYLES[style], question, token)


def parse_keyword(fields: Fields, limit: int) -> str:
    """Return the keyword of an image request, of up to `limit` bytes of UTF-8. RefusedError, QuestionLengthError."""
    keyword = fields.get("keyword", "")
    if not keyword.strip():
        raise RefusedError(Reason.REQUEST_EMPTY)
    if not _LATIN.match(keyword):
        raise RefusedError(Reason.REQUEST_KEYWORD)
    _check_length(keyword, limit)
    return keyword


def _check_length(text: str, limit: int) -> None:
    if len(text.encode()) > limit:
        raise QuestionLengthError(limit)


def parse_body(data: bytes, content_type: str) -> Fields:
    """Return the fields of a POST's body. Raises RefusedError.

    A body without a type, or with that of a form or of plain text, may still be JSON: old clients send it so.
    """
    kind, options = parse_options_header(content_type[:_LONGEST_TYPE])
    charset = options.get(b"charset", b"").decode("latin-1")
    if kind == b"multipart/form-data":
        return _parse_multipart(data, options.get(b"boundary"), charset)
    if kind == b"application/json" or kind.endswith(b"+json"):
        return _parse_json(data, charset)
    stripped = data.strip()
    if not stripped:
        return {}
    if stripped.startswith((b"{", b"[")) or (kind != b"application/x-www-form-urlencoded" and b"=" not in stripped):
        return _parse_json(data, charset)
    return parse_form(stripped, charset)


def parse_form(data: bytes, charset: str = "") -> Fields:
    """Return the known fields of a query or of a urlencoded form. Raises RefusedError.

    The last field of a name counts. Text without a named character set is UTF-8, percent-encoded or not.
    """
    try:
        pairs = parse_qsl(data.decode("latin-1"), keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise RefusedError(Reason.REQUEST_FORMAT) from None
    fields = {name: value.encode("latin-1") for name, value in pairs if name in (*_NAMES, _CHARSET)}
    charset = fields.pop(_CHARSET, b"").decode("latin-1") or charset
    return {name: decode_text(value, charset or UTF_8) for name, value in fields.items()}


def parse_message(data: str | bytes) -> Fields:
    """Return the fields of a JSON object: a body or a WebSocket message. Raises RefusedError."""
    return select_fields(parse_object(data))


def select_fields(message: Mapping[str, Any]) -> Fields:
    """Return the known fields of an object as text. Raises RefusedError."""
    return {name: _text(message[name]) for name in _NAMES if name in message}


def _text(value: Any) -> str:
    """Return a field's value as text: null is empty, a number is its digits. Raises RefusedError for anything else."""
    if value is None:
        return ""
    if isinstance(value, str):
        return join_surrogates(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(Reason.REQUEST_FORMAT)
    return json.dumps(value)


def _parse_json(data: bytes, charset: str) -> Fields:
    """Return the fields of a JSON object: in UTF-8, as JSON has to be, or else in the character set that is named."""
    try:
        return parse_message(data)
    except RefusedError:
        if not charset:
            raise
    return parse_message(decode_text(data, charset))


def _parse_multipart(data: bytes, boundary: bytes | None, charset: str) -> Fields:
    """Return the known fields of a multipart form. A part's own character set comes before that of the form."""
    fields: dict[str, tuple[bytes, str]] = {}
    left = MAX_FORM_PARTS

    def count(_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise RefusedError(Reason.REQUEST_FORMAT)

    def keep(field: Field) -> None:
        count(field)
        name = (field.field_name or b"").decode("utf-8", "replace")
        if name in (*_NAMES, _CHARSET):
            _, options = parse_options_header(field.content_type)
            fields[name] = field.value or b"", options.get(b"charset", b"").decode("latin-1")

    try:
        # The body is in memory already and bounded: no part of it goes to a file.
        in_memory = {"MAX_MEMORY_FILE_SIZE": len(data) + 1}
        parser = FormParser("multipart/form-data", keep, count, boundary=boundary, config=in_memory)
        parser.write(data)
        parser.finalize()
    except FormParserError:
        raise RefusedError(Reason.REQUEST_FORMAT) from None
    declared, _ = fields.pop(_CHARSET, (b"", ""))
    charset = declared.decode("latin-1") or charset or UTF_8
    return {name: decode_text(value, own or charset) for name, (value, own) in fields.items()}
