"""The endpoints for an answer by its id: its state, its stream, its stop."""

from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.relay import Relay
from gateway.auth.clients import Clients
from gateway.errors import RefusedError
from gateway.http import responses, sse
from gateway.http.answer_reads import LONGEST_READ
from gateway.http.response_room import ResponseRoom
from gateway.legacy import envelope
from gateway.legacy.frames import LegacyFrames
from wire.about import weigh_blocks
from wire.errors import AnswerNotFoundError, StoreUnavailableError
from wire.jobs import Client
from wire.messages import TERMINAL
from wire.reasons import Reason
from wire.threads import run_sized

ANSWER_METHODS = ["GET", "HEAD", "DELETE", "OPTIONS"]
STREAM_METHODS = ["GET", "HEAD", "OPTIONS"]


@dataclass(frozen=True)
class AnswerEndpoints:
    """The endpoints. A draining gateway serves them too, except the stream, which the client resumes at another one."""

    relay: Relay
    clients: Clients
    sending: ResponseRoom

    async def answer(self, request: Request) -> Response:
        """Return state and text so far; DELETE stops the answer first, if it hasn't ended by itself."""
        if request.method == "OPTIONS":
            return responses.options(ANSWER_METHODS)
        holder, answer = self.clients.identify(request).holder, _answer_id(request)
        if request.method == "DELETE":
            await self.relay.jobs.stop(answer, holder)
        progress = await self.relay.answers.read_progress(answer, holder, request.state.admit)
        request.state.answer = answer
        origin = self.clients.find_origin(request)
        encode = partial(envelope.encode_progress, english=request.state.english, origin=origin)
        return responses.ok(await run_sized(weigh_blocks(progress.blocks), encode, answer, progress))

    async def stream(self, request: Request) -> Response | sse.AnswerStream:
        """Stream the events after `after`, or after Last-Event-ID, as an EventSource gets them."""
        if request.method == "OPTIONS":
            return responses.options(STREAM_METHODS)
        client = self.clients.identify(request)
        last_event = sse.EventId(_answer_id(request), _after(request))
        if request.method == "HEAD":
            await self.relay.answers.read_token(last_event.answer, client.holder)
            return Response(headers=sse.HEADERS)
        # Who hangs up waits for no read: it might send the next request at once.
        async with self.relay.active_requests.track(LONGEST_READ, accepted=True, receive=request.receive):
            return await resume_stream(self.relay, request, last_event, client, self.sending)


async def resume_stream(
    relay: Relay, request: Request, last_event: sse.EventId, client: Client, sending: ResponseRoom
) -> Response | sse.AnswerStream:
    """Return the stream of what follows `last_event`, or 204, which ends an EventSource, if nothing follows.

    Raises AnswerNotFoundError when the client has no such answer.
    """
    answer, seq = last_event.answer, last_event.seq
    try:
        token = await relay.answers.read_token(answer, client.holder)
        reached = (await relay.answers.read(answer, seq - 1, 1)).events if seq else []
    except StoreUnavailableError:
        return _retry_later()
    if seq and (not reached or (reached[0].seq <= seq and isinstance(reached[0].event, TERMINAL))):
        return Response(status_code=204)
    if relay.active_requests.draining:
        return _retry_later()
    request.state.answer = answer
    return sse.AnswerStream(
        relay.active_requests,
        relay.time_limit,
        relay.subscribe(answer, client),
        answer,
        LegacyFrames(token, english=request.state.english, reconnects=True),
        sending.frames(client),
        event_source=True,
        after=seq,
        resumed=_last_seq(request, answer) is not None,
        timings=relay.timings,
        behind=True,
    )


def _retry_later() -> Response:
    """Return a stream that ends at once: an EventSource reconnects after an end, but gives up after an error."""
    return Response(headers=sse.HEADERS)


def _answer_id(request: Request) -> str:
    answer: str = request.path_params["answer"]
    if sse.parse_event_id(f"{answer}.0") is None:
        raise AnswerNotFoundError
    return answer


def _after(request: Request) -> int:
    """Return the seq that the client has reached: an EventSource that reconnects sends it by itself."""
    if (last := _last_seq(request, request.path_params["answer"])) is not None:
        return last
    place = sse.parse_event_id(f"{request.path_params['answer']}.{request.query_params.get('after', '0')}")
    if place is None:
        raise RefusedError(Reason.REQUEST_FORMAT)
    return place.seq


def _last_seq(request: Request, answer: str) -> int | None:
    """Return the seq of the Last-Event-ID, if that is an event of this answer."""
    last = sse.parse_event_id(request.headers.get("last-event-id", ""))
    return last.seq if last is not None and last.answer == answer else None
