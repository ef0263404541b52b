"""The account and the conversation for each attempt of a job."""

import asyncio
from dataclasses import replace

from wire.call_memory import CallMemory
from wire.hmac_secret import HmacSecret
from wire.jobs import RETRY_AFTER
from wire.ledger import AccountSlot
from wire.messages import HistoryMessage, Image, Prompted
from wire.prompt import Prompt
from wire.prompt_text import add_history
from wire.reasons import Reason
from wire.redis.retry import retry_unavailable
from wire.sessions import ClaimedJob, Sessions
from worker.accounts.account import Account
from worker.accounts.penalties import NO_PENALTY
from worker.accounts.pool import AccountPool, NoAccountError, Reservation, ReservationRequest
from worker.errors import FRESH_SESSION_REASONS, UpstreamError
from worker.providers import SavedConversation
from worker.providers.call_records import call_ids
from worker.providers.transcript import History
from worker.turns.session_state import decode

# Seconds to wait for an account in any case, before another one is asked or the job fails.
_SHORT_WAIT = 5.0
# Failures before the question was sent that another account may not have.
_RETRY_ELSEWHERE = ("transport.", Reason.TIMEOUT_CONNECT, "upstream.")


class AttemptRouter:
    """Selects the account and the conversation for each attempt of a job. `deadline` is in loop time.

    `conversation` is None for a fresh one. `reset` is set when it isn't the one that the client expects.
    """

    def __init__(self, pool: AccountPool, sessions: Sessions, job: ClaimedJob, tries: int, deadline: float) -> None:
        self._pool = pool
        self._sessions = sessions
        self._job = job
        self._tries = tries
        self._deadline = deadline
        self._account: str | None = None
        self._tried: set[str] = set()
        self._reservations = 0
        self._last_error: UpstreamError | None = None
        # Whether an account took the question for invalid.
        self._doubted = False
        self.conversation: SavedConversation | None = None
        # The messages that a fresh conversation gets as its history; None: those of the transcript, not yet read.
        self._history: tuple[HistoryMessage, ...] | None = ()
        self.reset = job.reset

    @property
    def starts_transcript(self) -> bool:
        """Whether the transcript starts with this question and the history that its client sent."""
        return self.conversation is None and (bool(self._client_history) or not self._history)

    @property
    def _client_history(self) -> tuple[HistoryMessage, ...]:
        """The history that the client sent with the question."""
        work = self._job.work
        return () if isinstance(work, Image) else work.history

    async def load_history(self) -> History:
        """Return the messages before the question. Raises StoreUnavailableError."""
        work = self._job.work
        if isinstance(work, Image):
            return History()
        earlier = self._client_history or (await self._load_transcript())[0]
        prompt = work.prompt if isinstance(work, Prompted) else None
        if prompt is not None and not self._client_history:
            prompt = add_history(prompt, earlier)
        history = History(work.instructions, earlier, work.leading, work.asked, prompt)
        return history if prompt is None else await self._add_kept(history, prompt)

    async def _add_kept(self, history: History, prompt: Prompt) -> History:
        """Return the history of a prompt with what is kept for it. Raises StoreUnavailableError."""
        store, ids = self._sessions.store, call_ids(prompt)
        secret = await retry_unavailable(HmacSecret(store).read, self._deadline)
        if not ids:
            return replace(history, secret=secret)
        client = await retry_unavailable(lambda: self._sessions.read_client(self._job), self._deadline)
        memory = CallMemory(store, self._sessions.memory)
        records = await retry_unavailable(lambda: memory.read(client, ids), self._deadline)
        return replace(history, secret=secret, records=records)

    async def _load_transcript(self) -> tuple[tuple[HistoryMessage, ...], bool]:
        """Return the known messages of the conversation, and whether they are complete."""
        if self._history is not None:
            return self._history, True
        token = self._job.lease.token
        transcript = await retry_unavailable(lambda: self._sessions.read_transcript(token), self._deadline)
        self._history = transcript.messages
        return transcript.messages, transcript.whole

    def restore_session(self) -> None:
        """Continue the saved conversation, if its account still exists."""
        session = decode(self._job.session) if self._job.session else None
        if session is not None and self._pool.get(session.account) is not None:
            self._account, self.conversation = session.account, SavedConversation(session.state, self._job.sent)
            self._history = None
        elif self._job.session is not None:
            self.reset = True

    async def reserve(self) -> Reservation:
        """Reserve a turn of the conversation's account or, if there is none or it isn't available, of another.

        Raises UpstreamError when no account is available, and StoreUnavailableError.
        """
        if self._account is not None:
            try:
                return await self._reserve_among([self._account], _SHORT_WAIT)
            except NoAccountError:
                await self._leave_account(self._account)
        able = self._pool.names(pictures=isinstance(self._job.work, Image))
        if not able and len(self._pool):
            raise UpstreamError(Reason.IMAGE_NONE)
        names = [name for name in able if name not in self._tried]
        try:
            return await self._reserve_or_wait(names)
        except NoAccountError as error:
            raise self._none_left(error) from error

    async def prepare_retry(self, error: UpstreamError, account: Account, *, sent: bool) -> None:
        """Prepare another attempt after one that failed before any event. Raises UpstreamError if none is allowed."""
        if error.reason in FRESH_SESSION_REASONS and self.conversation is not None:
            self._account, self.conversation, self._history, self.reset = account.name, None, (), True
        elif error.repeat:
            self._account = account.name
        elif error.reason == Reason.QUESTION_INVALID and error.refused and not self._doubted:
            # The account may be at fault: another one's word decides, if there is one.
            self._doubted, self._last_error = True, error
            await self._leave_account(account.name)
        elif _is_allowed_elsewhere(error, sent=sent):
            self._last_error = error
            await self._leave_account(account.name)
            if len(self._tried) >= self._tries:
                raise await self._tries_exhausted(error)
        else:
            raise error

    async def _tries_exhausted(self, error: UpstreamError) -> UpstreamError:
        """Return the error for a job that has used its tries: whether other accounts are available decides."""
        pictures = isinstance(self._job.work, Image)
        untried = [name for name in self._pool.names(pictures=pictures) if name not in self._tried]
        now = asyncio.get_running_loop().time()
        try:
            spare = await self._pool.reserve(self._next_slot(), ReservationRequest(untried, pictures), now)
        except NoAccountError as none:
            if not none.busy:
                return self._none_left(none)
        else:
            await spare.release(NO_PENALTY, sent=False)
        if not error.reason.startswith("account."):
            return _exhausted(error, RETRY_AFTER)
        return _exhausted(UpstreamError(Reason.ACCOUNT_NONE, error.reason, retry_after=RETRY_AFTER), RETRY_AFTER)

    def _none_left(self, none: NoAccountError) -> UpstreamError:
        """Return the error for a job for which no account is available, or none any more."""
        returns = RETRY_AFTER if none.returns is None else none.returns
        if self._last_error is not None and not self._last_error.reason.startswith("account."):
            return _exhausted(self._last_error, returns)
        reason = Reason.ACCOUNT_THROTTLED if none.reason == Reason.ACCOUNT_THROTTLED else Reason.ACCOUNT_NONE
        return UpstreamError(reason, none.reason, retry_after=returns)

    async def _reserve_or_wait(self, names: list[str]) -> Reservation:
        """Wait briefly for one of the accounts, then for as long as the client asked, if one returns by then."""
        try:
            return await self._reserve_among(names, _SHORT_WAIT if names else 0.0)
        except NoAccountError as error:
            if not names or error.returns is None or error.returns >= self._job.work.wait:
                raise
            returns = error.returns
        await retry_unavailable(lambda: self._sessions.record_wait(self._job, returns), self._deadline)
        return await self._reserve_among(names, self._job.work.wait)

    async def _reserve_among(self, names: list[str], wait: float = 0.0) -> Reservation:
        request = ReservationRequest(names, isinstance(self._job.work, Image), wait)
        return await self._pool.reserve(self._next_slot(), request, self._deadline)

    def _next_slot(self) -> AccountSlot:
        self._reservations += 1
        return AccountSlot(self._job.answer, self._reservations, self._pool.worker)

    async def _leave_account(self, name: str) -> None:
        """Move to another account: a reset, unless that can be given the conversation's whole transcript."""
        self._tried.add(name)
        self._account = None
        if self.conversation is None:
            return
        self.conversation = None
        if not self._client_history:
            messages, complete = await self._load_transcript()
            self.reset = self.reset or not complete or not messages


def _is_allowed_elsewhere(error: UpstreamError, *, sent: bool) -> bool:
    """Return whether another account may be asked; `sent`: the question had left."""
    if error.reason.startswith("account.") or (not sent and error.reason.startswith(_RETRY_ELSEWHERE)):
        return True
    return error.refused and error.elsewhere


def _exhausted(error: UpstreamError, returns: float) -> UpstreamError:
    """Return the last error of a job that can't be tried any more; an account may be asked again in `returns` s."""
    if error.reason == Reason.UPSTREAM_BUSY:
        error = UpstreamError(Reason.UPSTREAM_BUSY, error.detail, refused=True, retry_after=returns)
    error.exhausted = True
    return error
