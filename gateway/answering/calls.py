"""Calls: requests whose result is read once, by the request itself, from where their worker has left it."""

from dataclasses import dataclass

from starlette.types import Receive

from gateway.answering.submit import Questions, Submission
from wire.errors import AnswerLostError, KeySpentError
from wire.messages import Failed, Final
from wire.result_store import ResultStore


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

    async def read_end(self, submission: Submission, receive: Receive, *, repeatable: bool) -> CallEnd:
        """Wait for the end of a call and return it; the client's leaving stops the call, unless it is `repeatable`.

        KeySpentError if it was repeated after its result is no longer kept. AnswerLostError, DeadlineError,
        DrainingError, StoreUnavailableError.
        """
        relay, answer = self.questions.relay, submission.answer_id
        on_hang_up = None if repeatable else relay.on_hang_up(answer)
        async with (
            relay.active_requests.track(relay.time_limit, receive=receive, on_hang_up=on_hang_up),
            self.questions.follow(submission) as events,
        ):
            event = await relay.read_end(events)
            if isinstance(event, Failed):
                return CallEnd(event)
            result = await self.results.read(answer)
        if not result:
            raise AnswerLostError if submission.new else KeySpentError("the key's result is no longer kept")
        if not repeatable:
            await self.results.delete(answer)
        return CallEnd(event, result)
