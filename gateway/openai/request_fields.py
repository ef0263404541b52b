"""The fields of the requests of /v1, as the documentation has them; other fields are ignored.

The parsers check the fields by hand, since each error has a text of its own. What they accept only with some values,
and what has no effect, they read from here.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from gateway.openai.messages import MAX_MESSAGES, MessageFields
from gateway.openai.models import ModelName
from gateway.openai.options import FORMATS, MOST_LOGPROBS, FlatSchemaFormat, JsonFormat, TextFormat
from gateway.openai.responses.tools import FLAT_CHOICES, FLAT_TOOLS
from gateway.openai.schema_marks import NULL, any_of, list_of, only
from gateway.openai.tools import CHOICES, MAX_TOOLS, TOOLS, FunctionFields, ToolReference

MAX_STOPS = 4
MAX_STOP_LENGTH = 1024
MAX_IMAGES = 10
MAX_CONVERSATION_ID = 255

_T = TypeVar("_T")


Ignored = Annotated[_T | None, Meta(description="Has no effect.")]
NoTools = Annotated[Any, only([])]
NoToolChoice = Annotated[Any, only([], "none", "auto")]
FilledText = Annotated[str, Meta(min_length=1)]
MessageList = Annotated[list[MessageFields], Meta(min_length=1, max_length=MAX_MESSAGES)]
# Of the kinds that gateway.openai.responses.item_fields has.
ItemList = Annotated[list[Any], Meta(min_length=1, max_length=MAX_MESSAGES)]
StopFields = Annotated[
    str | Annotated[list[Annotated[str, Meta(max_length=MAX_STOP_LENGTH)]], Meta(max_length=MAX_STOPS)] | None,
    Meta(description="The answer ends before any of these."),
]
# With an API key a shorter one will do.
ConversationName = Annotated[str, Meta(min_length=16, max_length=MAX_CONVERSATION_ID)]
_METADATA: dict[str, Any] = {
    "properties": {
        "conversation_id": {"type": ["string", "null"], "minLength": 16, "maxLength": MAX_CONVERSATION_ID},
    }
}


class OptionFields(msgspec.Struct, kw_only=True):
    """Fields that every request may have, and whose types are checked in every request."""

    temperature: Ignored[float] = None
    top_p: Ignored[float] = None
    frequency_penalty: Ignored[float] = None
    presence_penalty: Ignored[float] = None
    max_tokens: Ignored[int] = None
    max_completion_tokens: Ignored[int] = None
    max_output_tokens: Ignored[int] = None
    seed: Ignored[int] = None
    user: Ignored[str] = None
    metadata: Annotated[
        dict[str, Any] | None,
        Meta(
            description="`conversation_id` in it is as `conversation`, which goes before it.",
            extra_json_schema=_METADATA,
        ),
    ] = None
    logit_bias: Ignored[dict[str, Any]] = None
    parallel_tool_calls: Ignored[bool] = None


class NamedConversation(msgspec.Struct):
    """A conversation by its name."""

    id: ConversationName


class QuestionFields(msgspec.Struct, kw_only=True):
    """The fields of a question of either kind."""

    model: ModelName
    stream: Annotated[bool | None, Meta(description="Whether the answer comes as server-sent events.")] = None
    conversation: Annotated[
        ConversationName | NamedConversation | None,
        Meta(description="As the header X-Conversation-ID, which goes before it."),
    ] = None


class StreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_usage: bool | None = None


class CompletionFields(QuestionFields, kw_only=True):
    """A question after all messages before it.

    Fields that aren't listed go to the model's server as they are.
    """

    messages: MessageList
    stream_options: StreamOptions | None = None
    stop: StopFields = None
    tools: Annotated[Any, any_of(list_of(*TOOLS, maxItems=MAX_TOOLS), NULL)] = None
    tool_choice: Annotated[Any, any_of({"enum": ["none", "auto", "required"]}, *CHOICES, NULL)] = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[
        Any,
        any_of(list_of(FunctionFields, maxItems=MAX_TOOLS), NULL, description="The old form of `tools`."),
    ] = None
    function_call: Annotated[
        Any, any_of({"enum": ["none", "auto"]}, ToolReference, NULL, description="The old form of `tool_choice`.")
    ] = None
    response_format: Annotated[Any, any_of(*FORMATS, NULL)] = None
    n: Annotated[Any, only(1)] = None
    best_of: Annotated[Any, only(1)] = None
    echo: Annotated[Any, only(False)] = None
    suffix: Annotated[Any, only()] = None
    modalities: Annotated[Any, only([], ["text"])] = None
    audio: Annotated[Any, only()] = None
    store: Ignored[bool] = None


class TextFields(msgspec.Struct):
    """The form of the answer's text."""

    format: Annotated[Any, any_of(TextFormat, JsonFormat, FlatSchemaFormat, NULL)] = None
    verbosity: str | None = None


class ReasoningFields(msgspec.Struct):
    """How the model thinks."""

    effort: str | None = None
    summary: Annotated[
        str | None, Meta(description="Has no effect: what the server shows of its thoughts comes anyway.")
    ] = None
    generate_summary: str | None = None


class ResponseStreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_obfuscation: Ignored[bool] = None


class ResponseFields(QuestionFields, kw_only=True):
    """A question that may continue from a response."""

    input: FilledText | ItemList
    instructions: Annotated[str | None, Meta(description="How the answer shall be; goes before the input.")] = None
    previous_response_id: Annotated[
        str | None, Meta(description="The response to continue from: any that is still stored.")
    ] = None
    store: Annotated[
        bool | None, Meta(description="false: no later request can read this response by its id, or continue from it.")
    ] = None
    background: Annotated[
        bool | None, Meta(description="true: the client doesn't wait for the response; not with `store` false.")
    ] = None
    text: TextFields | None = None
    reasoning: ReasoningFields | None = None
    tools: Annotated[Any, any_of(list_of(*FLAT_TOOLS, maxItems=MAX_TOOLS), NULL)] = None
    tool_choice: Annotated[Any, any_of({"enum": ["none", "auto", "required"]}, *FLAT_CHOICES, NULL)] = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Ignored[int] = None
    max_output_tokens: int | None = None
    include: Annotated[
        list[str] | None,
        Meta(
            description="`reasoning.encrypted_content`: thoughts come with what their server wants back; "
            "`message.output_text.logprobs`: texts come with log probabilities. Others have no effect."
        ),
    ] = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    logit_bias: dict[str, Any] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=MOST_LOGPROBS)] | None = None
    service_tier: str | None = None
    prompt_cache_key: Annotated[
        str | None, Meta(description="Questions with the same one go to the same account, where that is possible.")
    ] = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    truncation: Literal["auto", "disabled"] | None = None
    stream_options: ResponseStreamOptions | None = None
    prompt: Annotated[Any, only()] = None


class ImageFields(msgspec.Struct, kw_only=True):
    """A prompt for images."""

    prompt: FilledText
    n: Annotated[Annotated[int, Meta(ge=1, le=MAX_IMAGES)] | None, Meta(description="At most so many pictures.")] = None
    model: Ignored[str] = None
    response_format: Annotated[Any, only("url", "b64_json")] = None
    stream: Annotated[Any, only(False)] = None


def option_types() -> Mapping[str, type]:
    """Return the types of OptionFields, without null."""
    kinds = {name: get_args(hint)[0] for name, hint in get_type_hints(OptionFields).items()}
    return {name: get_origin(kind) or kind for name, kind in kinds.items()}


def accepted_values(struct: type[msgspec.Struct]) -> Mapping[str, Sequence[object]]:
    """Return the accepted values of those fields that accept only some."""
    hints = get_type_hints(struct, include_extras=True)
    marks = {name: hint.__metadata__[-1].extra for name, hint in hints.items() if get_origin(hint) is Annotated}
    return {name: json.loads(extra["only"]) for name, extra in marks.items() if extra}
