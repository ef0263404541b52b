"""A reader of a streamed response that takes nothing for granted: each event has to follow from those before it."""

from collections.abc import Sequence
from typing import Any

_FIELDS = {"function_call": "arguments", "custom_tool_call": "input"}
_BEGUN, _BACKGROUND = ["created", "in_progress"], ["created", "queued", "in_progress"]
_PARTS = {"output_text": "text", "refusal": "refusal"}


class ResponseReader:
    """Builds a response's output from its events. AssertionError for one that may not come where it does."""

    def __init__(self) -> None:
        self.number = -1
        self.output: list[dict[str, Any]] = []
        self.response: dict[str, Any] = {}
        self._states: list[str] = []
        self._open: dict[str, Any] | None = None
        self._part: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether the response has ended."""
        return self._states[-1:] not in ([], ["created"], ["queued"], ["in_progress"])

    def read(self, events: Sequence[Any]) -> None:
        """Read further events."""
        for event in events:
            self.number += 1
            assert (event["sequence_number"], self.ended) == (self.number, False)
            kind = event["type"].removeprefix("response.")
            if "response" in event:
                self._read_state(kind, event["response"])
            elif kind.startswith("output_item."):
                self._read_item(kind, event)
            else:
                assert self._open is not None
                assert (event["item_id"], event["output_index"]) == (self._open["id"], len(self.output) - 1)
                assert event.get("content_index", event.get("summary_index", 0)) == 0
                self._read_inner(self._open, kind, event)

    def _read_state(self, kind: str, response: dict[str, Any]) -> None:
        self._states.append(kind)
        begun = self._states[: -1 if self.ended else None]
        assert begun in (_BEGUN[: len(begun)], _BACKGROUND[: len(begun)])
        assert not self.ended or begun in (_BEGUN, _BACKGROUND)
        if self.ended:
            assert self._open is None or kind != "completed"
            self.response = response
        else:
            assert response["output"] == []

    def _read_item(self, kind: str, event: dict[str, Any]) -> None:
        item = event["item"]
        if kind == "output_item.added":
            assert (self._open, event["output_index"]) == (None, len(self.output))
            assert item.get("status", "in_progress") == "in_progress"
            self._open = item
            self.output.append(item)
            return
        assert self._open is not None
        assert self._part is None
        assert event["output_index"] == len(self.output) - 1
        # What comes with an item's end alone.
        late = {name: item[name] for name in ("status", "encrypted_content") if name in item}
        assert self._open | late == item
        self.output[-1] = item
        self._open = None

    def _read_inner(self, item: dict[str, Any], kind: str, event: dict[str, Any]) -> None:
        name, step = kind.rsplit(".", 1)
        parts = item.get("content" if item["type"] == "message" else "summary")
        if parts is not None and "part" in event and step == "added":
            assert (self._part, parts) == (None, [])
            self._part = event["part"]
            parts.append(self._part)
        elif parts is not None and "part" in event:
            assert self._part == event["part"]
            self._part = None
        elif name == "output_text.annotation":
            assert event["annotation_index"] == len(self._grown(item)["annotations"])
            self._grown(item)["annotations"].append(event["annotation"])
        else:
            self._read_text(item, step, event)

    def _read_text(self, item: dict[str, Any], step: str, event: dict[str, Any]) -> None:
        grown = self._grown(item)
        field = _FIELDS.get(item["type"]) or _PARTS.get(grown["type"], "text")
        logprobs = event.get("logprobs", [])
        if step == "delta":
            assert event["delta"] or logprobs
            grown[field] += event["delta"]
            if logprobs:
                grown["logprobs"] += logprobs
            return
        assert (event[field], logprobs) == (grown[field], grown.get("logprobs", []))

    def _grown(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return what grows: the open part, or a call."""
        grown = item if item["type"] in _FIELDS else self._part
        assert grown is not None
        return grown
