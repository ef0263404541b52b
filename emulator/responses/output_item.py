"""A block of an answer as an item of a response, and the events by which it grows."""

from collections.abc import Iterator
from typing import Any

from emulator.blocks import AnswerBlock
from emulator.json_text import Json
from emulator.responses import input_items

Named = tuple[str, dict[str, Any]]  # an event's type and fields


class OutputItem:
    """One item. status: how it is, once it is done.

    shows: whether clients see what thoughts hold. encrypts: whether thoughts come sealed.
    """

    def __init__(self, block: AnswerBlock, id_: str, index: int, shows: bool, encrypts: bool) -> None:
        self.block = block
        self._id = id_
        self._index = index
        self._shows = shows
        self._encrypts = encrypts
        self._text = ""
        self.status = "in_progress"

    @staticmethod
    def prefix(block: AnswerBlock) -> str:
        """Return how the id of a block's item begins."""
        if block.kind == "tool_call":
            return "ctc" if block.custom else "fc"
        return "rs" if block.kind == "reasoning" else "msg"

    @property
    def whole(self) -> Json:
        """The item as it is when it is done."""
        return self._item(done=True)

    def open(self) -> Iterator[Named]:
        """Yield the events that open it."""
        yield "response.output_item.added", {"output_index": self._index, "item": self._item(done=False)}
        if self._part_name:
            yield f"response.{self._part_name}.added", self._place | {"part": self._part("")}

    def grow(self, text: str) -> Iterator[Named]:
        """Yield the event that adds text to it."""
        self._text += text
        if text and self._text_name:
            yield f"response.{self._text_name}.delta", self._place | {"delta": text} | self._logprobs

    def close(self) -> Iterator[Named]:
        """Yield the events that close it."""
        if self._text_name:
            yield f"response.{self._text_name}.done", self._place | {self._field: self._text} | self._logprobs
        if self._part_name:
            yield f"response.{self._part_name}.done", self._place | {"part": self._part(self._text)}
        yield "response.output_item.done", {"output_index": self._index, "item": self.whole}

    @property
    def _text_name(self) -> str:
        match self.block.kind:
            case "text":
                return "output_text"
            case "refusal":
                return "refusal"
            case "tool_call":
                return "custom_tool_call_input" if self.block.custom else "function_call_arguments"
            case "reasoning" if self._shows:
                return "reasoning_summary_text"
        return ""

    @property
    def _part_name(self) -> str:
        if self.block.kind in ("text", "refusal"):
            return "content_part"
        return "reasoning_summary_part" if self.block.kind == "reasoning" and self._shows else ""

    @property
    def _field(self) -> str:
        if self.block.kind == "tool_call":
            return "input" if self.block.custom else "arguments"
        return "refusal" if self.block.kind == "refusal" else "text"

    @property
    def _place(self) -> Json:
        place: Json = {"item_id": self._id, "output_index": self._index}
        if self.block.kind in ("text", "refusal"):
            return place | {"content_index": 0}
        return place | ({"summary_index": 0} if self.block.kind == "reasoning" else {})

    @property
    def _logprobs(self) -> Json:
        return {"logprobs": []} if self.block.kind == "text" else {}

    def _part(self, text: str) -> Json:
        match self.block.kind:
            case "refusal":
                return {"type": "refusal", "refusal": text}
            case "reasoning":
                return {"type": "summary_text", "text": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def _item(self, done: bool) -> Json:
        status = self.status if done else "in_progress"
        block = self.block
        match block.kind:
            case "opaque":
                return {"id": self._id, **block.extra}
            case "reasoning":
                return self._reasoning(done) | block.extra
            case "tool_call":
                kind = "custom_tool_call" if block.custom else "function_call"
                call = {"call_id": block.id, "name": block.name, self._field: self._text if done else ""}
                return {"id": self._id, "type": kind, "status": status, **call, **block.extra}
        content = [self._part(self._text)] if done else []
        return {"id": self._id, "type": "message", "status": status, "role": "assistant", "content": content}

    def _reasoning(self, done: bool) -> Json:
        shown = self._text if self._shows else ""
        sealed = {"encrypted_content": input_items.seal(shown, self.block.text)} if self._encrypts and done else {}
        summary = [self._part(shown)] if shown and done else []
        return {"id": self._id, "type": "reasoning", "summary": summary, **sealed}
