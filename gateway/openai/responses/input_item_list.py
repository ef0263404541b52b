"""GET /v1/responses/{response}/input_items: the input of a stored response, a page at a time. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gateway.answering import thought_fields
from gateway.openai.errors import InvalidRequestError
from wire.prompt import Message, Opaque, Part, Picture, Refusal, Text, Thought, ToolCall

_LARGEST, _USUAL = 100, 20
Item = dict[str, Any]


class InputItemList(msgspec.Struct, kw_only=True):
    """A page of the items of a response's input."""

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


@dataclass(frozen=True)
class PageQuery:
    """Which items: up to `limit`, the newest first or last, behind `after` and ahead of `before` in that order."""

    limit: int = _USUAL
    newest_first: bool = True
    after: str = ""
    before: str = ""


def parse_query(query_params: Mapping[str, str]) -> PageQuery:
    """Return what the parameters of an address ask for. InvalidRequestError."""
    order, limit = query_params.get("order", "desc"), query_params.get("limit", str(_USUAL))
    if order not in ("asc", "desc"):
        raise InvalidRequestError("'order' must be 'asc' or 'desc'.", "order", "invalid_value")
    if not (limit.isascii() and limit.isdecimal() and len(limit) < 10 and 1 <= int(limit) <= _LARGEST):
        raise InvalidRequestError(f"'limit' must be 1 to {_LARGEST}.", "limit", "invalid_value")
    return PageQuery(int(limit), order == "desc", query_params.get("after", ""), query_params.get("before", ""))


def list_items(answer: str, messages: Sequence[Message], query: PageQuery) -> InputItemList:
    """Return a page of the input of the response with that answer. InvalidRequestError for an item that isn't there."""
    items = build_items(answer, messages)
    if query.newest_first:
        items.reverse()
    names = [item["id"] for item in items]
    first = _place(names, query.after, "after") + 1 if query.after else 0
    end = _place(names, query.before, "before") if query.before else len(items)
    # Ahead of an item are those nearest to it.
    if query.before and not query.after:
        first = max(0, end - query.limit)
    page = items[first : min(end, first + query.limit)]
    more = first > 0 if query.before and not query.after else first + len(page) < end
    return InputItemList(
        data=page,
        first_id=page[0]["id"] if page else None,
        last_id=page[-1]["id"] if page else None,
        has_more=more,
    )


def build_items(answer: str, messages: Sequence[Message]) -> list[Item]:
    """Return messages as items of the API, each with an id that remains the same."""
    custom = {call.id for message in messages for call in message.calls if call.custom}
    items = [item for message in messages for item in _items(message, custom)]
    return [{"id": f"{_prefix(item)}_{answer}_in{number}", **item} for number, item in enumerate(items)]


def _place(names: Sequence[str], name: str, param: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        message = f"'{param}' must be the id of an item of this response's input."
        raise InvalidRequestError(message, param, "invalid_value") from None


def _prefix(item: Item) -> str:
    prefixes = {"function_call": "fc", "custom_tool_call": "ctc", "reasoning": "rs"}
    kind: str = item["type"]
    return prefixes.get(kind, f"{prefixes[kind.removesuffix('_output')]}o" if kind.endswith("_output") else "msg")


def _items(message: Message, custom: Collection[str]) -> Iterator[Item]:
    """Yield the items of a message; `custom` are the ids of calls of custom tools."""
    if message.role == "tool" and message.call_id:
        yield _output(message, custom=message.call_id in custom)
        return
    shown: list[Item] = []
    for part in message.parts:
        if isinstance(part, Thought):
            yield _reasoning(part)
        else:
            shown.append(_part(part, by_model=message.role == "assistant"))
    if shown or not message.calls:
        role = "user" if message.role == "tool" else message.role
        yield {"type": "message", "role": role, "status": "completed", "content": shown}
    for call in message.calls:
        yield _call(call)


def _output(message: Message, *, custom: bool) -> Item:
    output: str | list[Item] = [_part(part, by_model=False) for part in message.parts if not isinstance(part, Thought)]
    if message.string:
        output = message.text
    kind = "custom_tool_call_output" if custom else "function_call_output"
    return {"type": kind, "call_id": message.call_id, "output": output, "status": "completed"}


def _call(call: ToolCall) -> Item:
    shared = {"call_id": call.id, "name": call.name, "status": "completed"}
    if call.custom:
        return {"type": "custom_tool_call", "input": call.arguments, **shared}
    return {"type": "function_call", "arguments": call.arguments, **shared}


def _reasoning(part: Thought) -> Item:
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    return {"type": "reasoning", "summary": summary} | (
        {"encrypted_content": thought_fields.pack(part.extra)} if part.extra else {}
    )


def _part(part: Part, *, by_model: bool) -> Item:
    match part:
        case Text(text=text) if by_model:
            return {"type": "output_text", "text": text, "annotations": []}
        case Text(text=text) | Thought(text=text):
            return {"type": "input_text", "text": text}
        case Refusal(text=text):
            return {"type": "refusal", "refusal": text}
        case Picture(url=url, detail=detail):
            return {"type": "input_image", "image_url": url, "detail": detail or "auto"}
        case Opaque(value=value):
            return value
