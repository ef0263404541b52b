"""Which provider serves an account, with images or without, and which accounts are asked first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from wire.messages import Operation
from worker.accounts.account import Account, ServerAccount
from worker.settings import EDGEGPT


@dataclass(frozen=True)
class ProviderOrder:
    """The order of the setting PROVIDER.

    `server_providers` are the names of the providers that serve ServerAccounts, `chat_only` of those without images.
    `calls` are the operations that each provider knows.
    """

    order: tuple[str, ...]
    server_providers: Collection[str]
    chat_only: Collection[str] = ()
    calls: Mapping[str, frozenset[Operation]] = field(default_factory=dict)

    def provider_name(self, account: Account) -> str:
        """Return the name of the account's provider, as PROVIDER has it."""
        if isinstance(account, ServerAccount):
            return account.provider
        return next((name for name in self.order if name not in self.server_providers), EDGEGPT)

    def makes_images(self, account: Account) -> bool:
        """Return whether the account makes images, and so does its provider."""
        return account.makes_images and self.provider_name(account) not in self.chat_only

    def operations(self, account: Account) -> frozenset[Operation]:
        """Return what the account can be called for."""
        return self.calls.get(self.provider_name(account), frozenset())

    def rank(self, account: Account) -> int:
        """Return 0 for accounts that are asked first; a higher rank is asked when none of the lower ones has room."""
        name = self.provider_name(account)
        return self.order.index(name) if name in self.order else len(self.order)
