"""The drop-in endpoints over WebSocket: /ws and /ws_stream. One connection is one conversation."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway import envelope, params, relay
from gateway.clients import Clients, key_subprotocol
from gateway.errors import UNKNOWN, ClientGoneError, RefusedError, problem_of
from gateway.relay import Frames, Relay
from gateway.responses import tell
from gateway.turns import Turn, background
from wire.errors import StoreUnavailableError
from wire.jobs import Client, new_answer_id, new_token
from wire.messages import Chat, Failed, Final
from wire.sessions import Sessions

# How many messages a client may send ahead. Reading goes on meanwhile: pongs and the client's leaving are to be seen.
_AHEAD = 256
_TOO_MUCH = 1008
_LAST_SEND = 5.0
_LOG = structlog.get_logger()


class Inbox:
    """Messages that wait for their turn, bounded in number and in size (characters)."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[str] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, message: str) -> bool:
        """Add a message; False if there is no room for it."""
        if len(self._waiting) >= _AHEAD or sum(map(len, self._waiting)) > self._size:
            return False
        self._waiting.append(message)
        self._changed.set()
        return True

    def close(self) -> None:
        """No more messages come, and none of those here will be asked for."""
        self._closed = True
        self._changed.set()

    async def messages(self) -> AsyncIterator[str]:
        """The messages in order, until the inbox is closed."""
        while True:
            await self._changed.wait()
            if self._closed:
                return
            yield self._waiting.popleft()
            if not self._waiting and not self._closed:
                self._changed.clear()


class Conversation:
    """One connection: a reader that fills the inbox, and this task, which answers what is in it."""

    def __init__(self, socket: WebSocket, relay: Relay, inbox: Inbox, client: Client, *, streaming: bool) -> None:
        self._socket = socket
        self._relay = relay
        self._client = client
        self._inbox = inbox
        self._streaming = streaming
        self._turn: Turn | None = None
        self._overflow = False
        self._private = new_token()
        self.begun: str | None = None

    async def run(self) -> None:
        """Answer questions until the client leaves."""
        async with background(self._read()):
            async for message in self._inbox.messages():
                try:
                    await self._answer(message)
                except (ClientGoneError, WebSocketDisconnect):
                    break
        if self._overflow:
            await self._socket.close(_TOO_MUCH, "too many questions sent ahead")

    async def _read(self) -> None:
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    break
                # A binary frame is answered like any other that holds no question.
                if not self._inbox.put(message.get("text") or ""):
                    self._overflow = True
                    break
        finally:
            self._inbox.close()
            if self._turn is not None:
                self._turn.end(ClientGoneError)

    async def _answer(self, message: str) -> None:
        """Exactly one terminal frame, whatever happens."""
        try:
            ask = params.ask(params.message(message))
            async with self._relay.turns.turn(self._relay.limit) as self._turn:
                await self._relayed(ask)
        except (ClientGoneError, WebSocketDisconnect):
            raise
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            problem = problem_of(error)
            if problem is None:
                _LOG.error("question failed", exc_info=error)
                problem = UNKNOWN
            await self._send_last(envelope.error(problem.code, problem.message))
        finally:
            self._turn = None

    async def _relayed(self, ask: params.Ask) -> None:
        work = Chat(ask.style, ask.question, request=self._socket.state.request_id)
        token = ask.token or self._private
        if ask.token is None:
            self.begun = token
        create = ask.token is None
        async with self._relay.ask(new_answer_id(), work, token, create=create, client=self._client) as entries:
            if not self._streaming:
                event = await self._relay.whole(entries)
                await self._send(self._single(event, ask.token))
                return
            frames = Frames(ask.token)
            async for entry in entries:
                for frame in frames.of(entry.event):
                    await self._send(frame)
            frames.check_ended()

    @staticmethod
    def _single(event: Final | Failed, token: str | None) -> bytes:
        if isinstance(event, Failed):
            return envelope.error(event.code, event.message)
        return relay.final(event, token, streaming=False)

    async def _send_last(self, frame: bytes) -> None:
        """Send outside a turn's limit: whoever doesn't take one frame within some seconds counts as gone."""
        try:
            async with asyncio.timeout(_LAST_SEND):
                await self._send(frame)
        except TimeoutError:
            raise ClientGoneError from None

    async def _send(self, frame: bytes) -> None:
        await self._socket.send_text(frame.decode())


@dataclass(frozen=True)
class Sockets:
    """The endpoints. `max_message` is in bytes."""

    relay: Relay
    sessions: Sessions
    clients: Clients
    max_message: int

    async def ws(self, socket: WebSocket) -> None:
        """One frame for each question."""
        await self._converse(socket, streaming=False)

    async def ws_stream(self, socket: WebSocket) -> None:
        """Delta frames and then the whole answer, for each question."""
        await self._converse(socket, streaming=True)

    async def _converse(self, socket: WebSocket, *, streaming: bool) -> None:
        try:
            client = self.clients.of(socket)
        except (HTTPException, RefusedError) as error:
            await socket.send_denial_response(await tell(socket, error))
            return
        # A browser hangs up when none of the subprotocols that it offers is taken.
        await socket.accept(key_subprotocol(socket))
        conversation = Conversation(socket, self.relay, Inbox(2 * self.max_message), client, streaming=streaming)
        try:
            await conversation.run()
        finally:
            if conversation.begun is not None:
                await self._end(conversation.begun)

    async def _end(self, token: str) -> None:
        # The session ends by itself when this can't be told: its time to live is bounded.
        with contextlib.suppress(StoreUnavailableError):
            await self.sessions.end(token)
