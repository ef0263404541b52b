"""The responses that a question continues from: a conversation that its client doesn't send again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from gateway.http import sse
from gateway.openai.answer_messages import to_messages
from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import MAX_MESSAGES
from wire.answers import Answers, Progress
from wire.blocks import Block
from wire.errors import AnswerNotFoundError
from wire.messages import Failed, Final
from wire.prompt import Message
from wire.response_memory import RecalledResponse, ResponseMemory

# How many responses a question may continue from, one after the other; a request has no more messages either.
MOST_LINKS = 256
PREFIX = "resp_"
_PARAM = "previous_response_id"
End = TypeVar("End", bound=Final | Failed)


@dataclass(frozen=True)
class ResponseChain:
    """The responses before a question, the last one first, and all their `messages`, oldest first.

    `size` are the bytes of their input and ends. The last one is in the conversation `token`. The messages are `whole`
    unless the first response continued a conversation with a name, of which nothing else is known here.
    """

    token: str
    answers: tuple[str, ...]
    messages: tuple[Message, ...]
    size: int
    whole: bool


@dataclass(frozen=True)
class ResponseChains:
    """Finds the responses before a question, which together with it may have `limit` bytes."""

    memory: ResponseMemory
    answers: Answers
    limit: int

    async def load(self, previous: str, owner: str, holder: str, size: int) -> ResponseChain:
        """Return what a question of `size` bytes continues from, if it is its owner's.

        InvalidRequestError if it is none, or too long; StoreUnavailableError.
        """
        answer = parse_answer(previous)
        if answer is None:
            raise missing(previous)
        answers, links = [answer], await self._read([answer], owner, holder, previous)
        last = links[0].start
        total = last.size + links[0].end_size
        if last.depth >= MOST_LINKS:
            raise _too_long(f"more than {MOST_LINKS} responses come before '{previous[:64]}'")
        if total + size > self.limit:
            raise _too_long(f"the conversation up to '{previous[:64]}' and the input have more than {self.limit} bytes")
        while ancestors := links[-1].start.ancestors:
            answers += ancestors
            links += await self._read(ancestors, owner, holder, previous)
        messages = [message for link in reversed(links) for message in _messages(link)]
        if len(messages) > MAX_MESSAGES:
            raise _too_long(f"more than {MAX_MESSAGES} messages come before the input")
        whole = not any(link.start.named for link in links)
        return ResponseChain(last.token, tuple(answers), tuple(messages), total, whole)

    async def _read(self, answers: Sequence[str], owner: str, holder: str, previous: str) -> list[RecalledResponse]:
        """Return responses with their ends. InvalidRequestError for one that isn't there, or hasn't ended."""
        links = []
        for answer, link in zip(answers, await self.memory.read(answers), strict=True):
            if link is None or link.start.owner != owner:
                raise missing(previous)
            links.append(link if link.end is not None else await self._with_end(answer, link, holder, previous))
        return links

    async def _with_end(self, answer: str, link: RecalledResponse, holder: str, previous: str) -> RecalledResponse:
        """Return a response whose end isn't kept, as of one that was stopped, with that of its events."""
        try:
            progress = await self.answers.read_progress(answer, holder)
        except AnswerNotFoundError:
            raise missing(previous) from None
        if progress.end is None:
            message = f"The response '{previous[:64]}' has not ended yet."
            raise InvalidRequestError(message, _PARAM, "previous_response_in_progress")
        if not isinstance(progress.end, Final):
            raise missing(previous)
        return RecalledResponse(link.start, complete_end(progress, progress.end), len(progress.text))


def parse_answer(response: str) -> str | None:
    """Return the answer's id in that of a response; None if it is none."""
    answer = response.removeprefix(PREFIX)
    return answer if sse.parse_event_id(f"{answer}.0") else None


def complete_end(progress: Progress, end: End) -> End:
    """Return an end with what the events before it brought: one of an answer that was stopped has only the text."""
    if isinstance(end, Failed) or not end.stopped:
        return end
    return msgspec.structs.replace(
        end,
        blocks=end.blocks or progress.blocks,
        model=end.model or progress.model,
        provider=end.provider or progress.provider,
    )


def missing(previous: str) -> InvalidRequestError:
    """Return the error for a response that isn't there to be continued, or one before it."""
    message = f"Previous response with id '{previous[:64]}' not found: it, or one before it, is unknown or not kept."
    return InvalidRequestError(message, _PARAM, "previous_response_not_found")


def _too_long(reason: str) -> InvalidRequestError:
    return InvalidRequestError(f"The conversation is too long: {reason}.", _PARAM, "context_length_exceeded")


def _messages(link: RecalledResponse) -> tuple[Message, ...]:
    blocks: Sequence[Block] = link.end.all_blocks if link.end else ()
    return (*link.start.messages, *to_messages(blocks))
