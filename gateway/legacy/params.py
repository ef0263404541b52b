"""From what clients send to requests. Pure: bytes in, requests or RefusedError out.

The order of checks is fixed: is it an object, then empty, then style, then token.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, FormParser, parse_options_header

from gateway.errors import EMPTY, FORMAT, LATIN, STYLE, TOKEN, RefusedError
from wire.messages import Style

Fields = dict[str, str]

# Whatever else a client calls a token can't be alive, and needn't be looked up.
_TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=$|[,;])', re.ASCII | re.IGNORECASE)
LONGEST_WAIT = 300.0
_LATIN = re.compile("[A-Za-z]")
_STYLES: Mapping[str, Style] = {style: style for style in get_args(Style)}
_MAX_FIELDS = 1000


@dataclass(frozen=True)
class QuestionParams:
    """A question; `token` is None when a new conversation is to begin."""

    style: Style
    question: str
    token: str | None


def ask(fields: Fields) -> QuestionParams:
    """The question that `fields` hold. RefusedError."""
    style, question = fields.get("style", ""), fields.get("question", "")
    if not style.strip() or not question.strip():
        raise RefusedError(EMPTY)
    if style not in _STYLES:
        raise RefusedError(STYLE)
    token = fields.get("token") or None
    if token is not None and not _TOKEN.fullmatch(token):
        raise RefusedError(TOKEN)
    return QuestionParams(_STYLES[style], question, token)


def patience(prefer: str) -> float:
    """For how many seconds a client would rather wait than be refused: `Prefer: wait=N` of RFC 7240; 0 without it."""
    found = _WAIT.search(prefer)
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0


def keyword(fields: Fields) -> str:
    """The keyword of an image request. RefusedError."""
    found = fields.get("keyword", "")
    if not found.strip():
        raise RefusedError(EMPTY)
    if not _LATIN.match(found):
        raise RefusedError(LATIN)
    return found


def query(query_string: bytes) -> Fields:
    """The fields of a query, or of a urlencoded form: the last one of a name counts, as it did for old clients.

    Text that was sent without percent-encoding is read as UTF-8. RefusedError when there are too many fields.
    """
    text = query_string.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise RefusedError(FORMAT) from None


def body(data: bytes, content_type: str) -> Fields:
    """The fields of a POST's body. RefusedError.

    A body without a type, or with that of a form or of plain text, may be JSON all the same: old clients send it so.
    """
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        return _multipart(data, options.get(b"boundary"))
    if kind == b"application/json" or kind.endswith(b"+json"):
        return message(data)
    stripped = data.strip()
    if not stripped:
        return {}
    if stripped.startswith((b"{", b"[")) or (kind != b"application/x-www-form-urlencoded" and b"=" not in stripped):
        return message(data)
    return query(stripped)


def message(data: str | bytes) -> Fields:
    """The fields of a JSON object, as a body or a WebSocket message holds it. RefusedError."""
    return known_fields(json_object(data))


def json_object(data: str | bytes) -> dict[str, Any]:
    """A JSON object. RefusedError if it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise RefusedError(FORMAT) from None
    if not isinstance(found, dict):
        raise RefusedError(FORMAT)
    return found


def known_fields(found: Mapping[str, Any]) -> Fields:
    """Those fields of an object that we know, as text. RefusedError."""
    return {name: _text(found[name]) for name in ("style", "question", "token", "keyword") if name in found}


def _text(value: Any) -> str:
    """A field's value as text: null is empty, a number is its digits. RefusedError for anything else."""
    if value is None:
        return ""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(FORMAT)
    return json.dumps(value)


def whole(text: str) -> str:
    """`text` with surrogate pairs joined and half ones replaced: JSON can hold them, UTF-8 can't."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _multipart(data: bytes, boundary: bytes | None) -> Fields:
    fields: Fields = {}

    def keep(field: Field) -> None:
        name = (field.field_name or b"").decode("utf-8", "replace")
        fields[name] = (field.value or b"").decode("utf-8", "replace")

    try:
        # The body is in memory already and bounded: no part of it goes to a file.
        in_memory = {"MAX_MEMORY_FILE_SIZE": len(data) + 1}
        parser = FormParser("multipart/form-data", keep, lambda _: None, boundary=boundary, config=in_memory)
        parser.write(data)
        parser.finalize()
    except FormParserError:
        raise RefusedError(FORMAT) from None
    return fields
