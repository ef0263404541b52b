"""The body of a whole message of /v1/messages, and the parts that its stream shares with it."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.answering import thought_fields
from gateway.http.responses import Count
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.chunks import AnsweredModel
from gateway.openai.errors import AnswerFailedError
from gateway.openai.models import model_name
from gateway.openai.schema_marks import any_of
from gateway.openai.service import SubmittedQuestion
from gateway.openai.usage import Estimated, count_tokens
from gateway.openai.validation import join_all
from wire.about import About
from wire.blocks import Block
from wire.messages import EndReason

# The field of a call's input that holds arguments which are no JSON object, as Anthropic's guide to streamed calls
# advises clients to send such ones back.
INVALID_INPUT = "INVALID_JSON"
# The field of a call's input that holds the text of a custom tool.
CUSTOM_INPUT = "input"
# Digits and sign of an integer that may not fit into 64 bits.
_LONG = 20

StopReason = Literal[
    "end_turn",
    "max_tokens",
    "tool_use",
    "refusal",
    "stop_sequence",
    "pause_turn",
    "model_context_window_exceeded",
]
_REASONS: Mapping[EndReason, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
}
# What only a server of this API says.
_OWN_REASONS: Mapping[str, StopReason] = {
    "stop_sequence": "stop_sequence",
    "pause_turn": "pause_turn",
    "model_context_window_exceeded": "model_context_window_exceeded",
}


class TextContent(msgspec.Struct, kw_only=True, tag_field="type", tag="text"):
    """A text, or a refusal in words."""

    text: str
    citations: Annotated[list[dict[str, Any]] | UnsetType, Meta(description="The pages that it cites.")] = UNSET


class ThinkingContent(msgspec.Struct, kw_only=True, tag_field="type", tag="thinking"):
    """What the model thought. It is to be sent back as it came."""

    thinking: str
    signature: str


class HiddenThinking(msgspec.Struct, kw_only=True, tag_field="type", tag="redacted_thinking"):
    """What the model thought, for its server alone. It is to be sent back as it came."""

    data: str


class ToolUseContent(msgspec.Struct, kw_only=True, tag_field="type", tag="tool_use"):
    """A call that the client is to carry out."""

    id: str
    name: str
    input: Annotated[
        dict[str, Any],
        Meta(description=f"Arguments that are no JSON object are the text `{INVALID_INPUT}` in it."),
    ]


Content = TextContent | ThinkingContent | HiddenThinking | ToolUseContent
_FORMS = ("", "text", "thinking", "redacted_thinking", "tool_use")
OwnContent = dict[str, Any]


class ServerContent(msgspec.Struct, kw_only=True):
    """A block that only a server of this API has, such as `server_tool_use`, as it came."""

    type: Annotated[str, Meta(extra_json_schema={"not": {"enum": list(_FORMS)}})]


CONTENTS = (TextContent, ThinkingContent, HiddenThinking, ToolUseContent, ServerContent)
# msgspec makes no union of Structs and plain objects.
AnyContent = Annotated[Any, any_of(*CONTENTS)]


class MessageUsage(msgspec.Struct, kw_only=True):
    """Tokens, as the upstream counted them, or `estimated`."""

    input_tokens: Annotated[Count, Meta(description="Those that are neither read from a cache nor written to one.")]
    cache_creation_input_tokens: Count
    cache_read_input_tokens: Count
    output_tokens: Count
    estimated: Estimated | UnsetType = UNSET


class MessageObject(msgspec.Struct, kw_only=True):
    """A message of the model."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: AnsweredModel
    content: list[AnyContent]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: MessageUsage


def message_id(answer: str) -> str:
    """Return the id of an answer's message."""
    return f"msg_{answer}"


def encode_message(question: SubmittedQuestion, answer: AnswerAssembler) -> bytes:
    """Return a whole message. AnswerFailedError if all that there was is a call that isn't whole."""
    if answer.is_lost:
        raise AnswerFailedError(answer.broken_end)
    about = question.about
    message = MessageObject(
        id=message_id(question.answer),
        model=(answer.model or about.model) if about.dialect else model_name(about.style),
        content=[content for content in map(content_of, _with_sources(answer)) if content is not None],
        stop_reason=stop_reason(answer),
        stop_sequence=stop_sequence(answer),
        usage=usage_of(answer, about, answer.blocks),
    )
    return msgspec.json.encode(message)


def content_of(block: Block) -> Content | OwnContent | None:
    """Return a block as it is in a message; None for one that isn't shown."""
    match block.kind:
        case "text" | "refusal":
            cited = citations_of(block.extra)
            return TextContent(text=block.text, citations=cited or UNSET) if block.text or cited else None
        case "reasoning" if not block.text and isinstance(block.extra.get("data"), str):
            return HiddenThinking(data=thought_fields.pack(block.extra))
        case "reasoning" if block.text or block.extra:
            return ThinkingContent(thinking=block.text, signature=thought_fields.pack(block.extra))
        case "tool_call":
            return ToolUseContent(id=block.id, name=block.name, input=input_of(block))
        case "opaque" if isinstance(block.extra.get("type"), str):
            # Of a tool that a server of this API runs itself: the client needs it as it is, to send it back.
            return cast(Content, block.extra)
    return None


def input_of(block: Block) -> dict[str, Any]:
    """Return the input of a call."""
    if block.custom:
        return {CUSTOM_INPUT: block.text}
    if not block.text.strip():
        return {}
    try:
        value = json.loads(block.text, parse_int=_integer)
    except (ValueError, RecursionError):
        value = None
    # Servers may escape half a character, which can't be sent on.
    return join_all(value) if isinstance(value, dict) else {INVALID_INPUT: block.text}


def _integer(digits: str) -> int | float:
    """Return an integer, or what JavaScript makes of one that is too large to be sent on."""
    return int(digits) if len(digits) < _LONG else float(digits)


def citations_of(extra: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the citations that a server of this API sent with a text."""
    given = extra.get("citations")
    return [citation for citation in given if isinstance(citation, dict)] if isinstance(given, list) else []


def sources_of(answer: AnswerAssembler) -> list[dict[str, Any]]:
    """Return the sources of an answer that its server didn't cite itself, as citations of its last text."""
    cited = {citation.get("url") for block in answer.blocks for citation in citations_of(block.extra)}
    return [
        {
            "type": "web_search_result_location",
            "url": citation.source.url,
            "title": citation.source.title,
            "cited_text": "",
            "encrypted_index": "",
        }
        for citation in answer.locate_citations(answer.text)
        if citation.source.url not in cited
    ]


def _with_sources(answer: AnswerAssembler) -> list[Block]:
    blocks, sources = list(answer.blocks), sources_of(answer)
    if sources and blocks and blocks[-1].kind == "text":
        extra = {**blocks[-1].extra, "citations": [*citations_of(blocks[-1].extra), *sources]}
        blocks[-1] = msgspec.structs.replace(blocks[-1], extra=extra)
    return blocks


def stop_reason(answer: AnswerAssembler) -> StopReason:
    """Return why an answer ended."""
    if answer.cut:
        return "stop_sequence"
    return _OWN_REASONS.get(answer.finish_raw, _REASONS[answer.finish])


def stop_sequence(answer: AnswerAssembler) -> str | None:
    """Return the stop sequence that an answer ended at, where it is known."""
    given = answer.extra.get("stop_sequence")
    return answer.stop_sequence or (given if isinstance(given, str) else None)


def usage_of(answer: AnswerAssembler, about: About, blocks: Sequence[Block]) -> MessageUsage:
    """Return the tokens of a question and of its answer, which consists of the blocks that were sent."""
    counted = answer.usage
    tokens = count_tokens(counted, about, "".join(block.name + block.text for block in blocks))
    read, written = (counted.cached, counted.cache_written) if counted is not None else (0, 0)
    return MessageUsage(
        input_tokens=max(0, tokens.prompt - read - written),
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
        output_tokens=tokens.completion,
        estimated=tokens.mark,
    )
