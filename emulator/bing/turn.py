"""One question over the chat socket on its way to an answer, and the steps by which the answer is sent."""

import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from emulator import answers
from emulator.answers import SampleAnswer
from emulator.bing import frames
from emulator.bing.conversations import LIFETIME, ChatHubConversation
from emulator.bing.frames import HOLE, FrameTemplate
from emulator.clock import EmulatorClock
from emulator.json_text import Json
from emulator.prompt import TurnPrompt
from emulator.steps import Pause, Step

FIRST_TEXT = 2.7  # seconds until the first text of an ordinary answer


@dataclass(frozen=True, slots=True)
class SendText(Step):
    """One WebSocket text message."""

    data: str


@dataclass(frozen=True, slots=True)
class SendDelta(Step):
    """One WebSocket text message that brings the answer's text to `length` characters."""

    data: str
    length: int


@dataclass(frozen=True, slots=True)
class SendBinary(Step):
    """One WebSocket binary message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendFinal(Step):
    """The last message of a turn; `outcome` goes into the ledger just before it leaves."""

    data: str
    outcome: str


class GrowingText:
    """The answer's text so far, and the update that carries it.

    message: the message in which HOLE is the place of the text. stamp: whether each piece holds the time.
    """

    def __init__(self, request_id: str, message: Json, stamp: bool = False) -> None:
        self._template = FrameTemplate(frames.update(request_id, messages=[message]))
        self._escaped: list[str] = []
        self._stamp = stamp
        self.value = ""

    def grow(self, piece: str) -> SendDelta:
        """Add a piece."""
        if self._stamp:
            piece = f"{piece} t={time.time_ns()} "
        self.value += piece
        self._escaped.append(frames.escape(piece))
        if len(self._escaped) > 1:
            self._escaped = ["".join(self._escaped)]
        return SendDelta(self._template.fill(self._escaped[0]), len(self.value))

    def replace(self, text: str) -> SendDelta:
        """Replace the whole text."""
        self.value = text
        self._escaped = [frames.escape(text)]
        return SendDelta(self._template.fill(self._escaped[0]), len(text))


@dataclass
class BingTurn(TurnPrompt):
    """All that a scenario needs to know. The numbers of `conversation` already count this turn."""

    locale: str
    invocation: str
    request_id: str
    conversation: ChatHubConversation
    clock: EmulatorClock
    started: float
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    text: GrowingText = field(init=False, repr=False)

    def begin(self, answer: SampleAnswer, before: Iterable[Step] = (), pause: float = FIRST_TEXT) -> Iterator[Step]:
        """Yield the counters, what comes before the text, the pause, and the update that begins an empty message."""
        self.text = GrowingText(self.request_id, self.answer_message(answer, HOLE), "stamp" in self.options)
        yield from self.announce()
        yield from before
        yield from self.wait_for_text(pause)
        empty = frames.bot_message("", self.message_id, self.clock.now())
        yield self.update(cursor=frames.cursor(self.message_id), messages=[empty])

    def announce(self) -> Iterator[Step]:
        """Yield the update with only the turn counters."""
        yield from self.pause(0.09)
        yield self.update(throttling=frames.throttling(self.conversation.limit, self.number))

    def write(self, pieces: Iterable[str]) -> Iterator[Step]:
        """Send these pieces, one at each beat."""
        for piece in pieces:
            yield self.tick
            yield self.text.grow(piece)

    def end(self, answer: SampleAnswer, before: Iterable[Json] = (), after: Iterable[Json] = ()) -> Iterator[Step]:
        """Yield the suggestions and the final item, in which other messages may come before and after the answer."""
        yield Pause(0.4)
        message = self.suggesting_message(answer, frames.join_pairs(self.text.value))
        yield self.update(messages=[message])
        yield self.final(self.item([*before, message, *after]))

    def update(self, **fields: object) -> SendText:
        """Return an update with these fields."""
        return SendText(frames.record(frames.update(self.request_id, **fields)))

    def message(self, text: str, **fields: object) -> Json:
        """Return a further message by the bot, with an id of its own."""
        return frames.bot_message(text, str(uuid.uuid4()), self.clock.now(), **fields)

    def answer_message(self, answer: SampleAnswer, text: str, **fields: object) -> Json:
        """Return the message with the answer's text; the card repeats the text with the sources around it."""
        blocks = [frames.text_block(answers.references(answer.sources) + text)]
        if answer.sources:
            blocks.append(frames.small_block(answers.learn_more(answer.sources)))
        attributions = [frames.attribution(page.title, page.url, self.directives.topic) for page in answer.sources]
        return frames.bot_message(text, self.message_id, self.clock.now(), **fields) | {
            "adaptiveCards": frames.card(*blocks),
            "sourceAttributions": attributions,
            **fields,
        }

    def suggesting_message(self, answer: SampleAnswer, text: str) -> Json:
        """Return the answer's message with suggestions for the next question."""
        chips = [
            frames.suggestion(suggestion, f"{self.message_id[:-1]}{number}", self.clock.now())
            for number, suggestion in enumerate(answer.suggestions)
        ]
        return self.answer_message(answer, text, suggestedResponses=chips)

    def echo(self) -> Json:
        """Return the user's question as the final item repeats it."""
        client = self.conversation.client
        return frames.user_message(
            self.question, client, self.request_id, self.request_id, self.started, self.locale.lower()
        )

    def item(self, messages: list[Json]) -> Json:
        """Return the final item of a turn that ran; moves the conversation's end to six hours from now."""
        self.conversation.expires = self.clock.now() + LIFETIME
        return frames.answered_item(
            [self.echo(), *(frames.settled(message, self.request_id) for message in messages)],
            self.conversation.id,
            self.request_id,
            self.started,
            self.conversation.expires,
            self.conversation.limit,
            self.number,
            self.question,
        )

    def refuse(self, value: str, message: str, error: bool = True) -> SendFinal:
        """Return the end of a turn that was refused. error: whether the message is repeated as `error`."""
        result = frames.result(value, message, error)
        return self.final(frames.refused_item(self.conversation.id, self.request_id, self.started, result))

    def final(self, item: Json) -> SendFinal:
        """Return type 2 and type 3 in one message."""
        last = {"type": 2, "invocationId": self.invocation, "item": item}
        value = item.get("result", {}).get("value", "no result")
        data = frames.record(last) + frames.record(frames.completion(self.invocation))
        return SendFinal(data, value)
