"""Calls: requests whose result is read once, by the request itself, from where their worker has left it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
import structlog
from starlette.types import Receive

from gateway.answering.models import ModelChoice
from gateway.answering.submit import Questions, Submission
from gateway.errors import ModelAwayError, NoWorkerError
from wire.errors import AnswerLostError, KeySpentError, WireError
from wire.jobs import Client
from wire.messages import Call, Failed, Final
from wire.prompt import Prompt
from wire.result_store import ResultStore

# Seconds for counting tokens, behind which an estimate is better than the truth.
COUNT_LIMIT = 5.0
_LOG = structlog.get_logger()


class _CountedTokens(msgspec.Struct):
    input_tokens: int


_count = msgspec.json.Decoder(_CountedTokens)


@dataclass(frozen=True)
class CallEnd:
    """The end of a call, and its result unless it has failed."""

    event: Final | Failed
    result: bytes = b""


@dataclass(frozen=True)
class Calls:
    """Follows calls that were submitted as questions are."""

    questions: Questions
    results: ResultStore
    count_limit: float = COUNT_LIMIT

    async def read_end(
        self,
        submission: Submission,
        client: Client,
        receive: Receive,
        *,
        repeatable: bool,
        make_room: Callable[[int], Awaitable[None]] | None = None,
    ) -> CallEnd:
        """Wait for the end of a client's call and return it; its leaving stops the call, unless it is `repeatable`.

        `make_room` is called with a result's bytes, and returns when there is room for them; None where they are few.

        KeySpentError if it was repeated after its result is no longer kept. AnswerLostError, DeadlineError,
        DrainingError, StoreUnavailableError.
        """
        relay, answer = self.questions.relay, submission.answer_id
        on_hang_up = None if repeatable else relay.on_hang_up(answer)
        async with (
            relay.active_requests.track(relay.time_limit, receive=receive, on_hang_up=on_hang_up),
            self.questions.follow(submission, client) as events,
        ):
            event = await relay.read_end(events)
            if isinstance(event, Failed):
                return CallEnd(event)
            if make_room is not None:
                await make_room(await self.results.size(answer))
            result = await self.results.read(answer)
        if not result:
            raise AnswerLostError if submission.new else KeySpentError("the key's result is no longer kept")
        if not repeatable:
            await self.results.delete(answer)
        return CallEnd(event, result)

    async def count_tokens(
        self, prompt: Prompt, choice: ModelChoice, client: Client, receive: Receive, *, request: str = ""
    ) -> int | None:
        """Return a prompt's tokens as a server of the model counts them.

        None if none can, or not now, or not within the limit. ClientGoneError, DrainingError.
        """
        try:
            if not choice.takes_calls("count_tokens"):
                return None
            body = msgspec.Raw(msgspec.json.encode(prompt))
            work = Call("count_tokens", choice.name, body, request=request)
            submission = await self.questions.submit(work, client, token=None)
            end = await self._read_soon(submission, client, receive)
        except (WireError, NoWorkerError, ModelAwayError, TimeoutError) as error:
            _LOG.info("tokens are estimated", cause=type(error).__name__)
            return None
        return _count.decode(end.result).input_tokens if end.result else None

    async def _read_soon(self, submission: Submission, client: Client, receive: Receive) -> CallEnd:
        """Return the end of a call. TimeoutError if it takes too long, and then the call is stopped."""
        try:
            async with asyncio.timeout(self.count_limit):
                return await self.read_end(submission, client, receive, repeatable=False)
        except TimeoutError:
            hang_up = self.questions.relay.on_hang_up(submission.answer_id)
            if hang_up is not None:
                hang_up()
            raise
