"""The upstream as a worker has it: its accounts, and the providers that ask for them."""

from dataclasses import dataclass

from worker.accounts.account import Account
from worker.accounts.pool import AccountPool
from worker.accounts.ranking import provider_name
from worker.providers import ChatProvider, ImageProvider, chat_provider, image_provider
from worker.settings import WorkerSettings


class ProviderRegistry:
    """The providers of a worker's accounts, each made when it is needed first: EdgeGPT alone takes 33 MB."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._chat: dict[str, ChatProvider] = {}
        self._images: dict[str, ImageProvider] = {}

    def provider_name(self, account: Account) -> str:
        """The name of the account's provider."""
        return provider_name(account, self._settings)

    def chat_for(self, account: Account) -> ChatProvider:
        """Who asks the account's questions. ValueError, with one sentence, if there is no such provider."""
        name = self.provider_name(account)
        if name not in self._chat:
            self._chat[name] = chat_provider(name)(self._settings)
        return self._chat[name]

    def images_for(self, account: Account) -> ImageProvider:
        """Who asks for the account's pictures."""
        name = self.provider_name(account)
        if name not in self._images:
            self._images[name] = image_provider(name)(self._settings)
        return self._images[name]

    async def close(self) -> None:
        """Free what the providers hold."""
        for chat in self._chat.values():
            await chat.close()
        for images in self._images.values():
            await images.close()


@dataclass(frozen=True)
class Upstream:
    """What all turns of a worker share."""

    settings: WorkerSettings
    pool: AccountPool
    providers: ProviderRegistry
