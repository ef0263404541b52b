"""The table of providers, and those that a worker uses.

To add a provider, write its file and its line in PROVIDERS. PROVIDER=module:Class names one that isn't in the table.
"""

import importlib
from dataclasses import dataclass
from typing import Any

from wire.messages import Operation
from wire.reasons import Reason
from worker.accounts.account import Account, CookieAccount, ServerAccount
from worker.accounts.endpoints import environment_accounts
from worker.accounts.pool import AccountPool
from worker.accounts.ranking import ProviderOrder
from worker.accounts.watcher import DirectoryWatcher
from worker.errors import UpstreamError
from worker.providers import CallProvider, ChatProvider, ImageProvider
from worker.settings import ANTHROPIC, EDGEGPT, OPENAI, WorkerSettings


@dataclass(frozen=True)
class ProviderSpec:
    """One provider: its classes as `module:Class`, and the kind of account that it serves.

    `images` is None where it makes no images. `calls` are the operations that its chat provider's `call` knows.
    """

    chat: str
    images: str | None
    account: type[CookieAccount] | type[ServerAccount]
    calls: frozenset[Operation] = frozenset()


_BING_IMAGES = "worker.providers.bing.images:BingImageProvider"
PROVIDERS = {
    EDGEGPT: ProviderSpec("worker.providers.bing.edgegpt:EdgeGPTProvider", _BING_IMAGES, CookieAccount),
    OPENAI: ProviderSpec(
        "worker.providers.openai.chat:OpenAIProvider",
        "worker.providers.openai.images:OpenAIImageProvider",
        ServerAccount,
        frozenset({"embeddings"}),
    ),
    ANTHROPIC: ProviderSpec(
        "worker.providers.anthropic.messages:AnthropicProvider", None, ServerAccount, frozenset({"count_tokens"})
    ),
}


def find_provider(name: str) -> ProviderSpec:
    """Return the provider of that name, or of that `module:Class`. ValueError with one sentence if there is none."""
    if name in PROVIDERS:
        return PROVIDERS[name]
    if ":" not in name:
        raise ValueError(
            f"PROVIDER={name} is neither one of {', '.join(sorted(PROVIDERS))} nor of the form module:Class"
        )
    return ProviderSpec(name, _BING_IMAGES, CookieAccount)


def chat_provider(name: str) -> type[ChatProvider]:
    """Import and return the class that asks a provider's questions. ValueError with one sentence if there is none."""
    provider: type[ChatProvider] = _load(name, find_provider(name).chat)
    return provider


def image_provider(name: str) -> type[ImageProvider]:
    """Import and return the class that makes a provider's images. UpstreamError `image.none` if it makes none."""
    location = find_provider(name).images
    if location is None:
        raise UpstreamError(Reason.IMAGE_NONE, f"the provider {name} makes no images")
    provider: type[ImageProvider] = _load(name, location)
    return provider


def _load(name: str, location: str) -> Any:
    module, _, attribute = location.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"PROVIDER={name} can't be loaded: {error}") from error


def server_providers() -> frozenset[str]:
    """Return the names of the providers that serve ServerAccounts; accounts.toml may name any of them."""
    return frozenset(name for name, spec in PROVIDERS.items() if spec.account is ServerAccount)


def build_provider_order(settings: WorkerSettings) -> ProviderOrder:
    """Return the order of accounts that PROVIDER sets, and what the table has of their providers."""
    chat_only = frozenset(name for name, spec in PROVIDERS.items() if spec.images is None)
    calls = {name: spec.calls for name, spec in PROVIDERS.items()}
    return ProviderOrder(settings.providers, server_providers(), chat_only, calls)


def account_watcher(settings: WorkerSettings) -> DirectoryWatcher:
    """Return the watcher of COOKIES_DIR, with the account that the environment defines."""
    return DirectoryWatcher(
        settings.cookies_dir, own=environment_accounts(settings), server_providers=server_providers()
    )


class ProviderRegistry:
    """The providers of a worker's accounts, each created when it is first needed: EdgeGPT alone takes 33 MB."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self.provider_order = build_provider_order(settings)
        self._chat: dict[str, ChatProvider] = {}
        self._images: dict[str, ImageProvider] = {}

    def provider_name(self, account: Account) -> str:
        """Return the name of the account's provider."""
        return self.provider_order.provider_name(account)

    def chat_for(self, account: Account) -> ChatProvider:
        """Return the provider of the account's answers. ValueError, with one sentence, if there is none."""
        name = self.provider_name(account)
        if name not in self._chat:
            self._chat[name] = chat_provider(name)(self._settings)
        return self._chat[name]

    def is_stateless(self, account: Account) -> bool:
        """Return whether the account's upstream remembers no conversations."""
        return bool(getattr(self.chat_for(account), "stateless", False))

    def images_for(self, account: Account) -> ImageProvider:
        """Return the provider of the account's images. UpstreamError `image.none` if there is none."""
        name = self.provider_name(account)
        if name not in self._images:
            self._images[name] = image_provider(name)(self._settings)
        return self._images[name]

    def calls_for(self, account: Account) -> CallProvider:
        """Return the provider of the account's calls. UpstreamError `model.unable` if it knows none."""
        provider = self.chat_for(account)
        if not isinstance(provider, CallProvider):
            raise UpstreamError(Reason.MODEL_UNABLE, "a provider without calls", refused=True)
        return provider

    async def close(self) -> None:
        """Free the providers' resources."""
        for chat in self._chat.values():
            await chat.close()
        for images in self._images.values():
            await images.close()


@dataclass(frozen=True)
class Upstream:
    """The settings, accounts and providers that all turns of a worker share."""

    settings: WorkerSettings
    pool: AccountPool
    providers: ProviderRegistry
