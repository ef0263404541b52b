"""One job's turn: its attempts, its time limits and its outcome."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace

import msgspec
import structlog
from structlog.contextvars import bound_contextvars

from telemetry import traces
from wire.blocks import Block
from wire.call_memory import CallMemory, CallRecord
from wire.errors import LeaseLostError, StateLostError, StoreUnavailableError, WireError
from wire.messages import Call, Failed, Final, Image
from wire.pictures import PictureStore
from wire.reasons import Reason
from wire.response_memory import ResponseMemory, is_stored_response
from wire.result_store import ResultStore
from wire.sessions import ClaimedJob, Sessions, StatelessSession
from wire.terminal_events import INTERRUPTED
from worker.accounts.account import Account, ServerAccount
from worker.accounts.penalties import DEMANDED, NO_PENALTY, SUCCESS, Penalty, penalty_for
from worker.errors import UpstreamError
from worker.providers import ChatUpdate, Completion, Snapshot
from worker.providers.registry import Upstream
from worker.providers.surrogates import join_surrogates
from worker.turns.demands import has_own_fields, is_large
from worker.turns.forgotten import Report
from worker.turns.outcome import Outcome, interrupted
from worker.turns.pictures import keep_pictures
from worker.turns.publisher import Publisher
from worker.turns.recent_events import RecentEvents, share_of
from worker.turns.results import keep_result
from worker.turns.routing import AttemptRouter
from worker.turns.sent_mark import SentMark
from worker.turns.session_state import SessionState, encode
from worker.turns.timeouts import IdleTimeout

# What says nothing against an account that answers questions: its server may lack what the call is for.
_BESIDE_ANSWERS = ("doubted", "internal")
# The request is at fault, and nothing was spent.
_INVALID = (Reason.QUESTION_INVALID, Reason.MODEL_UNABLE)
_LOG = structlog.get_logger()


class Turn:
    """One job. `may_send` is called after the SENT mark: False if the lease may have expired since.

    `report` is awaited where Redis has forgotten what the worker holds of the job. `lost` is set if the job can't
    continue after a report.
    """

    def __init__(
        self,
        upstream: Upstream,
        sessions: Sessions,
        job: ClaimedJob,
        may_send: Callable[[], bool],
        report: Report,
    ) -> None:
        self._upstream = upstream
        self._sessions = sessions
        self.job = job
        self._may_send = may_send
        self._began = asyncio.get_running_loop().time()
        # Until it is known which account answers; each has a limit of its own.
        longest = upstream.pool.longest_answer(upstream.settings)
        self._deadline = self._began + longest
        self._attempt = 0
        self._mark = SentMark(sessions, job, report)
        self._router = AttemptRouter(upstream.pool, sessions, job, upstream.settings.account_tries, self._deadline)
        self._sent_before = job.sent
        self._publisher = Publisher(sessions, job, longest, report, share_of(upstream.settings.worker_slots))
        # The session to keep after a failure, where the upstream that was asked last remembers nothing.
        self._stateless_session: bytes | None = None
        self.sent = self.lost = False
        # The account that was asked last; '' before the first.
        self.account = ""

    @property
    def seq(self) -> int:
        """The seq of the last event that was published."""
        return self._publisher.seq

    @property
    def recent(self) -> RecentEvents:
        """The last events that were published."""
        return self._publisher.recent

    @property
    def question_count(self) -> int:
        """The number of questions sent in the conversation, this one included; 0 before it was sent."""
        conversation = self._router.conversation
        return (conversation.sent if conversation else 0) + 1 if self.sent else 0

    async def run(self) -> Outcome:
        """Run attempts until the turn has an outcome.

        Raises AnswerEndedError, LeaseLostError, StateLostError and StoreUnavailableError.
        """
        async with self._publisher as publisher:
            try:
                outcome = await self._attempt_accounts(publisher)
            except UpstreamError as error:
                outcome = await self._fail(publisher, error)
            except WireError:
                raise
            except asyncio.CancelledError:
                if not self.sent:
                    raise
                await publisher.finish()
                outcome = self._broken_off(_with_text(INTERRUPTED, publisher.published_text))
            except Exception as error:  # noqa: BLE001 - a third-party provider may raise anything
                _LOG.exception("provider failed")
                outcome = await self._fail(publisher, UpstreamError(Reason.UPSTREAM_PROTOCOL, type(error).__name__))
        outcome = replace(outcome, event=msgspec.structs.replace(outcome.event, provider=publisher.provider))
        if isinstance(outcome.event, Final):
            await self._keep_end(outcome.event)
        return outcome

    def stopped_outcome(self) -> Outcome:
        """Return the outcome of a job whose answer ended before the turn did; its event is never written."""
        if not self.sent:
            return Outcome("STOPPED", INTERRUPTED, self.job.session)
        begins = self._router.starts_transcript
        return Outcome("STOPPED", INTERRUPTED, self._stateless_session, starts_transcript=begins)

    def interrupted_outcome(self, error: BaseException) -> Outcome:
        """Return the outcome of a turn that `error` broke off. Redis decides whether it counts."""
        return interrupted(error) if isinstance(error, StateLostError) else self._broken_off(INTERRUPTED)

    def _broken_off(self, event: Failed) -> Outcome:
        """Return the outcome of a turn that failed with `event`.

        The conversation starts afresh, since it isn't known what the upstream makes of the question. One that remembers
        nothing continues: with the text that was sent, or without the question if there was none.
        """
        if self._stateless_session is None or self._router.reset:
            return Outcome("FAILED", event, None)
        event, text = msgspec.structs.replace(event, reset=False), self._publisher.published_text
        if not (self.sent and text):
            return Outcome("FAILED", event, self.job.session, self._sent_before)
        begins = self._router.starts_transcript
        return Outcome("FAILED", event, self._stateless_session, answer=text, starts_transcript=begins)

    async def _attempt_accounts(self, publisher: Publisher) -> Outcome:
        """Ask one account after another until one answers. Raises the UpstreamError that allows no further attempt."""
        self._router.restore_session()
        while True:
            reservation = await self._router.reserve()
            try:
                outcome = await self._ask(publisher, reservation.account)
            except UpstreamError as error:
                await reservation.release(self._penalty_for(error, reservation.account), sent=self.sent)
                if publisher.has_begun or (self.sent and not error.refused):
                    raise
                await self._prepare_retry(reservation.account, error)
            except BaseException:
                reservation.release_soon(NO_PENALTY, sent=self.sent)
                raise
            else:
                reservation.release_soon(SUCCESS, sent=self.sent)
                return outcome

    def _penalty_for(self, error: UpstreamError, account: Account) -> Penalty:
        penalty = NO_PENALTY if error.repeat else self._assess(error, account)
        if isinstance(self.job.work, Call) and penalty.outcome in _BESIDE_ANSWERS:
            return NO_PENALTY
        # Text alone is no reason to refuse an account.
        if not penalty.by_question or (penalty.outcome == "dead" and self._router.is_text):
            return penalty
        return penalty.attribute(self.job.asker, self._router.measure_prompt())

    def _assess(self, error: UpstreamError, account: Account) -> Penalty:
        """Return the penalty, which is the question's if that asked for more than others may."""
        work = self.job.work
        beyond = self.sent and isinstance(account, ServerAccount) and error.reason in DEMANDED
        if beyond and not has_own_fields(work):
            # No key is refused for a prompt's length.
            beyond = error.reason != Reason.ACCOUNT_REFUSED and is_large(work, self._router.measure_prompt())
        return penalty_for(error, sent=self.sent, beyond=beyond)

    async def _prepare_retry(self, account: Account, error: UpstreamError) -> None:
        """Prepare another attempt after one without any event. Raises UpstreamError if none is allowed."""
        _LOG.warning("upstream refused", account=account.name, reason=error.reason, attempt=self._attempt)
        sent = self.sent
        if sent:
            await self._mark.record_refusal(self._deadline)
            self.sent = False
        await self._router.prepare_retry(error, account, sent=sent)

    async def _before_send(self) -> None:
        """Write the SENT mark. Raises LeaseLostError or AnswerEndedError if the question must not be sent."""
        self._attempt += 1
        conversation = self._router.conversation
        count, fresh = 1, conversation is None
        if conversation is not None:
            count = self._sent_before = conversation.sent + 1
        session, stateless = self._stateless_session, None
        if session is not None and not self._router.reset:
            stateless = StatelessSession(session, self._router.starts_transcript)
        await self._mark.write(count, fresh=fresh, stateless=stateless, until=self._deadline)
        if not self._may_send():
            raise LeaseLostError("no heartbeat for a whole lease")
        self.sent = True
        _LOG.info("question sent", attempt=self._attempt, waited=self.job.waited)

    async def _ask(self, publisher: Publisher, account: Account) -> Outcome:
        """Make one attempt, with the given account."""
        work, providers = self.job.work, self._upstream.providers
        self.account = account.name
        provider = publisher.provider = providers.provider_name(account)
        publisher.model = self._router.model
        with (
            bound_contextvars(provider=provider, account=account.name),
            traces.start_span("attempt", "client", bing_provider=provider, bing_account=account.name),
        ):
            deadline = self._began + account.answer_limit(self._upstream.settings)
            if isinstance(work, Image):
                return await self._draw(account, work, deadline)
            if isinstance(work, Call):
                return await self._call(account, work, deadline)
            session = encode(SessionState(account.name, b"")) if providers.is_stateless(account) else None
            self._stateless_session = session
            updates = providers.chat_for(account).ask(
                account,
                self._router.conversation,
                self._router.style,
                work.question,
                self._before_send,
                self._router.load_history,
            )
            async with aclosing(updates):
                completion = await self._listen(updates, publisher, deadline, streams=account.stream)
                return await self._complete(publisher, account, completion)

    async def _draw(self, account: Account, work: Image, deadline: float) -> Outcome:
        try:
            async with asyncio.timeout_at(deadline):
                images = self._upstream.providers.images_for(account)
                pictures = await images.draw(account, work.keyword, self._before_send)
        except TimeoutError:
            raise UpstreamError(Reason.IMAGE_TIMEOUT) from None
        settings, store = self._upstream.settings, PictureStore(self._sessions.store)
        addresses = await keep_pictures(
            store, pictures, self.job.asker, ttl=settings.answer_ttl, limit=settings.picture_limit
        )
        return Outcome("DONE", Final(text="", images=addresses), None)

    async def _call(self, account: Account, work: Call, deadline: float) -> Outcome:
        # Nobody remembers it, so that it is stopped when its client leaves.
        self._stateless_session = encode(SessionState(account.name, b""))
        provider, model = self._upstream.providers.calls_for(account), self._router.model
        try:
            async with asyncio.timeout_at(deadline):
                result = await provider.call(account, work.operation, model, bytes(work.body), self._before_send)
        except TimeoutError:
            raise UpstreamError(Reason.TIMEOUT_TOTAL) from None
        await keep_result(ResultStore(self._sessions.store), self._sessions.memory, self.job.answer, result.body)
        return Outcome("DONE", Final("", usage=result.usage, model=model), None)

    async def _listen(
        self, updates: AsyncGenerator[ChatUpdate, None], publisher: Publisher, deadline: float, *, streams: bool
    ) -> Completion:
        """Publish the provider's updates within the limits for the first text, for silence and for the whole answer.

        Each update is a sign of life, with new text or not. An account that doesn't stream is silent until its end.
        """
        settings = self._upstream.settings
        first, idle = settings.first_text_timeout if streams else math.inf, settings.idle_timeout
        try:
            async with IdleTimeout(
                lambda: idle if publisher.has_begun else first, min(first, idle), deadline
            ) as idle_limit:
                async for update in updates:
                    if isinstance(update, Completion):
                        return update
                    if isinstance(update, Snapshot):
                        publisher.update(update.text)
                    elif update.pieces:
                        publisher.grow(update.pieces)
                    idle_limit.reset()
        except TimeoutError:
            if asyncio.get_running_loop().time() >= deadline:
                raise UpstreamError(Reason.TIMEOUT_TOTAL) from None
            raise UpstreamError(Reason.TIMEOUT_IDLE if publisher.has_begun else Reason.TIMEOUT_FIRST) from None
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "the provider ended without an end")

    async def _complete(self, publisher: Publisher, account: Account, completion: Completion) -> Outcome:
        text = join_surrogates(completion.text)
        if not text and not completion.blocks and completion.finish != "length":
            raise UpstreamError(Reason.ANSWER_EMPTY)
        if completion.records:
            # Before the end, after which the client may ask with the results of the calls.
            await self._keep_records(completion.records)
        await publisher.make_room(_size_of(text, completion.blocks))
        rest = await publisher.take_rest(completion.text)
        session = None
        if completion.state is not None:
            session = encode(SessionState(account.name, completion.state))
        event = Final(
            text=text,
            urls=completion.urls,
            reset=self._router.reset or session is None,
            suggestions=completion.suggestions,
            turns=completion.turns,
            finish=completion.finish,
            usage=completion.usage,
            model=completion.model,
            blocks=completion.blocks,
            ended=completion.ended,
            finish_raw=completion.finish_raw,
            extra=dict(completion.extra),
        )
        begins = self._router.starts_transcript
        return Outcome("DONE", event, session, answer=text, starts_transcript=begins, rest=rest)

    async def _keep_records(self, records: Mapping[str, CallRecord]) -> None:
        """Keep what came with the calls of an answer, if Redis takes it at once."""
        memory = CallMemory(self._sessions.store, self._sessions.memory)
        try:
            await memory.write(self.job.asker, records, self._sessions.limits.session_ttl)
        except StoreUnavailableError as error:
            _LOG.warning("what came with calls is not kept", cause=type(error).__name__)

    async def _keep_end(self, end: Final) -> None:
        """Keep the end of a stored response, which outlives its answer, if Redis takes it at once."""
        if not is_stored_response(self.job.work):
            return
        memory = ResponseMemory(self._sessions.store, self._sessions.memory, self._sessions.limits.response_ttl)
        try:
            await memory.write_end(self.job.asker, self.job.answer, end)
        except StoreUnavailableError as error:
            _LOG.warning("the end of a response is not kept", cause=type(error).__name__)

    async def _fail(self, publisher: Publisher, error: UpstreamError) -> Outcome:
        _LOG.warning("turn failed", reason=error.reason, detail=error.detail)
        await publisher.finish()
        invalid = error.reason in _INVALID and error.refused
        if (error.retry_after is not None or invalid) and not publisher.has_begun:
            # Nothing was spent: the conversation is kept as it was.
            event = Failed(
                error.reason,
                message=error.message,
                reset=False,
                retry_after=None if error.retry_after is None else math.ceil(error.retry_after),
                exhausted=error.exhausted,
                detail=error.words,
                param=error.param,
            )
            return Outcome("FAILED", event, self.job.session, self._sent_before)
        text = publisher.published_text
        return self._broken_off(Failed(error.reason, text, message=error.message, detail=error.words))


def _size_of(text: str, blocks: tuple[Block, ...]) -> int:
    """Return about how many bytes the end of an answer has."""
    return len(text.encode()) + (len(msgspec.json.encode(blocks)) if blocks else 0)


def _with_text(event: Failed, text: str) -> Failed:
    return Failed(event.reason, text)
