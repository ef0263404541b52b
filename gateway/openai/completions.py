"""POST /v1/chat/completions."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from gateway.http import responses, sse
from gateway.http.body import BodyReader
from gateway.http.response_room import ResponseRoom
from gateway.openai import chunks, requests, validation
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.json_fields import Fields
from gateway.openai.service import QuestionService, SubmittedQuestion
from gateway.settings import GatewaySettings
from wire.about import weigh_blocks
from wire.threads import run_sized

METHODS = ["POST", "HEAD", "OPTIONS"]


@dataclass(frozen=True)
class CompletionEndpoint:
    """The endpoint."""

    service: QuestionService
    bodies: BodyReader
    settings: GatewaySettings

    async def completions(self, request: Request) -> Response | sse.AnswerStream:
        """Answer the question at the end of a list of messages, as a whole or in chunks."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client = self.service.clients.identify(request)
        async with self.bodies.parsed(request, _parse) as (fields, wanted):
            question = await self.service.ask(request, client, fields, wanted)
        answer = AnswerAssembler(question.about.stops, list_sources=self.settings.sources_in_text)
        if wanted.stream:
            return stream_response(
                request, self.service.reads.sending, question, chunks.CompletionChunks(question, answer)
            )
        # A body may have megabytes, and an answer takes minutes.
        del fields, wanted
        await question.collect(request, answer)
        return responses.ok(await run_sized(weigh_blocks(answer.blocks), chunks.encode_completion, question, answer))


def _parse(body: bytes) -> tuple[Fields, requests.CompletionRequest]:
    fields = validation.parse_fields(body)
    return fields, requests.parse_completion(fields)


def stream_response(
    request: Request, sending: ResponseRoom, question: SubmittedQuestion, presenter: sse.Presenter
) -> sse.AnswerStream:
    """Return the stream of an answer; from behind the Last-Event-ID, if that is an event of this answer."""
    relay, event_source = question.questions.relay, sse.accepts_events(request)
    last_event = sse.parse_event_id(request.headers.get("last-event-id", ""))
    resumed = last_event is not None and last_event.answer == question.answer
    return sse.AnswerStream(
        relay.active_requests,
        relay.time_limit,
        question.follow(),
        question.answer,
        presenter,
        sending.frames(question.client),
        event_source,
        first_event_wait=relay.timings.openai_first_event,
        after=last_event.seq if last_event is not None and resumed else 0,
        resumed=resumed,
        timings=relay.timings,
        on_hang_up=question.on_hang_up,
        behind=not question.submission.new,
    )
