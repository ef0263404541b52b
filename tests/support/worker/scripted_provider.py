"""An upstream that a test scripts, and that remembers the questions that reached it."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from wire.messages import Style
from worker.accounts.account import Account
from worker.providers import (
    BeforeSend,
    ChatProvider,
    ChatUpdate,
    Completion,
    ImageProvider,
    Picture,
    SavedConversation,
    Snapshot,
)
from worker.providers.registry import ProviderRegistry
from worker.providers.transcript import Recall, no_history, render_history
from worker.settings import WorkerSettings


@dataclass
class Ask:
    """One call of `ask`. `send` is what a provider does just before the question leaves."""

    account: str
    conversation: SavedConversation | None
    style: Style
    question: str
    send: Callable[[], Awaitable[None]]
    number: int

    @property
    def state(self) -> bytes:
        """The conversation's state: the one it came with, or one that no other fresh conversation has."""
        return self.conversation.state if self.conversation else f"conversation {self.number}".encode()


Play = Callable[[Ask], AsyncIterator[ChatUpdate]]


async def echo(ask: Ask) -> AsyncIterator[ChatUpdate]:
    """Answers with the question, in two pieces."""
    await ask.send()
    yield Snapshot("you asked: ")
    yield Completion(f"you asked: {ask.question}", ask.state)


async def connecting(ask: Ask) -> AsyncIterator[ChatUpdate]:
    """Never gets as far as sending."""
    await asyncio.Event().wait()
    yield Snapshot("")


class Gate:
    """A script that holds answers back after their questions were sent, with a list of those that wait."""

    def __init__(self, *held: str) -> None:
        self._held = set(held)
        self._opened: dict[str, asyncio.Event] = {}
        self.waiting: list[str] = []

    def open(self, *questions: str) -> None:
        for question in questions:
            self._opened.setdefault(question, asyncio.Event()).set()

    async def __call__(self, ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        yield Snapshot("you asked: ")
        if ask.question in self._held:
            self.waiting.append(ask.question)
            await self._opened.setdefault(ask.question, asyncio.Event()).wait()
        yield Completion(f"you asked: {ask.question}", ask.state)


@dataclass
class Arrived:
    """A question that reached the upstream."""

    account: str
    state: bytes
    sent: int
    question: str
    context: str = ""


class ScriptedProvider:
    """A chat provider that plays `play` for each ask."""

    def __init__(self, settings: WorkerSettings | None = None, play: Play = echo) -> None:
        self.play = play
        self.asks: list[Ask] = []
        self.arrived: list[Arrived] = []
        self.running: Counter[bytes] = Counter()
        self.overlapped = False
        self.at_once = 0
        self.hung_up = 0
        self.closed = False

    @property
    def questions(self) -> list[str]:
        """The questions that arrived, in that order."""
        return [arrived.question for arrived in self.arrived]

    async def ask(
        self,
        account: Account,
        conversation: SavedConversation | None,
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[ChatUpdate, None]:
        context = render_history(await recall()) if conversation is None else ""

        async def send() -> None:
            await before_send()
            sent = conversation.sent if conversation else 0
            self.arrived.append(Arrived(account.name, ask.state, sent, question, context))

        ask = Ask(account.name, conversation, style, question, send, len(self.asks) + 1)
        self.asks.append(ask)
        self.running[ask.state] += 1
        self.overlapped = self.overlapped or self.running[ask.state] > 1
        self.at_once = max(self.at_once, self.running.total())
        ended = False
        try:
            async for update in self.play(ask):
                ended = isinstance(update, Completion)
                yield update
        finally:
            self.running[ask.state] -= 1
            self.hung_up += not ended

    async def close(self) -> None:
        self.closed = True


class Only(ProviderRegistry):
    """These providers, whatever the account; they have no name."""

    def __init__(self, chat: ChatProvider, images: ImageProvider) -> None:
        super().__init__(WorkerSettings())
        self._only = chat, images

    def provider_name(self, account: Account) -> str:
        return ""

    def chat_for(self, account: Account) -> ChatProvider:
        return self._only[0]

    def images_for(self, account: Account) -> ImageProvider:
        return self._only[1]


@dataclass
class Pictures:
    """An image provider: each picture or mistake in turn."""

    outcomes: list[tuple[Picture, ...] | Exception] = field(default_factory=list)
    drawn: list[tuple[str, str]] = field(default_factory=list)
    held: asyncio.Event | None = None
    closed: bool = False

    async def draw(self, account: Account, keyword: str, before_send: BeforeSend) -> tuple[Picture, ...]:
        await before_send()
        self.drawn.append((account.name, keyword))
        if self.held is not None:
            await self.held.wait()
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def close(self) -> None:
        self.closed = True
