"""The items of a response's output, each made of one block of its answer."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.answering.thought_fields import pack
from gateway.http.responses import Count
from gateway.openai.schema_marks import list_of
from gateway.openai.server_fields import add_fields
from gateway.openai.sources import Citation
from wire.about import About
from wire.blocks import Block, Piece

ItemStatus = Literal["in_progress", "completed", "incomplete"]
# What a request asks for by `include`.
SEALED_THOUGHTS, LOGPROBS = "reasoning.encrypted_content", "message.output_text.logprobs"
_PREFIXES = {"reasoning": "rs", "tool_call": "fc"}

_ANYTHING: dict[str, Any] = {"items": {}}
# A list of what isn't described any further.
AnyList = Annotated[list[Any], Meta(extra_json_schema=_ANYTHING)]
TokenLogprobs = Annotated[
    list[Any], Meta(description="As the server sent them, if asked for.", extra_json_schema=_ANYTHING)
]


class TextCitation(msgspec.Struct, kw_only=True):
    """A source and its place in the text."""

    type: Literal["url_citation"] = "url_citation"
    start_index: Count
    end_index: Count
    url: str
    title: str


class OutputText(msgspec.Struct, kw_only=True):
    """The text of a message."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[TextCitation] = []
    logprobs: TokenLogprobs = []


class OutputRefusal(msgspec.Struct, kw_only=True):
    """Words by which the model declined."""

    type: Literal["refusal"] = "refusal"
    refusal: str


# msgspec makes no union of these: their schemas are lists of references.
CONTENT_PARTS = (OutputText, OutputRefusal)
ContentPart = OutputText | OutputRefusal


class OutputMessage(msgspec.Struct, kw_only=True):
    """A message: one part, which is a text or a refusal. It has none until that begins."""

    id: Annotated[str, Meta(description="`msg_`, the answer's id, `_` and the number of the block.")]
    type: Literal["message"] = "message"
    status: ItemStatus
    role: Literal["assistant"] = "assistant"
    content: Annotated[list[Any], Meta(extra_json_schema=dict(list_of(*CONTENT_PARTS)))]


class SummaryText(msgspec.Struct, kw_only=True):
    """What the model thought, as far as its server shows it."""

    type: Literal["summary_text"] = "summary_text"
    text: str


class OutputReasoning(msgspec.Struct, kw_only=True):
    """A thought of the model's."""

    id: Annotated[str, Meta(description="`rs_`, the answer's id, `_` and the number of the block.")]
    type: Literal["reasoning"] = "reasoning"
    summary: Annotated[list[SummaryText], Meta(description="Empty where the server doesn't show the thought.")]
    encrypted_content: Annotated[
        str | UnsetType,
        Meta(description=f"What the server wants back with the thought, if `include` has `{SEALED_THOUGHTS}`."),
    ] = UNSET


class OutputFunctionCall(msgspec.Struct, kw_only=True):
    """A function that the client is to call. Fields that the server sent beside these are in it too."""

    id: Annotated[str, Meta(description="`fc_`, the answer's id, `_` and the number of the block.")]
    type: Literal["function_call"] = "function_call"
    status: ItemStatus
    arguments: Annotated[str, Meta(description="JSON, as the model wrote it.")]
    call_id: str
    name: str


class OutputCustomCall(msgspec.Struct, kw_only=True):
    """A custom tool that the client is to call. Fields that the server sent beside these are in it too."""

    id: Annotated[str, Meta(description="`ctc_`, the answer's id, `_` and the number of the block.")]
    type: Literal["custom_tool_call"] = "custom_tool_call"
    status: ItemStatus
    call_id: str
    input: str
    name: str


OUTPUT_ITEMS = (OutputMessage, OutputReasoning, OutputFunctionCall, OutputCustomCall)
OutputItem = OutputMessage | OutputReasoning | OutputFunctionCall | OutputCustomCall


class ResponseItems:
    """Builds the items of one response. Blocks have numbers in their answer; opaque ones are no items."""

    def __init__(self, answer: str, about: About) -> None:
        included: Sequence[str] = about.echo.get("include") or ()
        self._answer = answer
        self._sealed = SEALED_THOUGHTS in included
        self._probable = LOGPROBS in included or bool(about.echo.get("top_logprobs"))

    def name(self, number: int, block: Block) -> str:
        """Return the id of an item."""
        prefix = "ctc" if block.custom else _PREFIXES.get(block.kind, "msg")
        return f"{prefix}_{self._answer}_{number}"

    def begin(self, number: int, block: Block) -> OutputItem:
        """Return the item of a block that begins: nothing of its text is in it yet."""
        begun = msgspec.structs.replace(block, text="")
        item = self.build(number, begun, status="in_progress")
        if isinstance(item, OutputMessage):
            item.content = []
        elif isinstance(item, OutputReasoning):
            item.encrypted_content = UNSET
        return item

    def build(
        self, number: int, block: Block, *, status: ItemStatus = "completed", citations: Sequence[Citation] = ()
    ) -> OutputItem:
        """Return the item of a block."""
        name, text = self.name(number, block), block.text
        if block.kind == "reasoning":
            summary = [SummaryText(text=text)] if text else []
            return OutputReasoning(
                id=name, summary=summary, encrypted_content=pack(block.extra) if self._sealed else UNSET
            )
        if block.kind != "tool_call":
            return OutputMessage(id=name, status=status, content=[self.build_part(block, citations)])
        call: OutputFunctionCall | OutputCustomCall
        if block.custom:
            call = OutputCustomCall(id=name, status=status, call_id=block.id, input=text, name=block.name)
        else:
            call = OutputFunctionCall(id=name, status=status, arguments=text, call_id=block.id, name=block.name)
        return add_fields(call, block.extra)

    def build_part(self, block: Block, citations: Sequence[Citation] = ()) -> ContentPart:
        """Return the part of a message that a block is."""
        if block.kind == "refusal":
            return OutputRefusal(refusal=block.text)
        return OutputText(
            text=block.text, annotations=_build_annotations(citations), logprobs=self.find_logprobs(block)
        )

    def find_logprobs(self, block: Block | Piece) -> list[Any]:
        """Return the log probabilities of a text's tokens; none unless asked for."""
        given = block.extra.get("logprobs") if self._probable else None
        found = given.get("content") if isinstance(given, Mapping) else None
        return found if isinstance(found, list) else []


def _build_annotations(citations: Sequence[Citation]) -> list[TextCitation]:
    return [
        TextCitation(
            start_index=citation.start,
            end_index=citation.end,
            url=citation.source.url,
            title=citation.source.title,
        )
        for citation in citations
    ]
