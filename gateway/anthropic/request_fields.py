"""The fields of the requests of /v1/messages, as the documentation has them.

The parsers check the fields by hand, since each error has a text of its own.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.anthropic.options import MAX_STOPS
from gateway.anthropic.tools import MAX_TOOLS, ClientTool, MessageToolChoice, ServerTool
from gateway.openai.messages import MAX_MESSAGES, MAX_PARTS
from gateway.openai.models import ModelName
from gateway.openai.request_fields import MAX_STOP_LENGTH
from gateway.openai.schema_marks import NULL, STRING, any_of, list_of
from gateway.openai.tools import Schema


class TextBlock(msgspec.Struct, tag_field="type", tag="text"):
    """A text."""

    text: str


class PictureSource(msgspec.Struct, kw_only=True):
    """A picture: its address, or itself in base64. It is a PNG, JPEG, WebP or GIF."""

    type: Annotated[str, Meta(extra_json_schema={"examples": ["base64", "url"]})]
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class PictureBlock(msgspec.Struct, tag_field="type", tag="image"):
    """A picture."""

    source: PictureSource


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use"):
    """A call in an earlier answer."""

    id: Annotated[str, Meta(min_length=1)]
    name: Annotated[str, Meta(min_length=1)]
    input: dict[str, Any]


class ToolResultBlock(msgspec.Struct, tag_field="type", tag="tool_result"):
    """The result of a call, in the message behind it."""

    tool_use_id: Annotated[str, Meta(min_length=1)]
    content: Any = None
    is_error: bool | None = None


class OtherBlock(msgspec.Struct, kw_only=True):
    """A block of any other type, such as `thinking` or `document`."""

    type: Annotated[
        str, Meta(extra_json_schema={"not": {"enum": ["text", "image", "tool_use", "tool_result"]}}, min_length=1)
    ]


BLOCKS = (TextBlock, PictureBlock, ToolUseBlock, ToolResultBlock, OtherBlock)


class BlockMessage(msgspec.Struct, kw_only=True):
    """A message. An assistant's at the end is the beginning of the answer."""

    role: Literal["user", "assistant", "system"]
    content: Annotated[Any, any_of(STRING, list_of(*BLOCKS, maxItems=MAX_PARTS))]


class OutputFields(msgspec.Struct, kw_only=True):
    """The form of the answer, and the effort for it."""

    effort: str | None = None
    format: "OutputFormat | None" = None


class OutputFormat(msgspec.Struct, kw_only=True):
    """The format of the answer: JSON of a schema."""

    type: Literal["json_schema"]
    schema: Schema = None


class CountedFields(msgspec.Struct, kw_only=True):
    """What a question consists of. Fields that aren't listed go to a server of this API as they are."""

    model: ModelName
    messages: Annotated[list[BlockMessage], Meta(min_length=1, max_length=MAX_MESSAGES)]
    system: Annotated[Any, any_of(STRING, list_of(TextBlock, maxItems=MAX_PARTS), NULL)] = None
    tools: Annotated[Any, any_of(list_of(ClientTool, ServerTool, maxItems=MAX_TOOLS), NULL)] = None
    tool_choice: MessageToolChoice | None = None
    thinking: Annotated[dict[str, Any] | None, Meta(description="`enabled`, `adaptive` or `disabled`.")] = None
    output_config: OutputFields | None = None
    output_format: OutputFormat | None = None


class MessageRequestFields(CountedFields, kw_only=True):
    """A question after all messages before it."""

    max_tokens: Annotated[int, Meta(ge=1)]
    stream: Annotated[bool | None, Meta(description="Whether the answer comes as server-sent events.")] = None
    stop_sequences: (
        Annotated[list[Annotated[str, Meta(max_length=MAX_STOP_LENGTH)]], Meta(max_length=MAX_STOPS)] | None
    ) = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    metadata: Annotated[
        dict[str, Any] | None,
        Meta(description="A session in `user_id` keeps its questions at one account, where that is possible."),
    ] = None
