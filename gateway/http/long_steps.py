"""What clients take of the event loop: of one client one long step after the other, with a rest as long after each.

A step is what runs between two waits, and nobody else's runs meanwhile. What a request of 64 kB takes is nothing beside
an answer, but a client has hundreds of connections, and all of them together would hold up everybody for seconds.
Steps are those of requests, of messages on open sockets, and of what connections read before a request: see ReadTurns.
"""

import asyncio
import time
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.answering.bounded_answers import READER
from gateway.auth.addresses import name_client
from gateway.auth.clients import Clients
from gateway.http.responses import Renderer
from wire.errors import ClientFullError

# Seconds of the processor's time from which a step is a long one: an ordinary question's take a tenth.
LONG = 0.004
# So for an answer's reader that catches up, since it has many steps: what it does for one new delta takes a tenth.
CATCH_UP = 0.001
# How many requests of a client begin in one round of the loop; the others begin one in a round.
_AT_ONCE = 4
# Seconds for which a request waits for those before it, and after which its client may come back.
_PATIENCE, _COME_BACK = 30.0, 1
Step = Callable[[], Any]
T = TypeVar("T")


class LongSteps:
    """The long steps of each client; `clock` is the processor's time of this thread in seconds."""

    def __init__(self, patience: float = _PATIENCE, clock: Callable[[], float] = time.thread_time) -> None:
        self._patience = patience
        self.clock = clock
        # Until when each client rests, as the loop's time.
        self._rests: dict[str, float] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # How many have begun in this round of the loop.
        self._begun: Counter[str] = Counter()
        # What has been spent in this round.
        self._spent: dict[str, float] = {}

    async def wait(self, client: str) -> None:
        """Wait until it is the turn of a client's request. ClientFullError if that takes too long."""
        turn = self._turns.get(client)
        if turn is None and client not in self._rests and self._begins(client):
            return
        if turn is None:
            turn = self._turns[client] = asyncio.Lock()
        try:
            async with asyncio.timeout(self._patience), turn:
                await asyncio.sleep(0)
                # A rest becomes longer while others of the client's requests run.
                while (rest := self._rests.get(client, 0) - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110
                    await asyncio.sleep(rest)
        except TimeoutError:
            raise ClientFullError(_COME_BACK) from None

    def _begins(self, client: str) -> bool:
        """Count a request that begins; return False if others of its client are enough for this round of the loop."""
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._begun.clear)
        self._begun[client] += 1
        return self._begun[client] <= _AT_ONCE

    def rest_until(self, client: str) -> float:
        """Return until when a client rests, as the loop's time; 0 if it doesn't."""
        return self._rests.get(client, 0)

    def spend(self, client: str, seconds: float) -> None:
        """Count a step that needed no wait: all of one client's in a round of the loop are as long as their sum."""
        if not self._spent:
            asyncio.get_running_loop().call_soon(self._spent.clear)
        spent = self._spent.get(client, 0) + seconds
        if spent >= LONG:
            self._rest(client, spent)
            spent = 0
        self._spent[client] = spent

    @types.coroutine
    def run(self, client: str, work: Coroutine[Any, Any, T], least: float = LONG) -> Generator[Any, Any, T]:
        """Run a client's work, and let it rest after each step of at least so many seconds."""
        step: Step = partial(work.send, None)
        while True:
            began = self.clock()
            try:
                awaited = step()
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                if (took := self.clock() - began) >= least:
                    self._rest(client, took)
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 - it is for the work
                step = partial(work.throw, error)
            else:
                step = partial(work.send, None)

    def _rest(self, client: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = self._rests[client] = max(self._rests.get(client, 0), loop.time()) + seconds
        loop.call_at(until, self._end_rest, client)

    def _end_rest(self, client: str) -> None:
        if self._rests.get(client, 0) <= asyncio.get_running_loop().time():
            self._rests.pop(client, None)


class ClientSteps:
    """The steps of one client."""

    __slots__ = ("_client", "_steps")

    def __init__(self, steps: LongSteps, client: str) -> None:
        self._steps = steps
        self._client = client

    async def wait(self) -> None:
        """See LongSteps."""
        await self._steps.wait(self._client)

    async def run(self, work: Coroutine[Any, Any, T], least: float = LONG) -> T:
        """See LongSteps."""
        return await self._steps.run(self._client, work, least)

    def call(self, work: Callable[[], T]) -> T:
        """Return what work returns that needs no wait; see `LongSteps.spend`."""
        began = self._steps.clock()
        try:
            return work()
        finally:
            self._steps.spend(self._client, self._steps.clock() - began)


class LongStepsMiddleware:
    """Lets requests and handshakes wait for their client's turn, and then measures their steps.

    Endpoints wait once more for `request.state.turn()` where a body has come. `state.steps` are for what follows:
    messages on sockets, and streams that begin behind what there is of their answer.
    """

    def __init__(self, app: ASGIApp, steps: LongSteps, clients: Clients, render: Renderer) -> None:
        self._app = app
        self._steps = steps
        self._clients = clients
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        client = self._identify(HTTPConnection(scope))
        READER.set(client)
        scope["state"]["steps"] = ClientSteps(self._steps, client)
        if scope["type"] == "http":
            scope["state"]["turn"] = partial(self._steps.wait, client)
        try:
            await self._steps.wait(client)
        except ClientFullError as error:
            response = await self._render(HTTPConnection(scope), error)
            await response(scope, receive, send)
            return
        await self._steps.run(client, self._app(scope, receive, send))  # type: ignore[arg-type]

    def _identify(self, connection: HTTPConnection) -> str:
        """Return whose the request is: who has no key has an address."""
        try:
            return self._clients.identify(connection).name
        except HTTPException:
            return name_client(self._clients.find_address(connection))
