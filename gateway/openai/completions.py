"""POST /v1/chat/completions."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from gateway.http import responses, sse
from gateway.http.body import read_body
from gateway.openai import chunks, requests, validation
from gateway.openai.service import QuestionService, SubmittedQuestion
from gateway.openai.text_assembler import TextAssembler

METHODS = ["POST", "HEAD", "OPTIONS"]
# How long a stream waits for its first event, in seconds, so that what fails at once is an error of HTTP's own.
PATIENCE = 5.0


@dataclass(frozen=True)
class Completions:
    """The endpoint. `max_body` is in bytes; `list_sources`: an answer's text ends with its sources."""

    service: QuestionService
    max_body: int
    list_sources: bool

    async def completions(self, request: Request) -> Response | sse.AnswerStream:
        """A question with all that was said before it, answered as a whole or in chunks."""
        if request.method != "POST":
            return responses.nothing(request, METHODS)
        client = self.service.clients.identify(request)
        found = validation.fields(await read_body(request, self.max_body))
        asked = requests.completion(found)
        question = await self.service.ask(request, client, found, asked)
        writing = TextAssembler(asked.stops, list_sources=self.list_sources)
        if asked.stream:
            return stream(request, question, chunks.CompletionChunks(question, writing, usage=asked.usage))
        await question.whole(request, writing)
        return responses.ok(chunks.completion(question, writing))


def stream(request: Request, question: SubmittedQuestion, presenter: sse.Presenter) -> sse.AnswerStream:
    """The response that streams an answer; from behind the Last-Event-ID, if that is one of this answer's."""
    relay, event_source = question.questions.relay, "text/event-stream" in request.headers.get("accept", "")
    last_event = sse.parse_event_id(request.headers.get("last-event-id", ""))
    after = last_event.seq if last_event is not None and last_event.answer == question.answer else 0
    return sse.AnswerStream(
        relay.active_requests,
        relay.time_limit,
        question.follow(),
        question.answer,
        presenter,
        event_source,
        PATIENCE,
        after,
    )
