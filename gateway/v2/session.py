"""/ws_stream for a client that speaks `bing-chat.v2`: many answers side by side on one socket."""

import asyncio
import contextlib

import structlog
from starlette.websockets import WebSocket

from gateway.answering.drain import background
from gateway.answering.idempotency import Idempotency
from gateway.answering.relay import Relay
from gateway.errors import (
    UNKNOWN,
    AnswerUnknownError,
    ClientGoneError,
    DrainingError,
    Problem,
    SocketFullError,
    prefers_english,
    problem_of,
)
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.websocket import WebSocketConnection
from gateway.legacy import params
from gateway.v2 import messages
from telemetry import traces
from wire.answers import AnswerEvent, AnswerReader
from wire.errors import AnswerGoneError, StoreUnavailableError
from wire.jobs import Client, IdempotencyKey, new_answer_id, new_token
from wire.messages import TERMINAL, Chat

# How many answers one socket follows at once.
_AT_ONCE = 32
# Seconds before the first look at a question's place in the queue, and between two looks.
_FIRST_LOOK = 0.3
_LOOK_EVERY = 1.0
_ENDPOINT = "/ws_stream"
_LOG = structlog.get_logger()


class V2Session:
    """One connection. Its messages are taken in order; each answer is followed in a task of its own."""

    def __init__(
        self, socket: WebSocket, relay: Relay, idempotency: Idempotency, max_message: int, client: Client
    ) -> None:
        self._connection = WebSocketConnection(socket, max_message, self._cancel)
        self._request = socket.state.request_id
        self._refusals: ErrorMetrics = socket.state.refusals
        self._english = prefers_english(socket.headers.get("accept-language", ""))
        self._relay = relay
        self._idempotency = idempotency
        self._client = client
        # The tasks, with the answers that they follow.
        self._followed: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Serve the client until it leaves, or until the gateway goes down and its answers have ended."""
        try:
            with self._relay.turns.socket(self._settle):
                async with self._connection.messages() as messages:
                    async for message in messages:
                        await self._handle(message)
                    while self._followed and not self._connection.gone:
                        await asyncio.wait(self._followed)
        finally:
            self._cancel()
            await asyncio.gather(*self._followed, return_exceptions=True)

    def _settle(self) -> None:
        """In a drain: nothing more can come of this socket once its answers have ended."""
        if self._relay.turns.draining and not self._followed:
            self._connection.seal()

    def _cancel(self) -> None:
        for task in self._followed:
            task.cancel()

    async def _handle(self, message: str) -> None:
        """Do what the client wants; what is wrong with it is told under the name that it gave."""
        id_ = None
        try:
            found = params.json_object(message)
            id_ = messages.id_of(found)
            match messages.request(found):
                case messages.AskMessage() as ask:
                    await self._ask(id_, ask)
                case messages.StopMessage() as stop:
                    await self._stop(messages.V2Frames(id_, stop.answer))
                case messages.ResumeMessage() as resume:
                    await self._resume(messages.V2Frames(id_, resume.answer), resume.after)
        except ClientGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            await self._connection.send_last(messages.refused(id_, self._problem(error)))

    async def _ask(self, id_: str | None, request: messages.AskMessage) -> None:
        self._check_room()
        ask = request.ask
        work = Chat(ask.style, ask.question, request=self._request, wait=request.wait)
        key = self._idempotency.checked(request.key, self._client)
        once: IdempotencyKey | None = None
        token = ask.token or new_token()
        if key is not None:
            once, token = await self._idempotency.once(self._client, key, _ENDPOINT, work, ask.token)
        create, fresh = ask.token is None, new_answer_id()
        with traces.start_span("question", "server", bing_request=self._request):
            answer = await self._relay.jobs.submit(fresh, work, token, create=create, client=self._client, once=once)
        await self._follow(messages.V2Frames(id_, answer), token, new=answer == fresh)

    async def _resume(self, frames: messages.V2Frames, after: int) -> None:
        self._check_room()
        try:
            token = await self._relay.answers.read_token(frames.answer, self._client.holder)
        except AnswerGoneError:
            raise AnswerUnknownError from None
        await self._follow(frames, token, after=after)

    async def _stop(self, frames: messages.V2Frames) -> None:
        """Who follows the answer here sees its end by that; otherwise it is sent for this."""
        try:
            await self._relay.jobs.stop(frames.answer, self._client.holder)
            if frames.answer not in self._followed.values():
                await self._connection.send_last(frames.event(await self._end(frames.answer)))
        except AnswerGoneError:
            raise AnswerUnknownError from None

    def _check_room(self) -> None:
        """DrainingError, SocketFullError."""
        if self._relay.turns.draining:
            raise DrainingError
        if len(self._followed) >= _AT_ONCE:
            raise SocketFullError

    async def _follow(self, frames: messages.V2Frames, token: str, *, after: int = 0, new: bool = False) -> None:
        """Say that the answer is there, and begin to follow it."""
        await self._connection.send_last(frames.accepted(token))
        task = asyncio.create_task(self._relayed(frames, after, new))
        self._followed[task] = frames.answer
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._followed[task]
        self._settle()

    async def _relayed(self, frames: messages.V2Frames, after: int, new: bool) -> None:
        """One answer, up to its end. A client that is cut off in a drain goes on elsewhere."""
        try:
            async with (
                self._relay.turns.turn(self._relay.limit, promised=True),
                self._relay.resume(frames.answer, after, new=new) as entries,
            ):
                await self._events(frames, entries)
        except (ClientGoneError, DrainingError):
            return
        except Exception as error:  # noqa: BLE001 - the socket survives every error
            with contextlib.suppress(ClientGoneError):
                await self._connection.send_last(frames.broken_off(self._problem(error)))

    async def _events(self, frames: messages.V2Frames, entries: AnswerReader) -> None:
        async with background(self._tell_place(frames)):
            entry = await anext(entries, None)
        # None: the answer had ended before `after`, and a client that waits for its end has to get one.
        while entry is not None:
            await self._connection.send(frames.event(entry))
            if isinstance(entry.event, TERMINAL):
                return
            entry = await anext(entries, None)
        await self._connection.send(frames.event(await self._end(frames.answer)))

    async def _tell_place(self, frames: messages.V2Frames) -> None:
        """While nothing has come: where the question waits, whenever that has changed."""
        told, pause = None, _FIRST_LOOK
        with contextlib.suppress(ClientGoneError):
            while True:
                await asyncio.sleep(pause)
                pause = _LOOK_EVERY
                with contextlib.suppress(StoreUnavailableError):
                    place = await self._relay.answers.read_position(frames.answer)
                    if place is not None and place != told:
                        await self._connection.send(frames.queued(place))
                        told = place

    async def _end(self, answer: str) -> AnswerEvent:
        """The terminal event of an answer that has ended. AnswerGoneError."""
        progress = await self._relay.answers.read_progress(answer, self._client.holder)
        if progress.end is None:
            raise AnswerGoneError("the answer's events stopped")
        return AnswerEvent(progress.seq, progress.end)

    def _problem(self, error: Exception) -> Problem:
        problem = problem_of(error, self._english)
        if problem is None:
            _LOG.error("message failed", exc_info=error)
            problem = UNKNOWN
        self._refusals.note(problem)
        return problem
