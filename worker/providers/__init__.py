"""Providers: the code that talks to one kind of upstream, behind one interface.

A chat provider is built as `Provider(settings)` and has `ask`; one's own is named by `PROVIDER=module:Class`. To add
one to the table, its file and a line in the tables below are enough.
"""

import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import msgspec

from wire.messages import FinishReason, Source, Style, TurnCount, Usage
from worker.accounts.account import Account
from worker.providers.transcript import Recall, no_history
from worker.settings import EDGEGPT, OPENAI, WorkerSettings

# Awaited just before a question leaves (the SENT mark). It raises when the question must not be sent; whatever it
# raises leaves `ask` and `draw` as it is, and nothing was sent.
BeforeSend = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class SavedConversation:
    """An upstream conversation that can go on, in any worker.

    `state` is the provider's own, opaque to all others, without secrets of the account; `sent` counts the questions
    that were sent in it, refused and broken ones included (EdgeGPT's next invocation id is 3 + sent).
    """

    state: bytes
    sent: int


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """The answer's whole text so far, as the upstream shows it, citation marks included."""

    text: str


@dataclass(frozen=True)
class Completion:
    """The upstream's end of a turn.

    `text` is the whole answer, citation marks included. `state` is the conversation to save; None when it can't go on
    (turn limit reached, disengaged), so that the next question begins a fresh one. `usage` and `finish` where the
    upstream tells them.
    """

    text: str
    state: bytes | None
    urls: tuple[Source, ...] = ()
    suggestions: tuple[str, ...] = ()
    turns: TurnCount | None = None
    usage: Usage | None = None
    finish: FinishReason = "stop"


ChatUpdate = Snapshot | Completion


class ChatProvider(Protocol):
    """Asks questions. One ask at a time per conversation; the caller sees to that."""

    def __init__(self, settings: WorkerSettings) -> None: ...

    def ask(
        self,
        account: Account,
        conversation: SavedConversation | None,
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[ChatUpdate, None]:
        """Yield snapshots, then exactly one Completion.

        `conversation` None begins a fresh one. One that the upstream doesn't know is told what `recall` brings: it may
        have gone on at another account before, or at a client.
        Raises UpstreamError, and nothing else of the upstream's. Closing the generator (aclose) hangs up at once.
        Limits of time are the caller's: an ask may be cancelled at any await.
        """
        ...

    async def close(self) -> None:
        """Free what the provider holds."""
        ...


@runtime_checkable
class AccountCheck(Protocol):
    """What a chat provider may have besides, for `python -m worker accounts check`."""

    async def check(self, account: Account) -> None:
        """Try whether the account may be asked, without asking anything. Raises UpstreamError if not."""
        ...


class ImageProvider(Protocol):
    """Makes pictures."""

    def __init__(self, settings: WorkerSettings) -> None: ...

    async def draw(self, account: Account, keyword: str, before_send: BeforeSend) -> tuple[str, ...]:
        """Addresses of the pictures, in a stable order. Raises UpstreamError, and nothing else of the upstream's."""
        ...

    async def close(self) -> None:
        """Free what the provider holds."""
        ...


_CHAT_PROVIDERS = {
    EDGEGPT: "worker.providers.bing.edgegpt:EdgeGPTProvider",
    OPENAI: "worker.providers.openai.chat:OpenAIProvider",
}
# Any other account's pictures come from Bing.
_IMAGE_PROVIDERS = {OPENAI: "worker.providers.openai.images:OpenAIImageProvider"}
_BING = "worker.providers.bing.images:BingImageProvider"


def chat_provider(name: str) -> type[ChatProvider]:
    """The class behind a name from the table, or `module:Class`. ValueError with one sentence if there is none."""
    place = _CHAT_PROVIDERS.get(name, name)
    if ":" not in place:
        known = ", ".join(sorted(_CHAT_PROVIDERS))
        raise ValueError(f"PROVIDER={name} is neither one of {known} nor of the form module:Class")
    provider: type[ChatProvider] = _load(name, place)
    return provider


def image_provider(name: str) -> type[ImageProvider]:
    """The class that asks for the pictures of an account whose chat provider has that name."""
    provider: type[ImageProvider] = _load(name, _IMAGE_PROVIDERS.get(name, _BING))
    return provider


def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"PROVIDER={name} can't be loaded: {error}") from error
