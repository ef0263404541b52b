"""The responses that a question continues from: a conversation that its client doesn't send again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from gateway.http import sse
from gateway.http.large_read import admit_together
from gateway.openai.answer_messages import to_messages
from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import MAX_MESSAGES
from wire.about import weigh_blocks
from wire.answers import Answers, Progress
from wire.blocks import Block
from wire.errors import AnswerNotFoundError
from wire.messages import Failed, Final, encode
from wire.prompt import Message
from wire.redis.long_strings import Admit
from wire.response_memory import RecalledLink, ResponseMemory
from wire.threads import run_sized

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

    async def load(self, previous: str, owner: str, holder: str, size: int, admit: Admit) -> ResponseChain:
        """Return what a question of `size` bytes continues from, if it is its owner's, once `admit` lets it be read.

        InvalidRequestError if it is none, or too long; StoreUnavailableError, and what `admit` raises.
        """
        answer = parse_answer(previous)
        if answer is None:
            raise missing(previous)
        # Until the last one is read nobody knows how much there is.
        reading = _Reading(self, owner, holder, previous, admit_together(admit, self.limit))
        answers, links = [answer], await reading.read([answer])
        last = links[0].start
        total = last.size + links[0].end_size
        if last.depth >= MOST_LINKS:
            raise _too_long(f"more than {MOST_LINKS} responses come before '{previous[:64]}'")
        if total + size > self.limit:
            raise _too_long(f"the conversation up to '{previous[:64]}' and the input have more than {self.limit} bytes")
        await admit(total)
        while ancestors := links[-1].start.ancestors:
            answers += ancestors
            links += await reading.read(ancestors)
        messages = await run_sized(total, _join, links)
        if len(messages) > MAX_MESSAGES:
            raise _too_long(f"more than {MAX_MESSAGES} messages come before the input")
        whole = not any(link.start.named for link in links)
        return ResponseChain(last.token, tuple(answers), tuple(messages), total, whole)


@dataclass(frozen=True)
class _Reading:
    """The reading of one chain."""

    chains: ResponseChains
    owner: str
    holder: str
    previous: str
    admit: Admit

    async def read(self, answers: Sequence[str]) -> list[RecalledLink]:
        """Return responses with their ends. InvalidRequestError for one that isn't there, or hasn't ended."""
        links = []
        for answer, link in zip(answers, await self.chains.memory.read_links(answers, self.admit), strict=True):
            if link is None or link.start.owner != self.owner:
                raise missing(self.previous)
            links.append(link if link.end is not None else await self._with_end(answer, link))
        return links

    async def _with_end(self, answer: str, link: RecalledLink) -> RecalledLink:
        """Return a response whose end isn't kept, as of one that was stopped, with that of its events."""
        try:
            progress = await self.chains.answers.read_progress(answer, self.holder, self.admit)
        except AnswerNotFoundError:
            raise missing(self.previous) from None
        if progress.end is None:
            message = f"The response '{self.previous[:64]}' has not ended yet."
            raise InvalidRequestError(message, _PARAM, "previous_response_in_progress")
        if not isinstance(progress.end, Final):
            raise missing(self.previous)
        end = complete_end(progress, progress.end)
        return RecalledLink(link.start, end, len(await run_sized(weigh_blocks(end.all_blocks), encode, end)))


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


def _join(links: Sequence[RecalledLink]) -> list[Message]:
    return [message for link in reversed(links) for message in _messages(link)]


def _messages(link: RecalledLink) -> tuple[Message, ...]:
    blocks: Sequence[Block] = link.end.all_blocks if link.end else ()
    return (*link.start.messages, *to_messages(blocks))
