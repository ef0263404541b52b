"""Which provider serves an account, and which accounts are asked first."""

from collections.abc import Collection
from dataclasses import dataclass

from worker.accounts.account import Account, ServerAccount
from worker.settings import EDGEGPT


@dataclass(frozen=True)
class ProviderOrder:
    """The order of the setting PROVIDER; `server_providers` are the names of those that serve ServerAccounts."""

    order: tuple[str, ...]
    server_providers: Collection[str]

    def provider_name(self, account: Account) -> str:
        """Return the name of the account's provider, as PROVIDER has it."""
        if isinstance(account, ServerAccount):
            return account.provider
        return next((name for name in self.order if name not in self.server_providers), EDGEGPT)

    def rank(self, account: Account) -> int:
        """Return 0 for accounts that are asked first; a higher rank is asked when none of the lower ones has room."""
        name = self.provider_name(account)
        return self.order.index(name) if name in self.order else len(self.order)
