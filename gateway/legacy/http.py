"""The drop-in endpoints over HTTP: /api, /api_stream and /image."""

from dataclasses import dataclass
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.idempotency import RequestKey
from gateway.answering.relay import AnswerSubscription
from gateway.answering.submit import Questions, Submission
from gateway.auth.clients import Clients
from gateway.auth.name_owner import find_owner
from gateway.errors import failure_of
from gateway.http import responses, sse
from gateway.http.body import BodyReader
from gateway.http.fields import Fields, idempotency_key, preferred_wait
from gateway.http.pictures import public_addresses, shows_picture
from gateway.http.response_room import ResponseRoom
from gateway.legacy import envelope, params
from gateway.legacy.answers import resume_stream
from gateway.legacy.frames import LegacyFrames
from wire.errors import AnswerNotFoundError
from wire.jobs import Client
from wire.messages import Chat, Failed, Final, Image, Work
from wire.threads import run_sized

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]


@dataclass(frozen=True)
class LegacyApi:
    """The endpoints; a question may have `question_limit` bytes of UTF-8."""

    questions: Questions
    clients: Clients
    bodies: BodyReader
    question_limit: int
    sending: ResponseRoom

    async def api(self, request: Request) -> Response:
        """Answer a question as one JSON document."""
        if request.method in ("HEAD", "OPTIONS"):
            return responses.empty(request, METHODS)
        client = self.clients.identify(request)
        question = params.parse_question(await self._fields(request), self.question_limit)
        submission, subscription = await self._submit(request, client, _chat(request, question), question.token)
        event = envelope.require_text(await self._read_end(request, subscription))
        if isinstance(event, Failed):
            return responses.problem_response(failure_of(event, request.state.english))
        encode = partial(envelope.encode_final, streaming=False)
        return responses.ok(await run_sized(len(event.text), encode, event, submission.token))

    async def image(self, request: Request) -> Response:
        """Return pictures for a keyword."""
        if request.method in ("HEAD", "OPTIONS"):
            return responses.empty(request, METHODS)
        client = self.clients.identify(request)
        keyword = params.parse_keyword(await self._fields(request), self.question_limit)
        work = Image(keyword, request=request.state.request_id, wait=preferred_wait(request))
        _, subscription = await self._submit(request, client, work, None)
        event = await self._read_end(request, subscription)
        if isinstance(event, Failed):
            return responses.problem_response(failure_of(event, request.state.english))
        return responses.ok(envelope.encode_images(public_addresses(self.clients.find_origin(request), event.images)))

    async def api_stream(self, request: Request) -> Response | sse.AnswerStream:
        """Answer a question as server-sent events."""
        if request.method in ("HEAD", "OPTIONS"):
            return responses.empty(request, METHODS, "text/event-stream")
        client = self.clients.identify(request)
        event_source = sse.accepts_events(request)
        last_event = sse.parse_event_id(request.headers.get("last-event-id", ""))
        if event_source and last_event is not None:
            return await self._resume(request, last_event, client)
        question = params.parse_question(await self._fields(request), self.question_limit)
        submission, subscription = await self._submit(request, client, _chat(request, question), question.token)
        relay = self.questions.relay
        return sse.AnswerStream(
            relay.active_requests,
            relay.time_limit,
            subscription,
            submission.answer_id,
            LegacyFrames(submission.token, english=request.state.english, reconnects=event_source),
            self.sending.frames(client),
            event_source,
            first_event_wait=0.0 if event_source else relay.timings.drop_in_first_event,
            timings=relay.timings,
            behind=not submission.new,
        )

    async def _resume(self, request: Request, last_event: sse.EventId, client: Client) -> Response | sse.AnswerStream:
        """Resume a stream; 204 also when the answer is no longer kept: an EventSource must stop, not ask again."""
        try:
            return await resume_stream(self.questions.relay, request, last_event, client, self.sending)
        except AnswerNotFoundError:
            return Response(status_code=204)

    async def _submit(
        self, request: Request, client: Client, work: Work, token: str | None
    ) -> tuple[Submission, AnswerSubscription]:
        """Submit a question: under an Idempotency-Key now, else together with subscribing to its answer."""
        key = idempotency_key(request)
        if key is None:
            return self.questions.ask(work, client, token=token, attempt=self.clients.read_attempt(request))
        request_key = RequestKey(key, request.url.path, find_owner(request, client), token)
        submission = await self.questions.submit(work, client, token=token, key=request_key)
        request.state.answer = submission.answer_id
        return submission, self.questions.follow(submission, client)

    async def _read_end(self, request: Request, subscription: AnswerSubscription) -> Final | Failed:
        relay = self.questions.relay
        async with relay.active_requests.track(relay.time_limit, receive=request.receive), subscription as events:
            request.state.answer = events.answer
            event = await relay.read_end(events)
        request.state.provider = event.provider
        return event

    async def _fields(self, request: Request) -> Fields:
        """Return the request's parameters: those of a POST's body replace those of the query.

        HTTPException 404 where there should be a picture: its address asks nothing.
        """
        query = params.parse_form(request.scope["query_string"])
        if request.method != "POST":
            if shows_picture(request):
                raise HTTPException(404)
            return query
        content_type = request.headers.get("content-type", "")
        body = await self.bodies.parse(request, partial(params.parse_body, content_type=content_type))
        return query | {name: value for name, value in body.items() if value}


def _chat(request: Request, question: params.QuestionParams) -> Chat:
    return Chat(question.style, question.question, request=request.state.request_id, wait=preferred_wait(request))
