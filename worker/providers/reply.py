"""What the upstream says in one turn, read from its frames."""

from enum import IntEnum

from wire.messages import Turns
from worker.errors import UpstreamError
from worker.providers import Completed
from worker.providers.frames import (
    CLOSE,
    COMPLETION,
    FINAL,
    PING,
    UPDATE,
    Frame,
    Item,
    Message,
    Result,
    Throttling,
    read_frames,
)
from worker.providers.verdict import turn_failure


class News(IntEnum):
    """What a message brought: of all that, the greatest counts."""

    NOTHING = 0
    PING = 1
    TEXT = 2
    END = 3


class Reply:
    """One turn of a conversation.

    `text` is the answer so far. The answer is the last message by the bot that has no type; an apology never replaces
    text that was already shown.
    """

    def __init__(self) -> None:
        self._shown: Message | None = None
        self._end: Item | None = None
        self._turns: Turns | None = None
        self._suggestions: tuple[str, ...] = ()
        self._disengaged = False
        self.text = ""

    @property
    def ended(self) -> bool:
        """Whether the upstream's final frame was seen."""
        return self._end is not None

    def read(self, message: bytes) -> News:
        """Take in one WebSocket message, UTF-8. UpstreamError when it breaks the protocol or breaks the turn off."""
        news = News.NOTHING
        for frame in read_frames(message):
            news = max(news, self._read(frame))
            if news is News.END:
                break
        return news

    def completed(self, state: bytes) -> Completed:
        """The turn's end; `state` is the conversation to save if it can go on. UpstreamError if the turn failed."""
        if self._end is None:
            raise UpstreamError("transport.closed", "no final frame")
        result = self._end.result
        if result is None:
            raise UpstreamError("upstream.protocol", "a final frame without a result")
        if result.value != "Success":
            raise self._failure(result)
        answer = self._shown
        if answer is None or not self.text:
            raise UpstreamError("session.disengaged" if self._disengaged else "answer.empty")
        over = self._disengaged or answer.content_origin == "TurnLimiter" or self._spent
        return Completed(self.text, None if over else state, answer.sources, self._suggestions, self._turns)

    @property
    def _spent(self) -> bool:
        return self._turns is not None and self._turns.used >= self._turns.limit

    def _failure(self, result: Result) -> UpstreamError:
        reason, refused = turn_failure(result.value, result.message or "")
        detail = f"{result.value}: {result.message or ''}"
        return UpstreamError(reason, detail, refused=refused and not self.text)

    def _read(self, frame: Frame) -> News:
        if frame.type == UPDATE and frame.target == "update":
            before = self.text
            for update in frame.arguments or []:
                self._count(update.throttling)
                self._hear(update.messages or [])
            return News.TEXT if self.text != before else News.NOTHING
        if frame.type == FINAL:
            self._end = frame.item or Item()
            self._count(self._end.throttling)
            self._hear(self._end.messages or [])
            return News.END
        if frame.type == COMPLETION:
            raise UpstreamError("upstream.internal", frame.error or "the turn ended without a final frame")
        if frame.type == CLOSE:
            raise UpstreamError("transport.closed", frame.error or "closed by the upstream")
        return News.PING if frame.type == PING else News.NOTHING

    def _count(self, throttling: Throttling | None) -> None:
        if throttling and throttling.used is not None and throttling.limit is not None:
            self._turns = Turns(throttling.used, throttling.limit)

    def _hear(self, messages: list[Message]) -> None:
        answer: Message | None = None
        for message in messages:
            if message.is_answer:
                answer = message
            self._disengaged = self._disengaged or message.message_type == "Disengaged"
            self._suggestions = message.suggestions or self._suggestions
        if answer is None or not (text := answer.shown):
            return
        taken_back = answer.content_origin == "Apology" and self._shown is not None
        if taken_back and self._shown and self._shown.content_origin != "Apology":
            return
        self._shown, self.text = answer, text
