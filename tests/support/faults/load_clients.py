"""Clients that ask without a pause, in every way there is: patiently, in a hurry, twice, and not to the end."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable

import httpx
from websockets.exceptions import WebSocketException

from tests.support.faults.clients import Clients, unique
from tests.support.faults.history import Exchange, Kind

QUESTIONS = ["!deltas=10 !rate=30", "!deltas=30 !rate=40", "!deltas=5", "hello", "!search news", "!replace"] * 3 + [
    "!close-mid",
    "!internal",
    "!reset-mid",
    "!bad-json",
    "!throttled !once",
    "!invalid-session !once",
]
LONG = "!deltas=60 !rate=40"
PICTURES = ["a cat", "a cat", "a cat !one", "a cat !retry", "a cat !blocked", "a cat !http-500"]
# How long whoever was refused or cut off waits before the next question, in seconds.
PAUSE = 0.2


class LoadClients:
    """All of them; `chance` decides who does what."""

    def __init__(self, clients: Clients, urls: list[str], chance: random.Random) -> None:
        self._clients = clients
        self._urls = urls
        self._chance = chance
        self._kinds = [self._converse] * 8 + [self._talk] * 2
        self._kinds += [self._draw, self._stop, self._repeat, self._vanish, self._hang_up]

    async def ask(self, seconds: float, count: int) -> None:
        """So many users, for so long."""
        until = time.monotonic() + seconds
        await self.ask_while(lambda: time.monotonic() < until, count)

    async def ask_while(self, condition: Callable[[], bool], count: int) -> None:
        """So many users, as long as the condition holds."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(self._user(condition))

    async def _user(self, condition: Callable[[], bool]) -> None:
        while condition():
            await self._chance.choice(self._kinds)()

    async def _converse(self) -> None:
        """A conversation of a few questions."""
        kind: Kind = self._chance.choice(["whole", "naive", "eventsource", "eventsource"])
        token = None
        for _ in range(self._chance.randint(1, 4)):
            exchange = await self._clients.ask(kind, self._question(), token)
            if exchange.cut or exchange.end is None or exchange.code == 503:
                await asyncio.sleep(PAUSE)
                return
            token = exchange.given_token

    async def _talk(self, *, leave: bool = False) -> None:
        """Some questions over one socket, sent ahead or one by one; whoever leaves does so in mid-answer."""
        try:
            async with self._clients.socket() as socket:
                sent: list[Exchange] = []
                for _ in range(self._chance.randint(1, 4)):
                    sent.append(await socket.send(self._question()))
                    if self._chance.random() < 0.5 and not leave:
                        await self._clients.ended(sent[-1])
                if leave:
                    await self._while()
                    socket.drop()
                await self._clients.ended(*sent)
        except (WebSocketException, OSError):
            await asyncio.sleep(PAUSE)

    async def _hang_up(self) -> None:
        await self._talk(leave=True)

    async def _draw(self) -> None:
        """A picture."""
        await self._clients.ask("image", unique(self._chance.choice(PICTURES)))

    async def _stop(self) -> None:
        """A question that is stopped at some gateway at some time."""
        exchange = self._clients.start(self._chance.choice(["naive", "eventsource"]), unique(LONG))
        await self._while()
        try:
            if exchange.answer:
                await self._clients.stop(exchange, self._chance.choice(self._urls))
        except httpx.TransportError:
            await asyncio.sleep(PAUSE)
        await self._clients.ended(exchange)

    async def _repeat(self) -> None:
        """The same question a few times, at once and later, at any gateways."""
        question, key = self._question(), uuid.uuid4().hex
        for _ in range(2):
            kinds: list[Kind] = self._chance.choices(["naive", "eventsource"], k=2)
            exchanges = [self._clients.start(kind, question, key=key) for kind in kinds]
            await self._while()
        await self._clients.ended(*exchanges)

    async def _vanish(self) -> None:
        """A client that leaves in mid-answer."""
        exchange = self._clients.start("naive", unique(LONG))
        await self._while()
        self._clients.leave(exchange)

    async def _while(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, 1))

    def _question(self) -> str:
        return unique(self._chance.choice(QUESTIONS))
