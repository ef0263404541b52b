"""The events of one item of a streamed response: how it begins, grows and ends."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from gateway.http.responses import Count
from gateway.openai.responses.output_items import (
    CONTENT_PARTS,
    OUTPUT_ITEMS,
    OutputItem,
    OutputMessage,
    OutputRefusal,
    ResponseItems,
    SummaryText,
    TextCitation,
    TokenLogprobs,
)
from gateway.openai.schema_marks import any_of
from wire.blocks import Block, Piece


class OutputItemEvent(msgspec.Struct, kw_only=True):
    """The beginning or the end of an item. Only one that ended is whole: no call without its end is to be made."""

    output_index: Count
    item: Annotated[Any, any_of(*OUTPUT_ITEMS)]
    type: Literal["response.output_item.added", "response.output_item.done"]
    sequence_number: Count = 0


class ContentPartEvent(msgspec.Struct, kw_only=True):
    """The beginning or the end of a message's part."""

    item_id: str
    output_index: Count
    content_index: Literal[0] = 0
    part: Annotated[Any, any_of(*CONTENT_PARTS)]
    type: Literal["response.content_part.added", "response.content_part.done"]
    sequence_number: Count = 0


class TextDeltaEvent(msgspec.Struct, kw_only=True):
    """New text."""

    item_id: str
    output_index: Count
    content_index: Literal[0] = 0
    delta: str
    logprobs: TokenLogprobs = []
    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    sequence_number: Count = 0


class AnnotationEvent(msgspec.Struct, kw_only=True):
    """A citation of the text."""

    item_id: str
    output_index: Count
    content_index: Literal[0] = 0
    annotation_index: Count
    annotation: TextCitation
    type: Literal["response.output_text.annotation.added"] = "response.output_text.annotation.added"
    sequence_number: Count = 0


class TextEndEvent(msgspec.Struct, kw_only=True):
    """The whole text."""

    item_id: str
    output_index: Count
    content_index: Literal[0] = 0
    text: str
    logprobs: TokenLogprobs = []
    type: Literal["response.output_text.done"] = "response.output_text.done"
    sequence_number: Count = 0


class RefusalDeltaEvent(msgspec.Struct, kw_only=True):
    """More of a refusal."""

    item_id: str
    output_index: Count
    content_index: Literal[0] = 0
    delta: str
    type: Literal["response.refusal.delta"] = "response.refusal.delta"
    sequence_number: Count = 0


class RefusalEndEvent(msgspec.Struct, kw_only=True):
    """The whole refusal."""

    item_id: str
    output_index: Count
    content_index: Literal[0] = 0
    refusal: str
    type: Literal["response.refusal.done"] = "response.refusal.done"
    sequence_number: Count = 0


class SummaryPartEvent(msgspec.Struct, kw_only=True):
    """The beginning or the end of a thought's text."""

    item_id: str
    output_index: Count
    summary_index: Literal[0] = 0
    part: SummaryText
    type: Literal["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]
    sequence_number: Count = 0


class SummaryDeltaEvent(msgspec.Struct, kw_only=True):
    """More of a thought's text."""

    item_id: str
    output_index: Count
    summary_index: Literal[0] = 0
    delta: str
    type: Literal["response.reasoning_summary_text.delta"] = "response.reasoning_summary_text.delta"
    sequence_number: Count = 0


class SummaryEndEvent(msgspec.Struct, kw_only=True):
    """The whole text of a thought."""

    item_id: str
    output_index: Count
    summary_index: Literal[0] = 0
    text: str
    type: Literal["response.reasoning_summary_text.done"] = "response.reasoning_summary_text.done"
    sequence_number: Count = 0


class ArgumentsDeltaEvent(msgspec.Struct, kw_only=True):
    """More of a function's arguments."""

    item_id: str
    output_index: Count
    delta: str
    type: Literal["response.function_call_arguments.delta"] = "response.function_call_arguments.delta"
    sequence_number: Count = 0


class ArgumentsEndEvent(msgspec.Struct, kw_only=True):
    """All of a function's arguments."""

    item_id: str
    output_index: Count
    arguments: str
    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    sequence_number: Count = 0


class ToolInputDeltaEvent(msgspec.Struct, kw_only=True):
    """More of a custom tool's input."""

    item_id: str
    output_index: Count
    delta: str
    type: Literal["response.custom_tool_call_input.delta"] = "response.custom_tool_call_input.delta"
    sequence_number: Count = 0


class ToolInputEndEvent(msgspec.Struct, kw_only=True):
    """All of a custom tool's input."""

    item_id: str
    output_index: Count
    input: str
    type: Literal["response.custom_tool_call_input.done"] = "response.custom_tool_call_input.done"
    sequence_number: Count = 0


ItemEvent = (
    OutputItemEvent
    | ContentPartEvent
    | TextDeltaEvent
    | AnnotationEvent
    | TextEndEvent
    | RefusalDeltaEvent
    | RefusalEndEvent
    | SummaryPartEvent
    | SummaryDeltaEvent
    | SummaryEndEvent
    | ArgumentsDeltaEvent
    | ArgumentsEndEvent
    | ToolInputDeltaEvent
    | ToolInputEndEvent
)


class OpenItem:
    """An item that grows: the block with that `number`, at place `index` of the output."""

    def __init__(self, items: ResponseItems, number: int, index: int, block: Block) -> None:
        self._items = items
        self._begun = block
        self._kind = block.kind
        self._summarised = False
        self.number = number
        self.index = index
        self._name = items.name(number, block)

    def begin(self) -> list[ItemEvent]:
        """Return the events before all of its text."""
        item = self._items.begin(self.number, self._begun)
        added = OutputItemEvent(output_index=self.index, item=item, type="response.output_item.added")
        if self._kind not in ("text", "refusal"):
            return [added]
        part = self._items.build_part(Block(self._kind))
        return [
            added,
            ContentPartEvent(
                item_id=self._name, output_index=self.index, part=part, type="response.content_part.added"
            ),
        ]

    def grow(self, piece: Piece) -> list[ItemEvent]:
        """Return the events by which a piece of its text is sent."""
        name, index, delta = self._name, self.index, piece.text
        if piece.extra and self._kind == "text" and (logprobs := self._items.find_logprobs(piece)):
            return [TextDeltaEvent(item_id=name, output_index=index, delta=delta, logprobs=logprobs)]
        if not delta:
            return []
        if self._kind == "text":
            return [TextDeltaEvent(item_id=name, output_index=index, delta=delta)]
        if self._kind == "reasoning":
            return [*self._begin_summary(), SummaryDeltaEvent(item_id=name, output_index=index, delta=delta)]
        if self._kind == "refusal":
            return [RefusalDeltaEvent(item_id=name, output_index=index, delta=delta)]
        if self._begun.custom:
            return [ToolInputDeltaEvent(item_id=name, output_index=index, delta=delta)]
        return [ArgumentsDeltaEvent(item_id=name, output_index=index, delta=delta)]

    def end(self, block: Block, item: OutputItem) -> list[ItemEvent]:
        """Return the events behind its text, by its whole block and the item that this became."""
        done = OutputItemEvent(output_index=self.index, item=item, type="response.output_item.done")
        return [*self._end_text(block, item), done]

    def _begin_summary(self) -> Sequence[ItemEvent]:
        if self._summarised:
            return ()
        self._summarised = True
        return [self._summary_part("", "response.reasoning_summary_part.added")]

    def _summary_part(
        self, text: str, kind: Literal["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]
    ) -> ItemEvent:
        return SummaryPartEvent(item_id=self._name, output_index=self.index, part=SummaryText(text=text), type=kind)

    def _end_text(self, block: Block, item: OutputItem) -> list[ItemEvent]:
        name, index, text = self._name, self.index, block.text
        if block.kind == "tool_call":
            if block.custom:
                return [ToolInputEndEvent(item_id=name, output_index=index, input=text)]
            return [ArgumentsEndEvent(item_id=name, output_index=index, arguments=text)]
        if block.kind == "reasoning":
            done = self._summary_part(text, "response.reasoning_summary_part.done")
            return [SummaryEndEvent(item_id=name, output_index=index, text=text), done] if text else []
        return self._end_message(item) if isinstance(item, OutputMessage) else []

    def _end_message(self, item: OutputMessage) -> list[ItemEvent]:
        name, index, part = self._name, self.index, item.content[0]
        done = ContentPartEvent(item_id=name, output_index=index, part=part, type="response.content_part.done")
        if isinstance(part, OutputRefusal):
            return [RefusalEndEvent(item_id=name, output_index=index, refusal=part.refusal), done]
        cited: list[ItemEvent] = [
            AnnotationEvent(item_id=name, output_index=index, annotation_index=number, annotation=annotation)
            for number, annotation in enumerate(part.annotations)
        ]
        return [*cited, TextEndEvent(item_id=name, output_index=index, text=part.text, logprobs=part.logprobs), done]
