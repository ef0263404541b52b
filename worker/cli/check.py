"""A checkup: an account is tried without a question, to see what comes of it.

With cookies a real conversation is begun; a server is asked which models it has.
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

# Seconds for which the account is held beyond the longest creation of a conversation.
_MARGIN = 60.0


@dataclass(frozen=True)
class CheckResult:
    """What came of it: the `reason` of a failure, empty if there was none; the account's state before and after.

    `before` and `after` are None if no worker has told of the account yet.
    """

    account: str
    reason: str
    before: DisplayState | None
    after: DisplayState | None

    @property
    def sentence(self) -> str:
        """The finding for people."""
        if not self.reason:
            told = f"{self.account} is well: it was not refused"
        elif self.reason in ACCOUNT_REASONS:
            told = f"{self.account} was refused: {self.reason}"
        else:
            told = f"{self.account} could not be tried: {self.reason}"
        if self.after is None:
            return f"{told}; no worker has it yet"
        return f"{told}; it {'stays' if self.after == self.before else 'is now'} {self.after}"


async def check_account(settings: WorkerSettings, ledger: Ledger, account: Account) -> CheckResult:
    """Try the account, and ask nothing.

    A refusal of an account that may be asked counts as a turn's would. Nothing else is recorded: what is paused, cools
    or waits for a person stays so even if all went well. StoreUnavailableError; ValueError if the provider can't check.
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
    place = AccountSlot(f"check-{secrets.token_hex(8)}", 1, "operator")
    before = await _display_state(ledger, account.name)
    held = await ledger.reserve(place, {account.name: 0}, hold)
    reason, means = "", NO_PENALTY
    try:
        await provider.check(account)
    except UpstreamError as error:
        reason = error.reason
        means = penalty_for(error, sent=False) if reason in ACCOUNT_REASONS else NO_PENALTY
    if isinstance(held, str):
        print_ = account.fingerprint
        await ledger.record(held, place, print_, means.outcome, means.reason, sent=False, pause=means.pause)
    return CheckResult(account.name, reason, before, await _display_state(ledger, account.name))


async def _display_state(ledger: Ledger, name: str) -> DisplayState | None:
    return next((one.display_state for one in await ledger.read_statuses() if one.name == name), None)
