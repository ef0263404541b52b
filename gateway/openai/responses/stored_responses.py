"""Stored responses as gateways use them: they are kept once accepted, read by their id, continued and deleted."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from gateway.openai.responses.chain import ResponseChain, ResponseChains, complete_end
from wire.about import weigh_messages
from wire.answers import Answers
from wire.blocks import Block
from wire.errors import AnswerNotFoundError, StoreUnavailableError
from wire.messages import Final
from wire.prompt import Message
from wire.redis.long_strings import Admit
from wire.response_memory import STEP, RecalledResponse, ResponseMemory, StoredResponse
from wire.threads import run_sized

_LOG = structlog.get_logger()


@dataclass(frozen=True)
class StoredResponses:
    """The stored responses of all clients. A conversation may have `limit` bytes."""

    memory: ResponseMemory
    answers: Answers
    limit: int
    _chains: ResponseChains = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_chains", ResponseChains(self.memory, self.answers, self.limit))

    async def load_chain(
        self, previous: str, owner: str, holder: str, own: Sequence[Message], admit: Admit
    ) -> ResponseChain:
        """Return what a question with its `own` messages continues from; see ResponseChains.load."""
        return await self._chains.load(previous, owner, holder, await _size(own), admit)

    async def keep(self, client: str, answer: str, start: StoredResponse, chain: ResponseChain | None) -> None:
        """Keep a response that was accepted, if it is to be stored, and what it continues from.

        Where that fails it is answered nevertheless, and no later request finds it.
        """
        before = chain.answers if chain else ()
        try:
            if not start.about.stored:
                if before:
                    await self.memory.touch(client, before)
                return
            start = msgspec.structs.replace(
                start,
                ancestors=before[:STEP],
                depth=len(before),
                size=await _size(start.messages) + (chain.size if chain else 0),
            )
            is_kept = await self.memory.write(client, answer, start, before)
        except StoreUnavailableError as error:
            _LOG.warning("response not stored", answer=answer, cause=str(error))
        else:
            if not is_kept:
                _LOG.warning("response not stored", answer=answer, cause="there is no room")

    async def read(self, answer: str, holder: str, admit: Admit | None = None) -> RecalledResponse:
        """Return the holder's response. AnswerNotFoundError, StoreUnavailableError, and what `admit` raises."""
        (recalled,) = await self.memory.read([answer], admit)
        if recalled is None or recalled.start.holder != holder:
            raise AnswerNotFoundError
        return recalled

    async def read_answer(self, answer: str, holder: str, admit: Admit | None = None) -> Final | Sequence[Block] | None:
        """Return the end of the holder's answer, stored or not, or the blocks of one that hasn't ended well.

        None if it isn't known. StoreUnavailableError, and what `admit` raises.
        """
        if await self.memory.is_deleted(answer):
            return None
        try:
            progress = await self.answers.read_progress(answer, holder, admit)
        except AnswerNotFoundError:
            (recalled,) = await self.memory.read([answer], admit)
            return recalled.end if recalled and recalled.start.holder == holder else None
        return complete_end(progress, progress.end) if isinstance(progress.end, Final) else progress.blocks

    async def keep_stopped(self, client: str, answer: str, holder: str, admit: Admit | None = None) -> None:
        """Keep the end of a response that was stopped, as its readers have it."""
        try:
            progress = await self.answers.read_progress(answer, holder, admit)
            if isinstance(progress.end, Final) and progress.end.stopped:
                end = complete_end(progress, progress.end)
                await self.memory.write_end(client, answer, end, written=True)
        except (AnswerNotFoundError, StoreUnavailableError) as error:
            _LOG.warning("the end of a stopped response is not kept", answer=answer, cause=str(error))


async def _size(messages: Sequence[Message]) -> int:
    return len(await run_sized(weigh_messages(messages), msgspec.json.encode, messages))
