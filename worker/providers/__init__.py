"""The interface of providers, each of which talks to one kind of upstream.

A chat provider is created as `Provider(settings)` and has `ask` and `close`; `worker/providers/registry.py` has the
table of providers, and the setting `PROVIDER=module:Class` names another one.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from wire.blocks import Block, Piece
from wire.call_memory import CallRecord
from wire.messages import EndReason, FinishReason, Operation, Source, Style, TurnCount, Usage
from wire.reasons import Reason
from worker.accounts.account import Account, CookieAccount, ServerAccount
from worker.errors import UpstreamError
from worker.providers.transcript import Recall, no_history
from worker.settings import WorkerSettings

# A picture's address, or where the upstream sends none its bytes.
Picture = str | bytes
# Awaited just before a question is sent, to set the SENT mark. It raises when the question must not be sent; `ask` and
# `draw` pass its exceptions on unchanged, having sent nothing.
BeforeSend = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class SavedConversation:
    """An upstream conversation that any worker can continue.

    `state` is opaque to all but the provider, and contains no secrets of the account. `sent` is the number of questions
    sent in it, including refused and failed ones (EdgeGPT's next invocation id is 3 + sent).
    """

    state: bytes
    sent: int


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """The answer's whole text so far, as clients get it."""

    text: str


class Growth(msgspec.Struct, frozen=True, gc=False):
    """What the answer has more than before, in order; without pieces it is only a sign of life.

    A provider yields either snapshots or growths for one answer.
    """

    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Completion:
    """The end of a successful turn.

    `text` is the whole answer's text; `blocks` is all of it, where that is more than one text. `state` is the
    conversation to save; None if it can't be continued (turn limit reached, disengaged), so that the next question
    begins a new one. `usage`, `finish`, `ended` and `finish_raw` (see wire.messages.Final) are set where the upstream
    reports them, and so are the `model` that answered and `extra` fields beside the answer. `records` are what is to be
    kept of its calls, by their keys.
    """

    text: str
    state: bytes | None
    urls: tuple[Source, ...] = ()
    suggestions: tuple[str, ...] = ()
    turns: TurnCount | None = None
    usage: Usage | None = None
    finish: FinishReason = "stop"
    blocks: tuple[Block, ...] = ()
    ended: EndReason | Literal[""] = ""
    finish_raw: str = ""
    model: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    records: Mapping[str, CallRecord] = field(default_factory=dict)


# Of a provider whose answers are text.
TextUpdate = Snapshot | Completion
ChatUpdate = TextUpdate | Growth


class ChatProvider(Protocol):
    """Asks an upstream questions, at most one at a time per conversation; the caller ensures that.

    A class whose upstream remembers no conversations has `stateless = True`: all its states are empty, and a
    conversation continues after an answer that was stopped or failed.
    """

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
        """Yield snapshots or growths, then exactly one Completion.

        `conversation` None begins a new one. `recall` returns the messages before the question, for an upstream that
        doesn't know them: another account or the client may have held the conversation before.
        Every failure of the upstream is raised as UpstreamError. Closing the generator (aclose) disconnects at once.
        The caller sets time limits: it may cancel the generator at any await.
        """
        ...

    async def close(self) -> None:
        """Free the provider's resources."""
        ...


@runtime_checkable
class AccountCheck(Protocol):
    """An optional part of a chat provider, for `python -m worker accounts check`."""

    async def check(self, account: Account) -> None:
        """Check that the account can be used, without asking a question. Raises UpstreamError if not."""
        ...


@runtime_checkable
class ModelSource(Protocol):
    """An optional part of a chat provider, for accounts with all models that their server has."""

    async def list_models(self, account: Account) -> tuple[str, ...]:
        """Return the names of the models that the account's server lists. Raises UpstreamError."""
        ...


@dataclass(frozen=True)
class CallResult:
    """What a server has returned for a call: a JSON document for the client, and the tokens if it counts them."""

    body: bytes
    usage: Usage | None = None


@runtime_checkable
class CallProvider(Protocol):
    """An optional part of a chat provider, for calls of a server that are no questions.

    The table of providers has which operations it knows.
    """

    async def call(
        self, account: Account, operation: Operation, model: str, body: bytes, before_send: BeforeSend
    ) -> CallResult:
        """Return the result of a call for the model, whose body is that of wire.messages.Call.

        Every failure is raised as UpstreamError. The caller sets time limits.
        """
        ...


class ImageProvider(Protocol):
    """Makes images."""

    def __init__(self, settings: WorkerSettings) -> None: ...

    async def draw(self, account: Account, keyword: str, before_send: BeforeSend) -> tuple[Picture, ...]:
        """Return the images, in a stable order. Every failure is raised as UpstreamError."""
        ...

    async def close(self) -> None:
        """Free the provider's resources."""
        ...


def require_cookies(account: Account) -> CookieAccount:
    """Return the account as one with cookies. UpstreamError `account.refused` if it is of another kind."""
    if not isinstance(account, CookieAccount):
        raise UpstreamError(Reason.ACCOUNT_REFUSED, "an account without cookies")
    return account


def require_server(account: Account) -> ServerAccount:
    """Return the account as one at a server. UpstreamError `account.refused` if it is of another kind."""
    if not isinstance(account, ServerAccount):
        raise UpstreamError(Reason.ACCOUNT_REFUSED, "an account without a server")
    return account
