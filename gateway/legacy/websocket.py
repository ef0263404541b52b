"""The drop-in endpoints over WebSocket: /ws and /ws_stream. One connection is one conversation."""

import contextlib
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket

from gateway.answering import relay
from gateway.answering.drain import ActiveRequest
from gateway.answering.idempotency import Idempotency
from gateway.answering.relay import AnswerSubscription, Frames, Relay
from gateway.auth.clients import Clients, key_subprotocol
from gateway.errors import UNKNOWN, ClientGoneError, RefusedError, problem_of
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.middleware import lasting
from gateway.http.responses import tell
from gateway.http.websocket import WebSocketConnection
from gateway.legacy import envelope, params
from gateway.v2.messages import SUBPROTOCOL
from gateway.v2.session import V2Session
from telemetry import traces
from wire.answers import AnswerReader
from wire.errors import StoreUnavailableError
from wire.jobs import Client, new_answer_id, new_token
from wire.messages import Chat, Failed, Final
from wire.sessions import Sessions

_LOG = structlog.get_logger()


class LegacySession:
    """One connection, whose questions are answered one after the other."""

    def __init__(self, socket: WebSocket, relay: Relay, max_message: int, client: Client, *, streaming: bool) -> None:
        self._connection = WebSocketConnection(socket, max_message, self._left)
        self._request = socket.state.request_id
        self._refusals: ErrorMetrics = socket.state.refusals
        self._relay = relay
        self._client = client
        self._streaming = streaming
        self._turn: ActiveRequest | None = None
        self._private = new_token()
        self.begun: str | None = None

    async def run(self) -> None:
        """Answer questions until the client leaves, or the gateway goes down."""
        with self._relay.turns.socket(self._connection.seal):
            async with self._connection.messages() as messages:
                async for message in messages:
                    await self._answer(message)

    def _left(self) -> None:
        if self._turn is not None:
            self._turn.end(ClientGoneError)

    async def _answer(self, message: str) -> None:
        """Exactly one terminal frame, whatever happens."""
        try:
            ask = params.ask(params.message(message))
            async with self._relay.turns.turn(self._relay.limit, promised=True) as self._turn:
                await self._relayed(ask)
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            problem = problem_of(error)
            if problem is None:
                _LOG.error("question failed", exc_info=error)
                problem = UNKNOWN
            self._refusals.note(problem)
            await self._connection.send_last(envelope.error(problem.code, problem.message))
        finally:
            self._turn = None

    async def _relayed(self, ask: params.QuestionParams) -> None:
        work = Chat(ask.style, ask.question, request=self._request)
        token = ask.token or self._private
        if ask.token is None:
            self.begun = token
        create = ask.token is None
        with traces.start_span("question", "server", bing_request=self._request):
            await self._followed(ask, self._relay.ask(new_answer_id(), work, token, create=create, client=self._client))

    async def _followed(self, ask: params.QuestionParams, asked: AnswerSubscription) -> None:
        async with asked as entries:
            if not self._streaming:
                event = await self._relay.whole(entries)
                await self._connection.send(self._single(event, ask.token))
                return
            await self._sent(Frames(ask.token), entries)

    async def _sent(self, frames: Frames, entries: AnswerReader) -> None:
        async for entry in entries:
            for frame in frames.of(entry.event):
                await self._connection.send(frame)
        frames.check_ended()

    @staticmethod
    def _single(event: Final | Failed, token: str | None) -> bytes:
        if isinstance(event, Failed):
            return envelope.error(event.code, event.message)
        return relay.final(event, token, streaming=False)


@dataclass(frozen=True)
class SocketEndpoints:
    """The endpoints. `max_message` is in bytes."""

    relay: Relay
    sessions: Sessions
    clients: Clients
    idempotency: Idempotency
    max_message: int

    async def ws(self, socket: WebSocket) -> None:
        """One frame for each question."""
        if (client := await self._client(socket)) is not None:
            await socket.accept(key_subprotocol(socket))
            await self._converse(socket, client, streaming=False)

    async def ws_stream(self, socket: WebSocket) -> None:
        """Delta frames and then the whole answer, for each question; typed frames for a client that speaks v2."""
        if (client := await self._client(socket)) is None:
            return
        if SUBPROTOCOL in socket.scope.get("subprotocols", ()):
            await socket.accept(SUBPROTOCOL)
            dialogue = V2Session(socket, self.relay, self.idempotency, self.max_message, client)
            await lasting(socket.scope, dialogue.run)
        else:
            await socket.accept(key_subprotocol(socket))
            await self._converse(socket, client, streaming=True)

    async def _client(self, socket: WebSocket) -> Client | None:
        """Who asks; None when it was told that it may not."""
        try:
            return self.clients.of(socket)
        except (HTTPException, RefusedError) as error:
            await socket.send_denial_response(await tell(socket, error))
            return None

    async def _converse(self, socket: WebSocket, client: Client, *, streaming: bool) -> None:
        conversation = LegacySession(socket, self.relay, self.max_message, client, streaming=streaming)
        await lasting(socket.scope, partial(self._run, conversation))

    async def _run(self, conversation: LegacySession) -> None:
        try:
            await conversation.run()
        finally:
            if conversation.begun is not None:
                await self._end(conversation.begun)

    async def _end(self, token: str) -> None:
        # The session ends by itself when this can't be told: its time to live is bounded.
        with contextlib.suppress(StoreUnavailableError):
            await self.sessions.end(token)
