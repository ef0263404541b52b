"""One job's run: its attempts, its limits of time, its terminal event."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import msgspec
import structlog
from structlog.contextvars import bound_contextvars

from telemetry import traces
from wire.errors import LeaseLostError, StateLostError, WireError
from wire.messages import Chat, Failed, Final, HistoryMessage, Image
from wire.redis.retry import retry_unavailable
from wire.sessions import ClaimedJob, Sessions, State
from wire.terminal_events import INTERRUPTED, STATE_LOST
from worker.accounts.account import Account
from worker.accounts.penalties import NO_PENALTY, SUCCESS, penalty_for
from worker.errors import REASONS, UpstreamError
from worker.providers import ChatUpdate, Completion
from worker.providers.registry import Upstream
from worker.turns import session_state as sessions_saved
from worker.turns.deltas import strip_citations
from worker.turns.publisher import Publisher
from worker.turns.routing import AttemptRouter
from worker.turns.session_state import SessionState
from worker.turns.timeouts import IdleTimeout

_LOG = structlog.get_logger()
# The model says in its own words that it has lost the thread: the next question meets a fresh conversation.
_GIVEN_UP = ("I’m still learning", "我还在学习")
_REASONS = {*REASONS, INTERRUPTED.reason, STATE_LOST.reason}


@dataclass(frozen=True)
class Outcome:
    """The end of a turn: the terminal event and the session to save (None starts a fresh one next time).

    `sent` is the number of questions sent in a saved session, where another conversation was tried after it.
    `answer` is what the transcript of a saved session gets after the question; `starts_transcript` drops what the
    transcript held before.
    """

    state: State
    event: Final | Failed
    session: bytes | None
    sent: int | None = None
    answer: str | None = None
    starts_transcript: bool = False

    @property
    def label(self) -> tuple[str, str, str]:
        """Who was asked, how the turn ended and, if it failed, why.

        A reason that only somebody's own provider knows is `other`.
        """
        provider, state = self.event.provider, self.state.lower()
        if self.state != "FAILED" or isinstance(self.event, Final):
            return provider, state, ""
        return provider, state, self.event.reason if self.event.reason in _REASONS else "other"


class Turn:
    """One job. `may_send` is asked after the SENT mark: whether the lease can't have run out since."""

    def __init__(self, upstream: Upstream, sessions: Sessions, job: ClaimedJob, may_send: Callable[[], bool]) -> None:
        self._upstream = upstream
        self._sessions = sessions
        self.job = job
        self._may_send = may_send
        self._deadline = asyncio.get_running_loop().time() + upstream.settings.answer_timeout
        self._attempt = 0
        self._router = AttemptRouter(upstream.pool, sessions, job, upstream.settings.account_tries, self._deadline)
        self._sent_before = job.sent
        self._publisher = Publisher(sessions, job, upstream.settings.answer_timeout)
        self.sent = False

    @property
    def seq(self) -> int:
        """The seq of the last event that was published."""
        return self._publisher.seq

    @property
    def question_count(self) -> int:
        """How many questions were sent in the conversation, with this one; 0 before it was."""
        conversation = self._router.conversation
        return (conversation.sent if conversation else 0) + 1 if self.sent else 0

    def transcript_messages(self, outcome: Outcome) -> tuple[HistoryMessage, ...]:
        """What the transcript gets of a turn that ended so."""
        work = self.job.work
        if outcome.answer is None or not isinstance(work, Chat):
            return ()
        before = work.history if outcome.starts_transcript else ()
        return (*before, HistoryMessage("user", work.question), HistoryMessage("assistant", outcome.answer))

    async def run(self) -> Outcome:
        """Ask until there is an end. AnswerEndedError, LeaseLostError, StateLostError, StoreUnavailableError."""
        outcome = await self._run()
        return replace(outcome, event=msgspec.structs.replace(outcome.event, provider=self._publisher.provider))

    async def _run(self) -> Outcome:
        async with self._publisher as publisher:
            try:
                return await self._attempts(publisher)
            except UpstreamError as error:
                return await self._failure(publisher, error)
            except WireError:
                raise
            except asyncio.CancelledError:
                if not self.sent:
                    raise
                await publisher.finish()
                return Outcome("FAILED", _with_text(INTERRUPTED, publisher.published_text), None)
            except Exception as error:  # noqa: BLE001 - a provider of somebody's own may raise anything
                _LOG.exception("provider failed")
                return await self._failure(publisher, UpstreamError("upstream.protocol", type(error).__name__))

    def stopped_outcome(self) -> Outcome:
        """The outcome of a job whose answer had ended before the turn did; its event is never written."""
        untouched = not self.sent and not self._router.reset
        return Outcome("STOPPED", INTERRUPTED, self.job.session if untouched else None)

    def interrupted_outcome(self, error: BaseException) -> Outcome:
        """The outcome of a job that could not be worked on to its end; whether it counts, `finish` says."""
        return Outcome("FAILED", STATE_LOST if isinstance(error, StateLostError) else INTERRUPTED, None)

    async def _attempts(self, publisher: Publisher) -> Outcome:
        self._router.restore_session()
        while True:
            reservation = await self._router.reserve()
            try:
                outcome = await self._try(publisher, reservation.account)
            except UpstreamError as error:
                await reservation.release(penalty_for(error, sent=self.sent), sent=self.sent)
                if publisher.has_text or (self.sent and not error.refused):
                    raise
                await self._prepare_again(reservation.account, error)
            except BaseException:
                reservation.release_soon(NO_PENALTY, sent=self.sent)
                raise
            else:
                reservation.release_soon(SUCCESS, sent=self.sent)
                return outcome

    async def _prepare_again(self, account: Account, error: UpstreamError) -> None:
        """Get ready for a further attempt after one of which nothing came. UpstreamError if none may be."""
        _LOG.warning("upstream refused", account=account.name, reason=error.reason, attempt=self._attempt)
        sent = self.sent
        if sent:
            await retry_unavailable(lambda: self._sessions.record_refusal(self.job, self._attempt), self._deadline)
            self.sent = False
        await self._router.prepare_retry(error, account, sent=sent)

    async def _before_send(self) -> None:
        self._attempt += 1
        conversation = self._router.conversation
        count, fresh = 1, conversation is None
        if conversation is not None:
            count = self._sent_before = conversation.sent + 1
        await retry_unavailable(
            lambda: self._sessions.mark_sent(self.job, self._attempt, count, fresh=fresh), self._deadline
        )
        if not self._may_send():
            raise LeaseLostError("no heartbeat for a whole lease")
        self.sent = True
        _LOG.info("question sent", attempt=self._attempt)

    async def _try(self, publisher: Publisher, account: Account) -> Outcome:
        """One attempt, at the account."""
        provider = publisher.provider = self._upstream.providers.provider_name(account)
        with (
            bound_contextvars(provider=provider, account=account.name),
            traces.start_span("attempt", "client", bing_provider=provider, bing_account=account.name),
        ):
            return await self._ask(publisher, account)

    async def _ask(self, publisher: Publisher, account: Account) -> Outcome:
        work, providers = self.job.work, self._upstream.providers
        if isinstance(work, Image):
            return await self._draw(account, work)
        asking = providers.chat_for(account).ask(
            account, self._router.conversation, work.style, work.question, self._before_send, self._router.load_history
        )
        async with aclosing(asking):
            completed = await self._listen(asking, publisher)
            return await self._success(publisher, account, completed)

    async def _draw(self, account: Account, work: Image) -> Outcome:
        try:
            async with asyncio.timeout_at(self._deadline):
                images = self._upstream.providers.images_for(account)
                pictures = await images.draw(account, work.keyword, self._before_send)
        except TimeoutError:
            raise UpstreamError("image.timeout") from None
        return Outcome("DONE", Final(text="", images=pictures), None)

    async def _listen(self, asking: AsyncGenerator[ChatUpdate, None], publisher: Publisher) -> Completion:
        """Show the provider's updates, each within its limit: first text, silence, total."""
        settings = self._upstream.settings
        first, idle = settings.first_text_timeout, settings.idle_timeout
        try:
            async with IdleTimeout(
                lambda: idle if publisher.has_text else first, min(first, idle), self._deadline
            ) as idle_limit:
                async for update in asking:
                    if isinstance(update, Completion):
                        return update
                    publisher.update(update.text)
                    idle_limit.reset()
        except TimeoutError:
            if asyncio.get_running_loop().time() >= self._deadline:
                raise UpstreamError("timeout.total") from None
            raise UpstreamError("timeout.idle" if publisher.has_text else "timeout.first") from None
        raise UpstreamError("upstream.protocol", "the provider ended without an end")

    async def _success(self, publisher: Publisher, account: Account, completed: Completion) -> Outcome:
        text = strip_citations(completed.text)
        if not text:
            raise UpstreamError("answer.empty")
        await publisher.finish(completed.text)
        given_up = completed.state is None or any(words in text for words in _GIVEN_UP)
        session = None
        if not given_up and completed.state is not None:
            session = sessions_saved.encode(SessionState(account.name, completed.state))
        event = Final(
            text=text,
            urls=completed.urls,
            reset=self._router.reset or given_up,
            suggestions=completed.suggestions,
            turns=completed.turns,
            finish=completed.finish,
            usage=completed.usage,
        )
        return Outcome("DONE", event, session, answer=text, starts_transcript=self._router.starts_transcript)

    async def _failure(self, publisher: Publisher, error: UpstreamError) -> Outcome:
        _LOG.warning("turn failed", reason=error.reason, detail=error.detail)
        await publisher.finish()
        if error.retry_after is not None and not publisher.has_text:
            # Unspent: the conversation is as it was.
            code = 120 if error.reason == "account.throttled" else 503
            event = Failed(code, error.message, error.reason, reset=False, retry_after=math.ceil(error.retry_after))
            return Outcome("FAILED", event, self.job.session, self._sent_before)
        return Outcome("FAILED", Failed(500, error.message, error.reason, publisher.published_text), None)


def _with_text(event: Failed, text: str) -> Failed:
    return Failed(event.code, event.message, event.reason, text)
