"""The items of a response's input, as the documentation has them; see gateway.openai.responses.input_items."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.messages import (
    ADDRESS,
    MAX_PARTS,
    TEXT_KINDS,
    InputTextPart,
    OutputTextPart,
    PicturePart,
    RefusalPart,
    TextPart,
)
from gateway.openai.responses.input_items import LEFT_OUT, ROLES
from gateway.openai.schema_marks import STRING, any_of, list_of

_CALLS = ("function_call", "custom_tool_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_CALL_ID = Annotated[str, Meta(min_length=1)]


class InputPicturePart(msgspec.Struct, kw_only=True, tag_field="type", tag="input_image"):
    """A picture: its address, or itself as a `data:` URL in base64. With a `file_id` it is passed on as it is."""

    image_url: Annotated[str, Meta(pattern=ADDRESS)] | None = None
    file_id: str | None = None
    detail: str | None = None


class OtherInputPart(msgspec.Struct, kw_only=True):
    """A part of any other type, such as `input_file`. It goes to a model's server as it is."""

    type: Annotated[
        str,
        Meta(min_length=1, extra_json_schema={"not": {"enum": [*TEXT_KINDS, "refusal", "image_url", "input_image"]}}),
    ]


_PARTS = (TextPart, InputTextPart, OutputTextPart, RefusalPart, PicturePart, InputPicturePart, OtherInputPart)
_Parts = Annotated[Any, any_of(STRING, list_of(*_PARTS, maxItems=MAX_PARTS))]


class InputMessage(msgspec.Struct, kw_only=True):
    """A message."""

    type: Literal["message"] | None = None
    role: Annotated[str, Meta(extra_json_schema={"enum": list(ROLES)})]
    content: _Parts
    name: Annotated[str | None, Meta(description="Who wrote it.")] = None


class ItemReference(msgspec.Struct, kw_only=True):
    """A reference to an item of an earlier response; its type may be left out where it has nothing but the id."""

    type: Literal["item_reference"] | None = None
    id: Annotated[str, Meta(description="An id that this service gave out: of a message, call, thought or response.")]


class ThoughtText(msgspec.Struct, kw_only=True):
    """A part of a thought."""

    text: str


class ReasoningItem(msgspec.Struct, kw_only=True):
    """What the model thought. It is left out if its `encrypted_content` isn't one of this service."""

    type: Literal["reasoning"]
    id: Annotated[str | None, Meta(description="The thought is known by it where there is no `encrypted_content`.")] = (
        None
    )
    summary: list[ThoughtText] | None = None
    content: list[ThoughtText] | None = None
    encrypted_content: Annotated[str | None, Meta(description="As it came, if `include` asked for it.")] = None


class LeftOutItem(msgspec.Struct, kw_only=True):
    """An item that no server here could take. It is left out."""

    type: Annotated[str, Meta(extra_json_schema={"enum": list(LEFT_OUT)})]


class FunctionCallItem(msgspec.Struct, kw_only=True):
    """A function that the assistant called."""

    type: Literal["function_call"]
    call_id: _CALL_ID
    name: Annotated[str, Meta(min_length=1)]
    arguments: Annotated[str, Meta(description="JSON, as the model wrote it.")]


class CustomCallItem(msgspec.Struct, kw_only=True):
    """A custom tool that the assistant called."""

    type: Literal["custom_tool_call"]
    call_id: _CALL_ID
    name: Annotated[str, Meta(min_length=1)]
    input: str


class CallOutputItem(msgspec.Struct, kw_only=True):
    """The result of such a call."""

    type: Annotated[str, Meta(extra_json_schema={"enum": list(_OUTPUTS)})]
    call_id: _CALL_ID
    output: Annotated[
        Any,
        Meta(
            description="A text, or parts of text, pictures and files. Anything else is passed on as JSON.",
            extra_json_schema={"not": {"type": "null"}},
        ),
    ]


class ToolCallItem(msgspec.Struct, kw_only=True):
    """A tool of any other kind that the assistant called. It becomes words."""

    type: Annotated[
        str, Meta(extra_json_schema={"pattern": "(_call|^mcp_approval_request)$", "not": {"enum": list(_CALLS)}})
    ]
    call_id: str | None = None
    name: Annotated[Any, Meta(description="The tool; the kind of the call if it is missing.")] = None
    arguments: Annotated[Any, Meta(description="What it was called with, as the three below.")] = None
    input: Any = None
    action: Any = None
    code: Any = None


class ToolOutputItem(msgspec.Struct, kw_only=True):
    """The result of such a tool. It becomes words, but a screenshot, which is a picture."""

    type: Annotated[
        str, Meta(extra_json_schema={"pattern": "(_output|^mcp_approval_response)$", "not": {"enum": list(_OUTPUTS)}})
    ]
    output: Annotated[Any, Meta(description="A text, or parts of text. Anything else is passed on as JSON.")] = None
    approve: Annotated[Any, Meta(description="Whether the call was allowed, where there is no output.")] = None


# What an input has, and the parts of that.
INPUT_ITEMS: Sequence[type[msgspec.Struct]] = (
    InputMessage,
    ItemReference,
    ReasoningItem,
    LeftOutItem,
    FunctionCallItem,
    CustomCallItem,
    CallOutputItem,
    ToolCallItem,
    ToolOutputItem,
)
INPUT_PARTS: Sequence[type[msgspec.Struct]] = (*_PARTS, ThoughtText)
