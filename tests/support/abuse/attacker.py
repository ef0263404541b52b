"""One client at its worst: `python -m tests.support.abuse.attacker URL SECONDS SEED`.

A process of its own, so that what it costs doesn't slow down whoever measures the others.
"""

import asyncio
import contextlib
import itertools
import random
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
from websockets.exceptions import WebSocketException

from tests.support.faults.clients import Clients, unique

ADDRESS = {"x-forwarded-for": "198.51.100.1"}
# More at once than any limit allows; whoever is refused comes back after so many seconds.
CROWD, PAUSE = 150, 0.5
SHORT = "!first=0.3 !deltas=10 !rate=20"
ENDLESS = "!deltas=4000 !rate=20"
BREAKING = ["!silence", "!close-before", "!close-mid", "!reset-before", "!reset-mid", "!internal", "!bad-json"]
REFUSED = ["!filtered", "!refusal", "!empty", "!context-length"]
_COMPLETIONS = "/v1/chat/completions"


class Attacker:
    """Does its worst in turns of nine kinds. `chance` decides all that isn't said."""

    def __init__(self, url: str, chance: random.Random) -> None:
        self._url = url
        self._address = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._chance = chance
        self.kinds: list[Callable[[Clients], Awaitable[None]]] = [
            self._ask_much,
            self._ask_long,
            self._read_nothing,
            self._send_bodies,
            self._break,
            self._abort,
            self._forget,
            self._send_ahead,
            self._converse,
        ]

    async def run(self, seconds: float) -> None:
        """Give each kind its part of the time; what it has begun is then hung up on."""
        for kind in self.kinds:
            async with Clients([self._url], ADDRESS) as clients:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds / len(self.kinds)):
                        await kind(clients)

    async def _ask(self, clients: Clients, words: str, token: str | None = None) -> str | None:
        """Ask and wait for the end; the token to continue with."""
        exchange = await clients.ask("naive", unique(words), token)
        clients.exchanges.clear()
        if exchange.code != 200:
            await asyncio.sleep(PAUSE)
        return exchange.given_token

    async def _ask_much(self, clients: Clients) -> None:
        """Ask many short questions."""
        await _forever(CROWD, lambda: self._ask(clients, SHORT))

    async def _ask_long(self, clients: Clients) -> None:
        """Ask questions whose answers take as long as any may."""
        await _forever(CROWD, lambda: self._ask(clients, ENDLESS))

    async def _read_nothing(self, _: Clients) -> None:
        """Ask over connections that are never read."""
        await _forever(CROWD, lambda: self._be_deaf("!deltas=4000 !rate=50"))

    async def _be_deaf(self, words: str) -> None:
        async with self._connection() as writer:
            question = unique(words).replace(" ", "%20")
            writer.write(_head("GET", f"/api_stream?style=balanced&question={question}"))
            await asyncio.sleep(self._chance.uniform(5, 10))

    async def _send_bodies(self, _: Clients) -> None:
        """Send questions of megabytes."""
        async with httpx.AsyncClient(verify=False, timeout=30, headers=ADDRESS) as client:

            async def send() -> None:
                size = self._chance.randrange(2**16, 7 * 2**20)
                messages = [{"role": "system", "content": "x" * size}, {"role": "user", "content": unique(SHORT)}]
                with contextlib.suppress(httpx.TransportError):
                    await client.post(self._url + _COMPLETIONS, json={"model": "stand-in", "messages": messages})
                await asyncio.sleep(PAUSE)

            await _forever(4, send)

    async def _break(self, clients: Clients) -> None:
        """Ask what the upstream breaks off, or never answers."""
        await _forever(CROWD, lambda: self._ask(clients, self._chance.choice(BREAKING)))

    async def _abort(self, clients: Clients) -> None:
        """Hang up at any moment: within the request, before the answer, and within it."""

        async def abort() -> None:
            if self._chance.random() < 0.5:
                async with self._connection() as writer:
                    writer.write(_head("POST", _COMPLETIONS, 2**20) + b"x" * self._chance.randrange(2**16))
                    await asyncio.sleep(self._chance.uniform(0, 1))
                return
            exchange = clients.start("naive", unique(SHORT))
            await asyncio.sleep(self._chance.uniform(0, 1))
            clients.leave(exchange)

        await _forever(CROWD // 3, abort)

    async def _forget(self, clients: Clients) -> None:
        """Ask under Idempotency-Keys, and never come back."""

        async def forget() -> None:
            exchange = clients.start("naive", unique(SHORT), key=uuid.uuid4().hex)
            await asyncio.sleep(PAUSE)
            clients.leave(exchange)

        await _forever(CROWD // 3, forget)

    async def _send_ahead(self, clients: Clients) -> None:
        """Send many questions ahead over each of some sockets."""

        async def send() -> None:
            with contextlib.suppress(WebSocketException, OSError):
                async with clients.socket() as connection:
                    sent = [await connection.send(unique(SHORT)) for _ in range(40)]
                    await clients.ended(*sent)
            await asyncio.sleep(PAUSE)

        await _forever(8, send)

    async def _converse(self, clients: Clients) -> None:
        """Have conversations of many long questions, some of which the upstream refuses."""

        async def converse() -> None:
            token = None
            for _ in range(20):
                words = self._chance.choice([SHORT, SHORT, *REFUSED])
                token = await self._ask(clients, f"{words} {'word ' * self._chance.randrange(1000)}", token)

        await _forever(CROWD // 3, converse)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncio.StreamWriter]:
        """Yield a connection of which little is read, and reset it afterwards."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, self._address)
            reader, writer = await asyncio.open_connection(sock=connection, limit=1)
            del reader
            yield writer
            writer.transport.abort()
        except OSError:
            await asyncio.sleep(PAUSE)
        finally:
            connection.close()


def _head(method: str, path: str, length: int = 0) -> bytes:
    fields = [f"{method} {path} HTTP/1.1", "host: test", *(f"{name}: {value}" for name, value in ADDRESS.items())]
    fields += [f"content-length: {length}", "content-type: application/json"] if length else []
    return "\r\n".join([*fields, "", ""]).encode()


async def _forever(count: int, act: Callable[[], Awaitable[object]]) -> None:
    """Let so many do this again and again."""

    async def repeat() -> None:
        for _ in itertools.count():
            await act()

    await asyncio.gather(*(repeat() for _ in range(count)))


if __name__ == "__main__":
    asyncio.run(Attacker(sys.argv[1], random.Random(int(sys.argv[3]))).run(float(sys.argv[2])))
