"""The drop-in endpoints over WebSocket: /ws and /ws_stream. One connection is one conversation."""

import contextlib
from dataclasses import dataclass
from functools import partial

from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket

from gateway.answering.drain import ActiveRequest
from gateway.answering.relay import AnswerSubscription
from gateway.answering.submit import Questions
from gateway.auth.clients import Clients, key_subprotocol
from gateway.auth.socket_client import SocketClient
from gateway.errors import ClientGoneError, failure_of
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.response_room import ResponseRoom
from gateway.http.responses import encode_error
from gateway.http.streaming import detach
from gateway.http.websocket import POLICY_VIOLATION, WebSocketConnection, identify_or_deny
from gateway.legacy import envelope, params
from gateway.legacy.frames import LegacyFrames
from gateway.settings import GatewaySettings
from telemetry import traces
from wire.answer_reader import AnswerReader
from wire.errors import AnswerLostError, StoreUnavailableError
from wire.jobs import new_token
from wire.messages import Chat, Failed, Final
from wire.sessions import Sessions


class LegacySession:
    """One connection, whose questions are answered one after the other."""

    def __init__(
        self,
        socket: WebSocket,
        questions: Questions,
        settings: GatewaySettings,
        client: SocketClient,
        sending: ResponseRoom,
        *,
        streaming: bool,
    ) -> None:
        self._request_id = socket.state.request_id
        self._error_metrics: ErrorMetrics = socket.state.error_metrics
        self._english: bool = socket.state.english
        self._questions = questions
        self._relay = questions.relay
        self._connection = WebSocketConnection(
            socket,
            self._parse,
            self._refuse,
            self._abort,
            sending.frames(client.client),
            socket.state.steps,
            last_send_limit=self._relay.timings.last_send_limit,
        )
        self._client = client
        self._question_limit = settings.question_limit
        self._streaming = streaming
        self._active: ActiveRequest | None = None
        self._token = new_token()
        self.created: str | None = None

    async def run(self) -> None:
        """Answer questions until the client leaves, or the gateway drains."""
        with self._relay.active_requests.track_socket(self._connection.seal):
            async with self._connection.messages() as messages:
                async for message in messages:
                    await self._answer(message)

    def _abort(self) -> None:
        if self._active is not None:
            self._active.abort(ClientGoneError)

    def _parse(self, message: str) -> params.QuestionParams | bytes:
        """Return the question in a message, or the frame that refuses it."""
        try:
            return params.parse_question(params.parse_message(message), self._question_limit)
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            return self._refuse(error)

    def _refuse(self, error: Exception) -> bytes:
        """Return the frame that refuses a message."""
        return encode_error(self._error_metrics.record(error, self._english))

    async def _answer(self, question: params.QuestionParams | bytes) -> None:
        """Answer with exactly one terminal frame, whatever happens. A key that is gone asks nothing more."""
        try:
            self._client.refresh()
        except HTTPException as error:
            self._connection.seal(POLICY_VIOLATION)
            question = self._refuse(error)
        if isinstance(question, bytes):
            await self._connection.send_last(question)
            return
        try:
            async with self._relay.active_requests.track(self._relay.time_limit, accepted=True) as self._active:
                await self._ask(question)
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            await self._connection.send_last(self._refuse(error))
        finally:
            self._active = None

    async def _ask(self, question: params.QuestionParams) -> None:
        work = Chat(question.style, question.question, request=self._request_id)
        if question.token is None:
            self.created = self._token
        token, create = question.token or self._token, question.token is None
        with traces.start_span("question", "server", bing_request=self._request_id):
            _, subscription = self._questions.ask(work, self._client.client, token=token, create=create)
            await self._send_answer(question, subscription)

    async def _send_answer(self, question: params.QuestionParams, subscription: AnswerSubscription) -> None:
        # Only this is among the client's steps: what an open answer costs isn't measured.
        events = await self._connection.steps.run(subscription.__aenter__())
        try:
            if self._streaming:
                await self._send_frames(LegacyFrames(question.token, english=self._english), events)
            else:
                event = await self._relay.read_end(events)
                await self._connection.send(self._encode_end(event, question.token))
        finally:
            await subscription.__aexit__()

    async def _send_frames(self, frames: LegacyFrames, events: AnswerReader) -> None:
        async for entry in events:
            for frame in frames.encode(entry.event):
                await self._connection.send(frame)
        if not frames.finished:
            raise AnswerLostError

    def _encode_end(self, event: Final | Failed, token: str | None) -> bytes:
        event = envelope.require_text(event)
        if isinstance(event, Failed):
            return encode_error(failure_of(event, self._english))
        return envelope.encode_final(event, token, streaming=False)


@dataclass(frozen=True)
class SocketEndpoints:
    """The endpoints."""

    questions: Questions
    sessions: Sessions
    clients: Clients
    settings: GatewaySettings
    sending: ResponseRoom

    async def ws(self, socket: WebSocket) -> None:
        """Send one frame for each question."""
        await self._serve(socket, streaming=False)

    async def ws_stream(self, socket: WebSocket) -> None:
        """Send delta frames and then the whole answer, for each question."""
        await self._serve(socket, streaming=True)

    async def _serve(self, socket: WebSocket, *, streaming: bool) -> None:
        if (client := await identify_or_deny(self.clients, socket)) is not None:
            await socket.accept(key_subprotocol(socket))
            session = LegacySession(socket, self.questions, self.settings, client, self.sending, streaming=streaming)
            await detach(socket.scope, partial(self._run, session))

    async def _run(self, session: LegacySession) -> None:
        try:
            await session.run()
        finally:
            if session.created is not None:
                # Without Redis the session ends by itself: its time to live is bounded.
                with contextlib.suppress(StoreUnavailableError):
                    await self.sessions.end(session.created)
