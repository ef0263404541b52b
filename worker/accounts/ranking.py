"""Which provider asks for an account, and which accounts are asked first."""

from worker.accounts.account import Account
from worker.settings import EDGEGPT, OPENAI, WorkerSettings


def provider_name(account: Account, settings: WorkerSettings) -> str:
    """The name of the account's provider, as PROVIDER has it."""
    if account.server is not None:
        return OPENAI
    return next((name for name in settings.providers if name != OPENAI), EDGEGPT)


def rank(account: Account, settings: WorkerSettings) -> int:
    """0 for accounts that are asked first; the others only when none of a lower rank has room."""
    order, name = settings.providers, provider_name(account, settings)
    return order.index(name) if name in order else len(order)
