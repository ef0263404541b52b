"""Answers by their id: how far one has come, its stream, its stop."""

from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.relay import Relay
from gateway.auth.clients import Clients
from gateway.errors import FORMAT, AnswerUnknownError, RefusedError
from gateway.http import responses, sse
from gateway.http.presenter import DeltaEvents
from gateway.legacy import envelope
from wire.errors import AnswerGoneError, StoreUnavailableError
from wire.messages import TERMINAL

ANSWER_METHODS = ["GET", "HEAD", "DELETE", "OPTIONS"]
STREAM_METHODS = ["GET", "HEAD", "OPTIONS"]


@dataclass(frozen=True)
class AnswerEndpoints:
    """The endpoints. A draining gateway serves them too, but for the stream, which goes on elsewhere."""

    relay: Relay
    clients: Clients

    async def answer(self, request: Request) -> Response:
        """State and text so far; DELETE stops the answer first, if it hasn't ended by itself."""
        if request.method == "OPTIONS":
            return responses.allowed(ANSWER_METHODS)
        holder, answer = self.clients.of(request).holder, _id(request)
        try:
            if request.method == "DELETE":
                await self.relay.jobs.stop(answer, holder)
            progress = await self.relay.answers.read_progress(answer, holder)
        except AnswerGoneError:
            raise AnswerUnknownError from None
        request.state.answer = answer
        return responses.ok(envelope.progress(answer, progress))

    async def stream(self, request: Request) -> Response | sse.AnswerStream:
        """The events after `after`, or after Last-Event-ID, as an EventSource gets them."""
        if request.method == "OPTIONS":
            return responses.allowed(STREAM_METHODS)
        holder = self.clients.of(request).holder
        position = sse.Position(_id(request), _after(request))
        try:
            if request.method == "HEAD":
                await self.relay.answers.read_token(position.answer, holder)
                return Response(headers=sse.HEADERS)
            return await resume(self.relay, request, position, holder)
        except AnswerGoneError:
            raise AnswerUnknownError from None


async def resume(relay: Relay, request: Request, position: sse.Position, holder: str) -> Response | sse.AnswerStream:
    """Go on after `position`; 204, which an EventSource takes as the end, when nothing comes after it.

    AnswerGoneError when the holder has no such answer.
    """
    answer, seq = position.answer, position.seq
    try:
        token = await relay.answers.read_token(answer, holder)
        reached = await relay.answers.read(answer, seq - 1) if seq else []
    except StoreUnavailableError:
        return _come_back(position)
    if seq and (not reached or (reached[0].seq <= seq and isinstance(reached[0].event, TERMINAL))):
        return Response(status_code=204)
    if relay.turns.draining:
        return _come_back(position)
    request.state.answer = answer
    return sse.AnswerStream(
        relay.turns,
        relay.limit,
        partial(relay.resume, answer),
        answer,
        DeltaEvents(token, comes_back=True),
        events=True,
        after=seq,
    )


def _come_back(position: sse.Position) -> Response:
    """An EventSource comes back after the end of a stream, but gives up for good after an error."""
    return Response(sse.opening(position), headers=sse.HEADERS)


def _id(request: Request) -> str:
    answer: str = request.path_params["answer"]
    if sse.position(f"{answer}.0") is None:
        raise AnswerUnknownError
    return answer


def _after(request: Request) -> int:
    """Where the client stopped: an EventSource that comes back says so by itself."""
    last = sse.position(request.headers.get("last-event-id", ""))
    if last is not None and last.answer == request.path_params["answer"]:
        return last.seq
    place = sse.position(f"{request.path_params['answer']}.{request.query_params.get('after', '0')}")
    if place is None:
        raise RefusedError(FORMAT)
    return place.seq
