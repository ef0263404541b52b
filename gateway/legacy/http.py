"""The drop-in endpoints over HTTP: /api, /api_stream and /image."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.answering import relay
from gateway.answering.idempotency import Idempotency
from gateway.answering.relay import AnswerSubscription, Relay
from gateway.auth.clients import Clients
from gateway.errors import DrainingError
from gateway.http import responses, sse
from gateway.http.body import read_body
from gateway.http.presenter import DeltaEvents
from gateway.legacy import envelope, params
from gateway.legacy.answers import resume
from wire.errors import AnswerGoneError
from wire.jobs import Client, IdempotencyKey, new_answer_id, new_token
from wire.messages import Chat, Failed, Final, Image, Work

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
# How long the headers of a stream wait for the first event, which tells the provider, in seconds; an EventSource is not
# kept waiting.
_PATIENCE = 1.0

_Follow = Callable[[], AnswerSubscription]


@dataclass(frozen=True)
class _Question:
    """What is asked, by whom, in which conversation; `create` begins it. `once` is set under an Idempotency-Key."""

    work: Work
    token: str
    create: bool
    client: Client
    once: IdempotencyKey | None


@dataclass(frozen=True)
class LegacyApi:
    """The endpoints. `max_body` is in bytes."""

    relay: Relay
    clients: Clients
    idempotency: Idempotency
    max_body: int

    async def api(self, request: Request) -> Response:
        """A question, answered as one JSON document."""
        if request.method in ("HEAD", "OPTIONS"):
            return responses.nothing(request, METHODS)
        client = self.clients.of(request)
        ask = params.ask(await self._fields(request))
        question = await self._question(request, client, _chat(request, ask), ask.token)
        event = await self._whole(request, question)
        if isinstance(event, Failed):
            return responses.refusal(relay.problem(event))
        return responses.ok(relay.final(event, question.token, streaming=False))

    async def image(self, request: Request) -> Response:
        """Pictures for a keyword."""
        if request.method in ("HEAD", "OPTIONS"):
            return responses.nothing(request, METHODS)
        client = self.clients.of(request)
        keyword = params.keyword(await self._fields(request))
        work = Image(keyword, request=request.state.request_id, wait=_patience(request))
        event = await self._whole(request, await self._question(request, client, work, None))
        if isinstance(event, Failed):
            return responses.refusal(relay.problem(event))
        return responses.ok(envelope.images(event.images))

    async def api_stream(self, request: Request) -> Response | sse.AnswerStream:
        """A question, answered as server-sent events."""
        if request.method in ("HEAD", "OPTIONS"):
            return responses.nothing(request, METHODS, "text/event-stream")
        client = self.clients.of(request)
        events = "text/event-stream" in request.headers.get("accept", "")
        position = sse.position(request.headers.get("last-event-id", ""))
        if events and position is not None:
            return await self._resume(request, position, client)
        ask = params.ask(await self._fields(request))
        question = await self._question(request, client, _chat(request, ask), ask.token)
        answer, follow = await self._handed_over(request, question)
        told = DeltaEvents(question.token, comes_back=events)
        patience = 0.0 if events else _PATIENCE
        return sse.AnswerStream(self.relay.turns, self.relay.limit, follow, answer, told, events, patience)

    async def _resume(self, request: Request, position: sse.Position, client: Client) -> Response | sse.AnswerStream:
        """As `resume`, but 204 also when the answer is no longer kept: an EventSource must stop, not ask again."""
        try:
            return await resume(self.relay, request, position, client.holder)
        except AnswerGoneError:
            return Response(status_code=204)

    async def _question(self, request: Request, client: Client, work: Work, token: str | None) -> _Question:
        """The question as it is to be handed over; `token` as it was sent. KeyLengthError, StoreUnavailableError."""
        key = self.idempotency.key(request, client)
        if key is None:
            return _Question(work, token or new_token(), token is None, client, None)
        once, kept = await self.idempotency.once(client, key, request.url.path, work, token)
        return _Question(work, kept, token is None, client, once)

    async def _whole(self, request: Request, question: _Question) -> Final | Failed:
        answer, follow = await self._handed_over(request, question)
        async with (
            self.relay.turns.turn(self.relay.limit, receive=request.receive),
            follow() as entries,
        ):
            request.state.answer = answer
            event = await self.relay.whole(entries)
        request.state.provider = event.provider
        return event

    async def _handed_over(self, request: Request, question: _Question) -> tuple[str, _Follow]:
        """The answer's id, and the way to follow it.

        Under an Idempotency-Key the question is handed over here, since it may have an answer with an id of its own
        already; any other one when following begins, so that subscribing and queueing overlap.
        """
        answer, work, token = new_answer_id(), question.work, question.token
        if question.once is None:
            return answer, partial(self.relay.ask, answer, work, token, create=question.create, client=question.client)
        if self.relay.turns.draining:
            raise DrainingError
        found = await self.relay.jobs.submit(
            answer, work, token, create=question.create, client=question.client, once=question.once
        )
        request.state.answer = found
        return found, partial(self.relay.resume, found, new=found == answer)

    async def _fields(self, request: Request) -> params.Fields:
        """The request's parameters: those of a POST's body win over those of the query."""
        fields = params.query(request.scope["query_string"])
        if request.method != "POST":
            return fields
        body = params.body(await read_body(request, self.max_body), request.headers.get("content-type", ""))
        return fields | {name: value for name, value in body.items() if value}


def _chat(request: Request, ask: params.QuestionParams) -> Chat:
    return Chat(ask.style, ask.question, request=request.state.request_id, wait=_patience(request))


def _patience(request: Request) -> float:
    return params.patience(", ".join(request.headers.getlist("prefer")))
