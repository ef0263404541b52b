"""The content blocks of messages. Pure: JSON in, parts of a message or InvalidRequestError out."""

import json
from collections.abc import Iterator
from typing import Any

from gateway.answering import thought_fields
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, check_depth, read_field, read_filled, read_object, rest_of
from gateway.openai.messages import MAX_PARTS
from gateway.openai.picture_urls import check_picture_url
from wire.prompt import Opaque, Part, Picture, Text, Thought, ToolCall

# What the model did not write itself of a citation of ours; a server's own has a text there.
CITED_HERE = "encrypted_index"


def read_blocks(content: object, param: str) -> list[tuple[Fields, str, str]]:
    """Return the blocks of a content, each with its type and its name in the request."""
    if not isinstance(content, list):
        raise InvalidRequestError(f"'{param}' must be a string or a list of blocks.", param, "invalid_type")
    if len(content) > MAX_PARTS:
        raise InvalidRequestError(f"'{param}' may hold up to {MAX_PARTS} blocks.", param, "invalid_value")
    blocks = []
    for number, given in enumerate(content):
        where = f"{param}[{number}]"
        fields = read_object(given, where)
        blocks.append((fields, read_filled(fields, "type", where), where))
    return blocks


def parse_text(content: object, param: str) -> tuple[Part, ...]:
    """Return the parts of a content that is text alone."""
    if isinstance(content, str):
        return (Text(content),)
    parts = []
    for fields, kind, where in read_blocks(content, param):
        if kind != "text":
            raise InvalidRequestError(f"'{where}.type' must be 'text'.", f"{where}.type", "unsupported_value")
        parts.append(_text(fields, where))
    return tuple(parts)


def parse_parts(content: object, param: str) -> tuple[Part, ...]:
    """Return the parts of a content without calls and results, such as that of a result."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    return tuple(
        part for fields, kind, where in read_blocks(content, param) for part in parse_part(fields, kind, where)
    )


def parse_part(fields: Fields, kind: str, param: str) -> Iterator[Part]:
    """Yield the part that a block is; nothing for thinking that isn't from here."""
    match kind:
        case "text":
            yield _text(fields, param)
        case "image" if _is_shown(fields):
            yield _picture(fields, param)
        case "thinking":
            yield from _thought(read_field(fields, "thinking", str, param) or "", fields, "signature", param)
        case "redacted_thinking":
            yield from _thought("", fields, "data", param)
        case _:
            check_depth(fields, param)
            yield Opaque(dict(fields))


def parse_call(fields: Fields, param: str) -> ToolCall:
    """Return the call of a block `tool_use`."""
    given = read_object(fields.get("input"), f"{param}.input")
    check_depth(given, f"{param}.input")
    return ToolCall(
        read_filled(fields, "id", param),
        read_filled(fields, "name", param),
        json.dumps(given, ensure_ascii=False, separators=(",", ":")),
        extra=rest_of(fields, ("type", "id", "name", "input"), param),
    )


def _text(fields: Fields, param: str) -> Text:
    text = fields.get("text")
    if not isinstance(text, str):
        raise InvalidRequestError(f"'{param}.text' must be a string.", f"{param}.text", "invalid_type")
    extra = rest_of(fields, ("type", "text"), param)
    if any(map(_is_ours, _citations(extra))):
        del extra["citations"]
    return Text(text, extra)


def _citations(extra: dict[str, Any]) -> list[Any]:
    citations = extra.get("citations")
    return citations if isinstance(citations, list) else []


def _is_ours(citation: object) -> bool:
    """Return whether a citation is one of our own answers', for people: no server knows it."""
    return isinstance(citation, dict) and citation.get(CITED_HERE) == ""


def _is_shown(fields: Fields) -> bool:
    """Return whether a picture came as its content or its address, and not as a file that its server has."""
    source = fields.get("source")
    return not (isinstance(source, dict) and source.get("type") not in ("base64", "url"))


def _picture(fields: Fields, param: str) -> Picture:
    where = f"{param}.source"
    source = read_object(fields.get("source"), where)
    if source["type"] == "url":
        url, name = read_filled(source, "url", where), "url"
    else:
        media_type, data = read_filled(source, "media_type", where), read_filled(source, "data", where)
        url, name = f"data:{media_type};base64,{data}", "data"
    check_picture_url(url, f"{where}.{name}")
    return Picture(url, extra=rest_of(fields, ("type", "source"), param))


def _thought(text: str, fields: Fields, name: str, param: str) -> Iterator[Thought]:
    extra = thought_fields.unpack(read_field(fields, name, str, param) or "")
    if extra is not None:
        yield Thought(text, extra)
