"""An answer whose events are no longer kept, as its end alone."""

from wire.answer_reader import AnswerEvent
from wire.messages import Final


class RecalledAnswer:
    """What follows such an answer as wire.answer_reader.AnswerReader follows others: its only event is its end."""

    __slots__ = ("_entries", "answer")

    def __init__(self, answer: str, end: Final) -> None:
        self.answer = answer
        self._entries = [AnswerEvent(1, end)]

    async def __aenter__(self) -> "RecalledAnswer":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def __aiter__(self) -> "RecalledAnswer":
        return self

    async def __anext__(self) -> AnswerEvent:
        if not self._entries:
            raise StopAsyncIteration
        return self._entries.pop()

    async def peek(self, seconds: float) -> AnswerEvent | None:  # noqa: ARG002 - it is there
        """Return the end without consuming it, None once it was read."""
        return self._entries[-1] if self._entries else None
