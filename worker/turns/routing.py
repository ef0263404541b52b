"""Whom a job is asked: at which account, in which conversation."""

from wire.jobs import RETRY_AFTER
from wire.ledger import AccountSlot
from wire.messages import HistoryMessage, Image
from wire.redis.retry import retry_unavailable
from wire.sessions import ClaimedJob, Sessions
from worker.accounts.account import Account
from worker.accounts.pool import AccountPool, NoAccountError, Reservation, ReservationRequest
from worker.errors import FRESH_SESSION_REASONS, UpstreamError
from worker.providers import SavedConversation
from worker.providers.transcript import History
from worker.turns.session_state import decode

# How long an account's return is waited for in any case, in seconds; for a conversation's own before another is asked.
_SHORT_PAUSE = 5.0
# What another account may be spared, before the question has left.
_ELSEWHERE = ("transport.", "timeout.connect", "upstream.")


class AttemptRouter:
    """One job's account and conversation, from attempt to attempt. `deadline` is in the loop's time.

    `conversation` is None for a fresh one; `reset` says that it is another one than the client believes.
    """

    def __init__(self, pool: AccountPool, sessions: Sessions, task: ClaimedJob, tries: int, deadline: float) -> None:
        self._pool = pool
        self._sessions = sessions
        self._task = task
        self._tries = tries
        self._deadline = deadline
        self._account: str | None = None
        self._tried: set[str] = set()
        self._places = 0
        self._before: UpstreamError | None = None
        self.conversation: SavedConversation | None = None
        # What a conversation that doesn't know it is told was said before; None: what the transcript holds.
        self._said: tuple[HistoryMessage, ...] | None = ()
        self.reset = task.reset

    @property
    def starts_transcript(self) -> bool:
        """Whether the question begins a conversation, but for what its client has told with it."""
        return self.conversation is None and (bool(self._told) or not self._said)

    @property
    def _told(self) -> tuple[HistoryMessage, ...]:
        """What was said before, as the client tells it itself."""
        work = self._task.work
        return () if isinstance(work, Image) else work.history

    async def load_history(self) -> History:
        """What was said before the question. StoreUnavailableError."""
        work = self._task.work
        if isinstance(work, Image):
            return History()
        return History(work.instructions, self._told or (await self._transcript())[0])

    async def _transcript(self) -> tuple[tuple[HistoryMessage, ...], bool]:
        """What is known of what was said, and whether that is all of it."""
        if self._said is not None:
            return self._said, True
        token = self._task.lease.token
        transcript = await retry_unavailable(lambda: self._sessions.read_transcript(token), self._deadline)
        self._said = transcript.messages
        return transcript.messages, transcript.whole

    def restore_session(self) -> None:
        """Go on with the saved conversation, if its account is still there."""
        saved = decode(self._task.session) if self._task.session else None
        if saved is not None and self._pool.get(saved.account) is not None:
            self._account, self.conversation = saved.account, SavedConversation(saved.state, self._task.sent)
            self._said = None
        elif self._task.session is not None:
            self.reset = True

    async def reserve(self) -> Reservation:
        """A place at the conversation's account; if that may not be asked, or there is none, at another.

        UpstreamError when nobody may be asked. StoreUnavailableError.
        """
        if self._account is not None:
            try:
                return await self._seat_among([self._account], _SHORT_PAUSE)
            except NoAccountError:
                await self._leave(self._account)
        able = self._pool.names(pictures=isinstance(self._task.work, Image))
        if not able and len(self._pool):
            raise UpstreamError("image.none")
        names = [name for name in able if name not in self._tried]
        try:
            return await self._seat_or_wait(names)
        except NoAccountError as error:
            if self._before is not None and not self._before.reason.startswith("account."):
                raise self._before from error
            raise _nobody(error) from error

    async def prepare_retry(self, error: UpstreamError, account: Account, *, sent: bool) -> None:
        """Prepare a further attempt after one of which nothing came. UpstreamError if none may be."""
        if error.reason in FRESH_SESSION_REASONS and self.conversation is not None:
            self._account, self.conversation, self._said, self.reset = account.name, None, (), True
        elif error.reason.startswith("account.") or (not sent and error.reason.startswith(_ELSEWHERE)):
            self._before = error
            await self._leave(account.name)
            if len(self._tried) >= self._tries:
                raise _enough(error)
        else:
            raise error

    async def _seat_or_wait(self, names: list[str]) -> Reservation:
        """A short pause is waited for; beyond that a client may rather wait for the first account's return."""
        try:
            return await self._seat_among(names, _SHORT_PAUSE)
        except NoAccountError as error:
            if error.returns is None or error.returns >= self._task.work.wait:
                raise
            returns = error.returns
        await retry_unavailable(lambda: self._sessions.record_wait(self._task, returns), self._deadline)
        return await self._seat_among(names, self._task.work.wait)

    async def _seat_among(self, names: list[str], wait: float = 0.0) -> Reservation:
        self._places += 1
        place = AccountSlot(self._task.answer, self._places, self._pool.worker)
        return await self._pool.reserve(
            place, ReservationRequest(names, isinstance(self._task.work, Image), wait), self._deadline
        )

    async def _leave(self, name: str) -> None:
        """Another account is to answer; if it can be told all that was said here, the conversation is no other one."""
        self._tried.add(name)
        self._account = None
        if self.conversation is None:
            return
        self.conversation = None
        if not self._told:
            said, whole = await self._transcript()
            self.reset = self.reset or not whole or not said


def _enough(error: UpstreamError) -> UpstreamError:
    """So many accounts were tried: others may be well, but not for this question."""
    if not error.reason.startswith("account."):
        return error
    return UpstreamError("account.none", error.reason, retry_after=RETRY_AFTER)


def _nobody(error: NoAccountError) -> UpstreamError:
    """Nobody may be asked, until a quota or a pause is over, or somebody sees to the accounts."""
    reason = "account.throttled" if error.reason == "account.throttled" else "account.none"
    return UpstreamError(reason, error.reason, retry_after=RETRY_AFTER if error.returns is None else error.returns)
