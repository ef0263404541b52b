"""The account and the conversation for each attempt of a job."""

import asyncio
import math
from dataclasses import replace

import msgspec

from wire.about import weigh
from wire.call_memory import CallMemory
from wire.jobs import RETRY_AFTER
from wire.ledger import AccountSlot
from wire.messages import Call, Chat, HistoryMessage, Image, Prompted, Style
from wire.model_table import STYLES
from wire.prompt import Prompt
from wire.prompt_text import add_history, is_text
from wire.reasons import Reason
from wire.redis.retry import retry_unavailable
from wire.sessions import ClaimedJob, Sessions
from wire.threads import run_sized
from worker.accounts.account import Account, ServerAccount
from worker.accounts.penalties import NO_PENALTY
from worker.accounts.pool import AccountPool
from worker.accounts.reservation import NoAccountError, Reservation, ReservationRequest
from worker.accounts.stickiness import preferred, sticky_key
from worker.errors import FRESH_SESSION_REASONS, UpstreamError
from worker.providers import SavedConversation
from worker.providers.call_records import call_keys
from worker.providers.transcript import History
from worker.turns.model_chain import ChainEntry, find_call_entries, find_entries
from worker.turns.session_state import decode

# Seconds to wait for an account in any case, before another one is asked or the job fails.
_SHORT_WAIT = 5.0
# Seconds to wait for a busy account of a model that another one follows in the chain.
_CHAIN_WAIT = 1.0
# Failures before the question was sent that another account may not have.
_RETRY_ELSEWHERE = ("transport.", Reason.TIMEOUT_CONNECT, "upstream.")


class AttemptRouter:
    """Selects the account and the conversation for each attempt of a job. `deadline` is in loop time.

    `conversation` is None for a fresh one. `reset` is set when it isn't the one that the client expects. `model` is the
    one that answers, by its exact name; '' where an account's upstream has none. `style` is how it does.
    """

    def __init__(self, pool: AccountPool, sessions: Sessions, job: ClaimedJob, tries: int, deadline: float) -> None:
        self._pool = pool
        self._sessions = sessions
        self._job = job
        self._tries = tries
        self._deadline = deadline
        self._account: str | None = None
        # The models that may answer, from the one that is asked for now; for a prompt, once they are known.
        self._entries: list[ChainEntry] = []
        # The accounts that were asked for a model.
        self._tried: set[tuple[str, str]] = set()
        self._reservations = 0
        self._last_error: UpstreamError | None = None
        # Whether an account took the question for invalid.
        self._doubted = False
        self.conversation: SavedConversation | None = None
        # The messages that a fresh conversation gets as its history; None: those of the transcript, not yet read.
        self._history: tuple[HistoryMessage, ...] | None = ()
        self.reset = job.reset
        self.model = ""
        # Whether the same account is to be asked once more.
        self._repeats = False

    @property
    def style(self) -> Style:
        """The style in which the question is to be answered."""
        work = self._job.work
        own: Style = work.style if isinstance(work, Chat) else "balanced"
        return STYLES.get(self._entries[0].model, own) if self._entries else own

    @property
    def starts_transcript(self) -> bool:
        """Whether the transcript starts with this question and the history that its client sent."""
        return self.conversation is None and (bool(self._client_history) or not self._history)

    @property
    def _client_history(self) -> tuple[HistoryMessage, ...]:
        """The history that the client sent with the question."""
        work = self._job.work
        return work.history if isinstance(work, Chat) else ()

    @property
    def is_text(self) -> bool:
        """Whether text says all of the question: it asks for nothing that an account may lack the right to."""
        work = self._job.work
        return not isinstance(work, Prompted) or is_text(work.prompt)

    def measure_prompt(self) -> int:
        """Return the bytes of the whole prompt: of the request with its pictures, and of a transcript that was read."""
        transcript = () if self._client_history else self._history or ()
        return len(msgspec.json.encode((self._job.work, transcript)))

    async def load_history(self) -> History:
        """Return the messages before the question. Raises StoreUnavailableError."""
        work = self._job.work
        if not isinstance(work, Chat):
            return History()
        earlier = self._client_history or (await self._load_transcript())[0]
        prompt = work.prompt if isinstance(work, Prompted) and not self._is_plain(work) else None
        if prompt is not None:
            prompt = msgspec.structs.replace(prompt, model=self.model or prompt.model)
        if prompt is not None and not any(message.role == "assistant" for message in prompt.messages):
            prompt = add_history(prompt, earlier)
        asker = self._job.asker
        history = History(work.instructions, earlier, work.leading, work.asked, prompt, client=asker)
        return history if prompt is None else await self._add_kept(history, prompt)

    def _is_plain(self, work: Prompted) -> bool:
        """Return whether text says all of a question in a style: a server then gets the style's own settings too."""
        return bool(self._entries) and self._entries[0].model in STYLES and is_text(work.prompt)

    async def _add_kept(self, history: History, prompt: Prompt) -> History:
        """Return the history of a prompt with what is kept for it. Raises StoreUnavailableError."""
        store, names = self._sessions.store, await run_sized(weigh(self._job.work), call_keys, prompt)
        secret = await retry_unavailable(self._sessions.secret.read_recent, self._deadline)
        if not names:
            return replace(history, secret=secret)
        memory = CallMemory(store, self._sessions.memory)
        records = await retry_unavailable(lambda: memory.read(self._job.asker, names), self._deadline)
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
        await self._find_entries()
        while True:
            try:
                reservation = await self._reserve_entry(self._entries[0])
            except NoAccountError as error:
                if len(self._entries) == 1:
                    raise self._none_left(error) from error
                del self._entries[0]
            else:
                self.model = self._model_of(reservation.account)
                return reservation

    async def _find_entries(self) -> None:
        work = self._job.work
        match work:
            case Prompted():
                self._entries = self._entries or await find_entries(self._pool, work, self._deadline)
            case Call():
                self._entries = self._entries or await find_call_entries(self._pool, work, self._deadline)
            case _:
                able = self._pool.names(pictures=isinstance(work, Image))
                if not able and len(self._pool):
                    raise UpstreamError(Reason.IMAGE_NONE)
                self._entries = [ChainEntry("", able)]

    def _model_of(self, account: Account) -> str:
        model = self._entries[0].model
        if isinstance(account, ServerAccount) and (not model or model in STYLES):
            return account.model
        return model

    async def _reserve_entry(self, entry: ChainEntry) -> Reservation:
        """Reserve an account for one model, if possible the conversation's. NoAccountError."""
        is_style = not entry.model or entry.model in STYLES
        if self._account is not None:
            # A server remembers nothing: any account of the model may continue.
            pinned = is_style or self._repeats
            if pinned and self._account in entry.names:
                return await self._reserve_pinned(self._account, entry)
            if isinstance(self._pool.get(self._account), ServerAccount) and not is_style:
                self._account = None
            else:
                await self._leave_conversation()
        return await self._reserve_any(entry)

    async def _reserve_pinned(self, name: str, entry: ChainEntry) -> Reservation:
        """Reserve the conversation's account or, if it isn't available, another one of the model. NoAccountError."""
        # A server remembers nothing: where a question failed, another account continues.
        movable = isinstance(self._pool.get(name), ServerAccount) and not self._repeats and len(entry.names) > 1
        try:
            return await self._reserve_among([name], _SHORT_WAIT, avoids=movable, own=True)
        except NoAccountError as error:
            if error.busy:
                return await self._reserve_beside(name, entry)
            await (self._leave_conversation() if movable else self._leave_account(name))
        return await self._reserve_any(entry)

    async def _reserve_beside(self, own: str, entry: ChainEntry) -> Reservation:
        """Reserve whichever account has room while the conversation's own one is busy. NoAccountError."""
        reservation = await self._reserve_any(entry, own)
        if reservation.account.name == own:
            return reservation
        try:
            await self._leave_conversation()
        except BaseException:
            reservation.release_soon(NO_PENALTY, sent=False)
            raise
        return reservation

    async def _reserve_any(self, entry: ChainEntry, preferred: str = "") -> Reservation:
        """Reserve any account of one model that wasn't tried yet. NoAccountError."""
        names = [name for name in entry.names if (entry.model, name) not in self._tried]
        if len(self._entries) > 1:
            until = min(self._deadline, asyncio.get_running_loop().time() + _CHAIN_WAIT)
            return await self._reserve_among(names, until=until, preferred=preferred, avoids=True)
        return await self._reserve_or_wait(names, preferred)

    async def _find_preferred(self, names: list[str]) -> str:
        """Return the account that the conversation prefers for the current model; '' where its session decides."""
        work, model = self._job.work, self._entries[0].model
        if not isinstance(work, Prompted) or model in STYLES or len(names) < 2:
            return ""
        accounts = ((name, self._pool.get(name)) for name in names)
        weights = {name: account.weight for name, account in accounts if account is not None}
        return preferred(sticky_key(self._job.client, work.prompt, model), weights)

    async def prepare_retry(self, error: UpstreamError, account: Account, *, sent: bool) -> None:
        """Prepare another attempt after one that failed before any event. Raises UpstreamError if none is allowed."""
        whole = isinstance(account, ServerAccount) and self._client_history
        if error.reason in FRESH_SESSION_REASONS and self.conversation is not None and not whole:
            self._account, self.conversation, self._history, self.reset = account.name, None, (), True
        elif error.repeat:
            self._account, self._repeats = account.name, True
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
        untried = [name for entry in self._entries for name in entry.names if (entry.model, name) not in self._tried]
        now = asyncio.get_running_loop().time()
        request = ReservationRequest(untried, isinstance(self._job.work, Image), others=self._others)
        try:
            spare = await self._pool.reserve(self._next_slot(), request, now)
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

    async def _reserve_or_wait(self, names: list[str], preferred: str) -> Reservation:
        """Wait briefly for one of the accounts, then for as long as the client asked, if one returns by then."""
        try:
            return await self._reserve_among(names, _SHORT_WAIT if names else 0.0, preferred=preferred)
        except NoAccountError as error:
            if not names or error.returns is None or error.returns >= self._job.work.wait:
                raise
            returns = error.returns
        await retry_unavailable(lambda: self._sessions.record_wait(self._job, returns), self._deadline)
        return await self._reserve_among(names, self._job.work.wait, preferred=preferred)

    async def _reserve_among(
        self,
        names: list[str],
        wait: float = 0.0,
        until: float = math.inf,
        *,
        preferred: str = "",
        avoids: bool = False,
        own: bool = False,
    ) -> Reservation:
        """Reserve one of the accounts; busy ones are waited for up to `until` or the deadline. NoAccountError.

        `avoids`: none where questions of this client failed lately. `own`: it is the conversation's.
        """
        request = ReservationRequest(
            names,
            isinstance(self._job.work, Image),
            wait,
            preferred or await self._find_preferred(names),
            self._others,
            client=self._job.asker,
            weight=self._job.weight,
            avoids=avoids,
            own=own,
        )
        return await self._pool.reserve(self._next_slot(), request, min(until, self._deadline))

    @property
    def _others(self) -> list[str] | None:
        """The accounts whose return would help too; None is all."""
        if not isinstance(self._job.work, Prompted | Call):
            return None
        return [name for entry in self._entries for name in entry.names]

    def _next_slot(self) -> AccountSlot:
        self._reservations += 1
        return AccountSlot(self._job.answer, self._reservations, self._pool.worker, self._job.client)

    async def _leave_account(self, name: str) -> None:
        """Move to another account: a reset, unless that can be given the conversation's whole transcript."""
        self._tried.add((self._entries[0].model if self._entries else "", name))
        await self._leave_conversation()

    async def _leave_conversation(self) -> None:
        self._account, self._repeats = None, False
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
