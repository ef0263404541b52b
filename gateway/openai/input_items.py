"""The items of a response's input: all kinds of the API become messages, in words where they aren't text.

Pure but for `resolve`, which reads the answers that items refer to.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.errors import InvalidRequestError

# Returns the text of the answer with this id, empty if it has none; None if it isn't known.
ReadAnswer = Callable[[str], Awaitable[str | None]]

_REFERENCE = "item_reference"
# The kinds of ids that lead to an answer of ours, maybe with the place of an item in it behind.
_MESSAGE_IDS: Sequence[str] = ("msg", "resp", "chatcmpl")
_CALL_ID, _REASONING_ID = "fc", "rs"
# Items that hold nothing that a later turn needs: the model's own thoughts, and its list of tools.
_LEFT_OUT = ("reasoning", "mcp_list_tools", "compaction")
_CALL_ENDS = ("_call", "mcp_approval_request")
_OUTPUT_ENDS = ("_output", "mcp_approval_response")


class ItemReference(msgspec.Struct, kw_only=True):
    """A reference to an item of an earlier response; its type may be left out where it has nothing but the id."""

    type: Literal["item_reference"] | None = None
    id: Annotated[str, Meta(description="An id that this service gave out: of a message, call or reasoning.")]


class ReasoningItem(msgspec.Struct, kw_only=True):
    """The model's own thoughts, a summary of them, or its list of tools. It is left out."""

    type: Annotated[str, Meta(extra_json_schema={"enum": list(_LEFT_OUT)})]
    id: str | None = None


class FunctionCallItem(msgspec.Struct, kw_only=True):
    """A function that the assistant called. It becomes words."""

    type: Literal["function_call"] = "function_call"
    call_id: str
    name: str
    arguments: Annotated[str, Meta(description="JSON.")]


class FunctionOutputItem(msgspec.Struct, kw_only=True):
    """The result of a function."""

    type: Literal["function_call_output"] = "function_call_output"
    call_id: str
    output: Annotated[Any, Meta(description="A text, or parts of text. Anything else is passed on as JSON.")]


class ToolCallItem(msgspec.Struct, kw_only=True):
    """A tool of any other kind that the assistant called. It becomes words."""

    type: Annotated[str, Meta(extra_json_schema={"pattern": "(_call|^mcp_approval_request)$"})]
    name: Annotated[str | None, Meta(description="The tool; the kind of the call if it is missing.")] = None
    arguments: Annotated[Any, Meta(description="What it was called with, as the three below.")] = None
    input: Any = None
    action: Any = None
    code: Any = None


class ToolOutputItem(msgspec.Struct, kw_only=True):
    """The result of such a tool."""

    type: Annotated[str, Meta(extra_json_schema={"pattern": "(_output|^mcp_approval_response)$"})]
    output: Annotated[Any, Meta(description="A text, or parts of text. Anything else is passed on as JSON.")] = None
    approve: Annotated[Any, Meta(description="Whether the call was allowed, where there is no output.")] = None


# All items but messages.
OTHER_ITEMS: Sequence[type[msgspec.Struct]] = (
    ItemReference,
    ReasoningItem,
    FunctionCallItem,
    FunctionOutputItem,
    ToolCallItem,
    ToolOutputItem,
)


async def resolve_references(items: object, read: ReadAnswer) -> object:
    """Return the items with what they are instead of references to them. InvalidRequestError for an unknown one."""
    if not isinstance(items, list):
        return items
    return [await _resolve(item, f"input[{number}]", read) for number, item in enumerate(items)]


async def _resolve(item: Any, param: str, read: ReadAnswer) -> Any:
    if not isinstance(item, dict) or not _is_reference(item):
        return item
    name = item.get("id")
    if not isinstance(name, str):
        raise InvalidRequestError(f"'{param}.id' must be a string.", f"{param}.id", "invalid_type")
    kind, _, place = name.partition("_")
    if kind == _REASONING_ID:
        # Anybody's: it is left out all the same.
        return {"type": "reasoning"}
    kind, _, answer = name.partition("-") if name.startswith("chatcmpl-") else (kind, "_", place.partition("_")[0])
    text = await read(answer) if kind in (*_MESSAGE_IDS, _CALL_ID) else None
    if kind == _CALL_ID and text is not None:
        return {"type": "function_call"}
    if not text:
        message = f"Item with id '{name}' not found: it isn't one of this service, or is no longer kept."
        raise InvalidRequestError(message, f"{param}.id", "item_not_found")
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
        return {"role": "function", "content": _words(item.get("output", item.get("approve")))}
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
