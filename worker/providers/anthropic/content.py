"""Write the parts of messages as the content blocks of Anthropic's API."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from wire.prompt import Opaque, Part, Picture, PromptRole, Refusal, Text, Thought, ToolCall
from wire.reasons import Reason
from worker.errors import UpstreamError

UNSEEN = "[picture]"
# What a custom tool's text is called inside the object that every tool gets here.
FREE_TEXT = "input"
# The field of an input that holds arguments which are no object, as Anthropic's guide to streamed calls has it.
INVALID = "INVALID_JSON"
_THOUGHTS = frozenset({"thinking", "redacted_thinking", "reasoning"})
# Where other APIs have a file.
_FILES = frozenset({"file", "input_file"})
_TEXT_TYPES = ("text/", "application/json", "application/xml")
_PDF = "application/pdf"
# Characters before the content of a `data:` URL, and of a content that isn't in base64. Gateways check both, older ones
# neither: of megabytes of `;` or `%` each would be a string of its own.
_LONGEST_HEAD = 200
_MOST_ESCAPED = 64 * 1024
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def unable(what: str) -> UpstreamError:
    """Return the error for a prompt with something that this API has no form for; another account may have one."""
    error = UpstreamError(Reason.MODEL_UNABLE, refused=True, words=f"The model's server can't take {what}.")
    error.elsewhere = True
    return error


def render_part(part: Part, role: PromptRole, *, own: bool, sees: bool) -> dict[str, Any] | None:
    """Return a part as a block; None for one that the API takes for nothing. UpstreamError `model.unable`.

    `own`: it came by this API. The server can see pictures if `sees` is true; only users' and tools' are taken.
    """
    match part:
        case Text(text=text, extra=extra) | Refusal(text=text, extra=extra):
            return {"type": "text", "text": text, **extra} if text.strip() else None
        case Picture() if not sees or role not in ("user", "tool"):
            return {"type": "text", "text": UNSEEN}
        case Picture(url=url, extra=extra):
            return {"type": "image", "source": _picture_source(url), **extra}
        case Thought(text=text, extra=extra):
            return _render_thought(text, extra)
        case Opaque(value=value):
            return value if own else _render_foreign(value, role)


def render_call(call: ToolCall, id_: str) -> dict[str, Any]:
    """Return a call; arguments that are no object are put into one."""
    return {"type": "tool_use", "id": id_, "name": call.name, "input": _arguments(call), **call.extra}


def read_thinking(value: object) -> dict[str, Any] | None:
    """Return a block of thinking that the API would take; None for anything else, such as one without a signature."""
    block = value if isinstance(value, dict) else {}
    fields = {"thinking": ("thinking", "signature"), "redacted_thinking": ("data",)}.get(str(block.get("type")))
    if fields is None or not all(isinstance(block.get(name), str) for name in fields) or not block[fields[-1]]:
        return None
    return block


def _render_thought(text: str, extra: Mapping[str, Any]) -> dict[str, Any] | None:
    if extra.get("data") and not text:
        return read_thinking({"type": "redacted_thinking", **extra})
    return read_thinking({"type": "thinking", "thinking": text, **extra})


def _arguments(call: ToolCall) -> Any:
    """Return the arguments as they were written, if they are an object."""
    if not call.custom:
        try:
            _object.decode(call.arguments)
            return msgspec.Raw(call.arguments.encode())
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            pass
    if call.custom:
        return {FREE_TEXT: call.arguments}
    return {INVALID: call.arguments} if call.arguments.strip() else {}


def _render_foreign(value: Mapping[str, Any], role: PromptRole) -> dict[str, Any] | None:
    """Return a part of another API's own. UpstreamError `model.unable` if there is no form for it."""
    kind = str(value.get("type"))
    if kind in _FILES and role in ("user", "tool"):
        inner = value.get("file")
        return _render_file(inner if isinstance(inner, dict) else value)
    if kind in _THOUGHTS:
        return read_thinking(value)
    raise unable(f"a part of the type '{kind[:64]}'")


def _render_file(file: Mapping[str, Any]) -> dict[str, Any]:
    name, url, data = file.get("filename"), file.get("file_url"), file.get("file_data")
    title = {"title": name} if isinstance(name, str) and name else {}
    if isinstance(url, str) and url:
        return {"type": "document", "source": {"type": "url", "url": url}, **title}
    if not isinstance(data, str) or not data:
        raise unable("a file without its content")
    kind, content = _parse_data(data) if _is_data(data) else (_PDF, data)
    if kind == _PDF:
        return {"type": "document", "source": {"type": "base64", "media_type": kind, "data": content}, **title}
    if not kind.startswith(_TEXT_TYPES):
        raise unable(f"a file of the type '{kind[:64]}'")
    text = _decode(content).decode(errors="replace")
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **title}


def _picture_source(url: str) -> dict[str, Any]:
    if not _is_data(url):
        return {"type": "url", "url": url}
    kind, content = _parse_data(url)
    return {"type": "base64", "media_type": "image/jpeg" if kind == "image/jpg" else kind, "data": content}


def _is_data(url: str) -> bool:
    return url[: len("data:")].lower() == "data:"


def _parse_data(url: str) -> tuple[str, str]:
    """Return the type and the content, in base64, of a data: URL. UpstreamError `model.unable` for a long other one."""
    end = url.find(",", 0, _LONGEST_HEAD)
    if end < 0:
        raise unable("a data: URL without its content")
    kind, *parameters = url[len("data:") : end].split(";")
    content = url[end + 1 :]
    if not any(parameter.strip().lower() == "base64" for parameter in parameters):
        if len(content) > _MOST_ESCAPED:
            raise unable("a long data: URL that isn't base64")
        content = base64.b64encode(unquote_to_bytes(content)).decode()
    return kind.strip().lower() or "text/plain", content


def _decode(content: str) -> bytes:
    """Return bytes from base64. UpstreamError `model.unable` if it is none."""
    try:
        return base64.b64decode(content)
    except (binascii.Error, ValueError) as error:
        raise unable("a file whose content is no base64") from error
