"""The items of a response's input: all kinds of the API become messages, in words where they aren't text.

Pure but for `resolve`, which reads the answers that items refer to.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from gateway.openai.errors import InvalidRequestError

# Returns the text of the answer with this id, None if it isn't known.
ReadAnswer = Callable[[str], Awaitable[str | None]]

_REFERENCE = "item_reference"
_MESSAGE_ID, _REASONING_ID = "msg_", "rs_"
# Items that hold nothing that a later turn needs: the model's own thoughts, and its list of tools.
_LEFT_OUT = ("reasoning", "mcp_list_tools", "compaction")
_CALL_ENDS = ("_call", "mcp_approval_request")
_OUTPUT_ENDS = ("_output", "mcp_approval_response")


async def resolve_references(items: object, read: ReadAnswer) -> object:
    """Return the items with messages instead of references to answers. InvalidRequestError for an unknown one."""
    if not isinstance(items, list):
        return items
    return [await _resolve(item, f"input[{number}]", read) for number, item in enumerate(items)]


async def _resolve(item: Any, param: str, read: ReadAnswer) -> Any:
    if not isinstance(item, dict) or not _is_reference(item):
        return item
    name = item.get("id")
    if isinstance(name, str) and name.startswith(_REASONING_ID):
        return {"type": "reasoning"}
    is_message = isinstance(name, str) and name.startswith(_MESSAGE_ID)
    text = await read(str(name).removeprefix(_MESSAGE_ID)) if is_message else None
    if text is None:
        raise InvalidRequestError(f"Item with id '{name}' not found.", f"{param}.id", "item_not_found")
    return {"role": "assistant", "content": text}


def _is_reference(item: Mapping[str, Any]) -> bool:
    """Return whether an item only refers to another; its type may be left out."""
    return item.get("type") == _REFERENCE or (item.get("type") is None and item.keys() - {"type"} == {"id"})


def to_messages(items: object) -> object:
    """Return the items with messages instead of calls and their outputs, and without reasoning."""
    if not isinstance(items, list):
        return items
    return [_to_message(item) for item in items if not (isinstance(item, dict) and item.get("type") in _LEFT_OUT)]


def _to_message(item: Any) -> Any:
    kind = item.get("type") if isinstance(item, dict) else None
    if not isinstance(kind, str):
        return item
    if kind.endswith(_CALL_ENDS):
        return {"role": "assistant", "content": f"[{_describe_call(kind, item)}]"}
    if kind.endswith(_OUTPUT_ENDS):
        return {"role": "tool", "content": _words(item.get("output", item.get("approve")))}
    return item


def _describe_call(kind: str, item: Mapping[str, Any]) -> str:
    """Return a call in words: what was called, and with what."""
    name = item.get("name") if isinstance(item.get("name"), str) else kind.removesuffix("_call")
    given = next((item[field] for field in ("arguments", "input", "action", "code") if item.get(field)), "")
    return f"Called {name}: {_words(given)}" if given else f"Called {name}"


def _words(value: object) -> str:
    """Return a value as text: texts as they are, parts joined, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "\n\n".join(part["text"] for part in value)
    return msgspec.json.encode(value).decode()
