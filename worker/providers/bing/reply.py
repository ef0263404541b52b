"""Read the upstream's reply in one turn from its frames."""

from enum import IntEnum

from wire.messages import TurnCount
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.bing.citations import check_marks, remove_citations
from worker.providers.bing.errors import map_turn_failure, name_failure
from worker.providers.bing.frames import (
    CLOSE,
    COMPLETION,
    FINAL,
    PING,
    UPDATE,
    ChatHubFrame,
    ChatHubItem,
    ChatHubMessage,
    ChatHubQuota,
    ChatHubResult,
    read_frames,
)
from worker.providers.value_budget import ValueBudget

# Values that a message has free of charge: real ones have some hundreds.
_FREE_VALUES = 1000
# The largest number of internal suggestions that are read at once, each of which holds JSON of its own.
MOST_INTERNAL = 16
# The model writes that it has lost the thread: the next question gets a fresh conversation.
_GIVE_UP_PHRASES = ("I’m still learning", "我还在学习")


class ReplyUpdate(IntEnum):
    """The most important content of a WebSocket message."""

    NOTHING = 0
    PING = 1
    TEXT = 2
    END = 3


class BingReply:
    """One turn of a conversation.

    `text` is the answer so far, including citation marks. The answer is the bot's last message without a type; an
    apology never replaces text that was already shown.
    """

    def __init__(self) -> None:
        self._shown: ChatHubMessage | None = None
        self._end: ChatHubItem | None = None
        self._turns: TurnCount | None = None
        self._suggestions: tuple[str, ...] = ()
        self._disengaged = False
        self._values = ValueBudget(_FREE_VALUES)
        self.text = ""

    @property
    def ended(self) -> bool:
        """Whether the upstream's final frame was seen."""
        return self._end is not None

    def read(self, message: bytes) -> ReplyUpdate:
        """Read one WebSocket message, UTF-8. UpstreamError if it violates the protocol or ends the turn early."""
        self._values.charge(message)
        greatest = ReplyUpdate.NOTHING
        for frame in read_frames(message):
            greatest = max(greatest, self._read_frame(frame))
            if greatest is ReplyUpdate.END:
                break
        return greatest

    def completion(self, state: bytes) -> Completion:
        """Return the turn's end; `state` is saved if the conversation continues. UpstreamError if the turn failed."""
        if self._end is None:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, "no final frame")
        result = self._end.result
        if result is None:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a final frame without a result")
        if result.value != "Success":
            raise self._failure(result)
        answer, text = self._shown, remove_citations(self.text)
        if answer is None or not text:
            raise UpstreamError(Reason.SESSION_DISENGAGED if self._disengaged else Reason.ANSWER_EMPTY)
        over = self._disengaged or answer.content_origin == "TurnLimiter" or self._spent or _gives_up(text)
        return Completion(text, None if over else state, answer.sources, self._suggestions, self._turns)

    @property
    def _spent(self) -> bool:
        return self._turns is not None and self._turns.used >= self._turns.limit

    def _failure(self, result: ChatHubResult) -> UpstreamError:
        reason, refused = map_turn_failure(result.value, result.message or "")
        return UpstreamError(reason, name_failure(result.value), refused=refused and not self.text)

    def _read_frame(self, frame: ChatHubFrame) -> ReplyUpdate:
        if frame.type == UPDATE and frame.target == "update":
            before = self.text
            for update in frame.arguments or []:
                self._count(update.throttling)
                self._read_messages(update.messages or [])
            return ReplyUpdate.TEXT if self.text != before else ReplyUpdate.NOTHING
        if frame.type == FINAL:
            self._end = frame.item or ChatHubItem()
            self._count(self._end.throttling)
            self._read_messages(self._end.messages or [])
            return ReplyUpdate.END
        if frame.type == COMPLETION:
            raise UpstreamError(
                Reason.UPSTREAM_INTERNAL, name_failure(frame.error, "the turn ended without a final frame")
            )
        if frame.type == CLOSE:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, name_failure(frame.error, "closed by the upstream"))
        return ReplyUpdate.PING if frame.type == PING else ReplyUpdate.NOTHING

    def _count(self, throttling: ChatHubQuota | None) -> None:
        if throttling and throttling.used is not None and throttling.limit is not None:
            self._turns = TurnCount(throttling.used, throttling.limit)

    def _read_messages(self, messages: list[ChatHubMessage]) -> None:
        answer: ChatHubMessage | None = None
        for message in messages:
            if message.is_answer:
                answer = message
            self._disengaged = self._disengaged or message.message_type == "Disengaged"
        self._read_suggestions(messages)
        if answer is None or not (text := answer.shown):
            return
        is_apology = answer.content_origin == "Apology" and self._shown is not None
        if is_apology and self._shown and self._shown.content_origin != "Apology":
            return
        check_marks(text)
        self._shown, self.text = answer, text

    def _read_suggestions(self, messages: list[ChatHubMessage]) -> None:
        """Take the last suggestions that there are."""
        internal = 0
        for message in reversed(messages):
            internal += message.message_type == "InternalSuggestions"
            if internal > MOST_INTERNAL:
                return
            if suggestions := message.suggestions:
                self._suggestions = suggestions
                return


def _gives_up(text: str) -> bool:
    return any(phrase in text for phrase in _GIVE_UP_PHRASES)
