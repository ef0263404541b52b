"""/ws_stream for a client that speaks `bing-chat.v2`: many answers side by side on one socket."""

import asyncio
import contextlib
from dataclasses import dataclass

import msgspec
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket

from gateway.answering.drain import background
from gateway.answering.idempotency import RequestKey
from gateway.answering.models import Models
from gateway.answering.relay import AnswerSubscription
from gateway.answering.submit import Questions
from gateway.auth.name_owner import find_owner
from gateway.auth.socket_client import SocketClient
from gateway.errors import ClientGoneError, DrainingError, SocketFullError
from gateway.http.answer_reads import AnswerReads
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.fields import parse_object
from gateway.http.long_steps import CATCH_UP
from gateway.http.streaming import detach
from gateway.http.websocket import POLICY_VIOLATION, WebSocketConnection, identify_or_deny
from gateway.settings import GatewaySettings
from gateway.v2 import messages
from gateway.v2.frames import V2Frames, render_refusal
from telemetry import traces
from wire.answer_reader import AnswerEvent, AnswerReader
from wire.errors import AnswerLostError, AnswerNotFoundError, StoreUnavailableError
from wire.messages import TERMINAL, Chat, Prompted
from wire.model_table import ModelTable
from wire.prompt import Message, Prompt, Text
from wire.shared_read import SharedRead

# How many answers one socket may follow at the same time.
_MAX_ANSWERS = 32
_ENDPOINT = "/ws_stream"
# For how many seconds an answer that is resumed holds its place without a first event.
_FIRST_EVENT = 2.0
# The id of a message, and what it requests or, if that can't be read, its refusal.
_Held = tuple[str | None, messages.Request | bytes]


class V2Session:
    """One connection. Its messages are handled in order; each answer is followed in a task of its own."""

    def __init__(
        self,
        socket: WebSocket,
        questions: Questions,
        model_reader: SharedRead[ModelTable],
        settings: GatewaySettings,
        client: SocketClient,
        reads: AnswerReads,
        origin: str = "",
    ) -> None:
        self._request_id = socket.state.request_id
        self._error_metrics: ErrorMetrics = socket.state.error_metrics
        self._english: bool = socket.state.english
        self._origin = origin
        self._questions = questions
        self._model_reader = model_reader
        self._relay = questions.relay
        self._connection = WebSocketConnection(
            socket,
            self._parse,
            self._refuse,
            self._cancel,
            reads.sending.frames(client.client),
            socket.state.steps,
            last_send_limit=self._relay.timings.last_send_limit,
        )
        self._socket_client = client
        self._client = client.client
        self._key_removed = False
        self._reads = reads
        self._owner = find_owner(socket, client.client)
        self._question_limit = settings.question_limit
        # The tasks, with the answers that they follow.
        self._followed: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Serve the client until it leaves; or its key is gone or the gateway drains, and its answers have ended."""
        try:
            with self._relay.active_requests.track_socket(self._settle):
                async with self._connection.messages() as messages:
                    async for message in messages:
                        await self._connection.steps.run(self._handle(message))
                    while self._followed and not self._connection.gone:
                        await asyncio.wait(self._followed)
        finally:
            self._cancel()
            await asyncio.gather(*self._followed, return_exceptions=True)

    def _settle(self) -> None:
        """Read no more messages once the gateway drains, or the key is gone, and all answers of this socket have ended.

        Nobody could read them elsewhere with a key that is gone.
        """
        if self._followed:
            return
        if self._key_removed:
            self._connection.seal(POLICY_VIOLATION)
        elif self._relay.active_requests.draining:
            self._connection.seal()

    def _cancel(self) -> None:
        for task in self._followed:
            task.cancel()

    def _parse(self, message: str) -> _Held:
        """Return what a message requests, or the frame that refuses it, and the id that the client gave it."""
        id_ = None
        try:
            fields = parse_object(message)
            id_ = messages.parse_id(fields)
            return id_, messages.parse_request(fields, self._question_limit)
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            return id_, self._render_refusal(id_, error)

    def _refuse(self, error: Exception) -> _Held:
        """Return the refusal of a message that isn't read."""
        return None, self._render_refusal(None, error)

    async def _handle(self, held: _Held) -> None:
        """Handle one message; its errors are sent under the id that the client gave it."""
        id_, request = held
        try:
            self._check_key()
            match request:
                case messages.AskMessage() as ask:
                    await self._ask(id_, ask)
                case messages.StopMessage() as stop:
                    await self._stop(V2Frames(id_, stop.answer, self._english, self._origin))
                case messages.ResumeMessage() as resume:
                    await self._resume(V2Frames(id_, resume.answer, self._english, self._origin), resume.after)
                case refusal:
                    await self._connection.send_last(refusal)
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            await self._connection.send_last(self._render_refusal(id_, error))

    def _check_key(self) -> None:
        """Take the limits that the client's key has now. Raises HTTPException 401 once its line is gone."""
        try:
            self._client = self._socket_client.refresh()
        except HTTPException:
            self._key_removed = True
            self._settle()
            raise
        self._key_removed = False

    def _render_refusal(self, id_: str | None, error: Exception) -> bytes:
        return render_refusal(id_, self._error_metrics.record(error, self._english))

    async def _ask(self, id_: str | None, request: messages.AskMessage) -> None:
        self._check_room()
        question, work = request.question, await self._work(request)
        key = None if request.key is None else RequestKey(request.key, _ENDPOINT, self._owner, question.token)
        with traces.start_span("question", "server", bing_request=self._request_id):
            submission = await self._questions.submit(work, self._client, token=question.token, key=key)
        frames = V2Frames(id_, submission.answer_id, self._english, self._origin)
        await self._follow(frames, submission.token, self._questions.follow(submission, self._client))

    async def _work(self, request: messages.AskMessage) -> Chat:
        """Return the work of a question. ModelNotFoundError, ModelAwayError, StoreUnavailableError."""
        question = request.question
        work = Chat(question.style, question.question, request=self._request_id, wait=request.wait)
        if request.model is None:
            return work
        choice = Models(await self._model_reader.read()).resolve(request.model, self._client)
        if choice.style is not None:
            return msgspec.structs.replace(work, style=choice.style)
        # The messages before it are in the transcript, which its worker has.
        prompt = Prompt("chat", choice.name, (Message("user", (Text(question.question),), string=True),))
        return Prompted(question.style, "", request=work.request, wait=work.wait, prompt=prompt)

    async def _resume(self, frames: V2Frames, after: int) -> None:
        self._check_room()
        token = await self._relay.answers.read_token(frames.answer, self._client.holder)
        await self._follow(frames, token, self._relay.subscribe(frames.answer, self._client, after), resumed=True)

    async def _stop(self, frames: V2Frames) -> None:
        """Stop an answer. Its end is sent here only if no task of this socket follows it."""
        await self._relay.jobs.stop(frames.answer, self._client.holder)
        if frames.answer not in self._followed.values():
            await self._connection.send_last(frames.render(await self._end(frames.answer)))

    def _check_room(self) -> None:
        """Raise DrainingError or SocketFullError if no answer may be followed any more."""
        self._relay.active_requests.check_accepting()
        if len(self._followed) >= _MAX_ANSWERS:
            raise SocketFullError

    async def _follow(
        self, frames: V2Frames, token: str, subscription: AnswerSubscription, *, resumed: bool = False
    ) -> None:
        """Confirm the answer, and start a task that follows it."""
        await self._connection.send_last(frames.render_accepted(token))
        relayed = self._relay_answer(frames, subscription, resumed=resumed)
        task = asyncio.create_task(self._connection.steps.run(relayed, CATCH_UP) if resumed else relayed)
        self._followed[task] = frames.answer
        task.add_done_callback(self._remove)

    def _remove(self, task: asyncio.Task[None]) -> None:
        del self._followed[task]
        self._settle()

    async def _relay_answer(self, frames: V2Frames, subscription: AnswerSubscription, *, resumed: bool) -> None:
        """Send one answer up to its end. A client that is cut off in a drain resumes at another gateway.

        What there is of a `resumed` one already is read, and held until the client has taken it, a few at a time.
        """
        try:
            async with (
                self._relay.active_requests.track(self._relay.time_limit, accepted=True),
                subscription as events,
                contextlib.AsyncExitStack() as place,
            ):
                if resumed:
                    await place.enter_async_context(self._reads.place(self._client))
                    if await events.peek(_FIRST_EVENT) is None:
                        await place.aclose()
                await self._send_events(frames, events, place)
        except (ClientGoneError, DrainingError):
            return
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            with contextlib.suppress(ClientGoneError):
                await self._connection.send_last(frames.render_error(self._error_metrics.record(error, self._english)))

    async def _send_events(self, frames: V2Frames, events: AnswerReader, place: contextlib.AsyncExitStack) -> None:
        """Send the events. `place` is given back with the last one of those that were there."""
        async with background(self._send_places(frames)):
            entry = await anext(events, None)
        # None: the answer had ended before `after`, but the client still has to get an end.
        while entry is not None:
            await self._connection.send(frames.render(entry))
            if isinstance(entry.event, TERMINAL):
                return
            if not entry.more:
                await place.aclose()
            entry = await anext(events, None)
        try:
            end = await self._end(frames.answer)
        except AnswerNotFoundError as error:
            raise AnswerLostError from error
        await self._connection.send(frames.render(end))

    async def _send_places(self, frames: V2Frames) -> None:
        """Send the question's place in the queue whenever it has changed, until it is cancelled."""
        sent, pause = None, self._relay.timings.first_place_after
        with contextlib.suppress(ClientGoneError):
            while True:
                await asyncio.sleep(pause)
                pause = self._relay.timings.place_every
                with contextlib.suppress(StoreUnavailableError):
                    place = await self._relay.answers.read_position(frames.answer)
                    if place is not None and place != sent:
                        await self._connection.send(frames.render_queued(place))
                        sent = place

    async def _end(self, answer: str) -> AnswerEvent:
        """Return the terminal event of an answer that has ended. Raises AnswerNotFoundError, AnswerLostError."""
        return await self._relay.answers.read_end(answer, self._client.holder)


@dataclass(frozen=True)
class V2Endpoint:
    """/ws_stream under the subprotocol."""

    questions: Questions
    reads: AnswerReads
    settings: GatewaySettings
    model_reader: SharedRead[ModelTable]

    async def ws_stream(self, socket: WebSocket) -> None:
        """Serve a session."""
        if (client := await identify_or_deny(self.reads.clients, socket)) is not None:
            await socket.accept(messages.SUBPROTOCOL)
            origin = self.reads.clients.find_origin(socket)
            session = V2Session(socket, self.questions, self.model_reader, self.settings, client, self.reads, origin)
            await detach(socket.scope, session.run)
