"""Check an account without asking a question.

With cookies a conversation is created; a server is asked for its models.
"""

import secrets
from dataclasses import dataclass

from wire.ledger import AccountSlot, DisplayState, Ledger
from worker.accounts.account import Account
from worker.accounts.penalties import NO_PENALTY, penalty_for
from worker.errors import ACCOUNT_REASONS, UpstreamError
from worker.providers import AccountCheck
from worker.providers.registry import ProviderRegistry
from worker.settings import WorkerSettings

# Seconds that the account stays reserved beyond the longest creation of a conversation.
_MARGIN = 60.0


@dataclass(frozen=True)
class CheckResult:
    """The result of a check: the `reason` of a failure, or empty, and the account's state `before` and `after`.

    The states are None if no worker has reported the account yet.
    """

    account: str
    reason: str
    before: DisplayState | None
    after: DisplayState | None

    @property
    def sentence(self) -> str:
        """The result for people."""
        if not self.reason:
            outcome = f"{self.account} works: it was not refused"
        elif self.reason in ACCOUNT_REASONS:
            outcome = f"{self.account} was refused: {self.reason}"
        else:
            outcome = f"{self.account} could not be checked: {self.reason}"
        if self.after is None:
            return f"{outcome}; no worker has it yet"
        return f"{outcome}; it {'stays' if self.after == self.before else 'is now'} {self.after}"


async def check_account(settings: WorkerSettings, ledger: Ledger, account: Account) -> CheckResult:
    """Check the account.

    A refusal of an account that is in use counts like a turn's. Nothing else is recorded: an account that is paused,
    cooling or waiting for a person stays so after a success. StoreUnavailableError; ValueError if the provider has no
    check.
    """
    providers = ProviderRegistry(settings)
    provider = providers.chat_for(account)
    try:
        if not isinstance(provider, AccountCheck):
            raise ValueError(f"the provider {providers.provider_name(account)} has no way to check an account")
        return await _try_account(provider, ledger, account, settings.connect_timeout + _MARGIN)
    finally:
        await providers.close()


async def _try_account(provider: AccountCheck, ledger: Ledger, account: Account, hold: float) -> CheckResult:
    slot = AccountSlot(f"check-{secrets.token_hex(8)}", 1, "operator")
    before = await _display_state(ledger, account.name)
    reserved = await ledger.reserve(slot, {account.name: 0}, hold)
    reason, penalty = "", NO_PENALTY
    try:
        await provider.check(account)
    except UpstreamError as error:
        reason = error.reason
        penalty = penalty_for(error, sent=False) if reason in ACCOUNT_REASONS else NO_PENALTY
    if reserved.account is not None:
        entry, key = reserved.account, account.fingerprint
        await ledger.record(entry, slot, key, penalty.outcome, penalty.reason, sent=False, pause=penalty.pause)
    return CheckResult(account.name, reason, before, await _display_state(ledger, account.name))


async def _display_state(ledger: Ledger, name: str) -> DisplayState | None:
    return next((status.display_state for status in await ledger.read_statuses() if status.name == name), None)
