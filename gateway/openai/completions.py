"""POST /v1/chat/completions."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from gateway.http import responses, sse
from gateway.http.body import read_body
from gateway.http.presenter import Presenter
from gateway.openai import chunks, requests, validation
from gateway.openai.service import QuestionService, SubmittedQuestion
from gateway.openai.text_assembler import TextAssembler

METHODS = ["POST", "HEAD", "OPTIONS"]
# How long a stream waits for its first event, in seconds, so that what fails at once is an error of HTTP's own.
PATIENCE = 5.0


@dataclass(frozen=True)
class Completions:
    """The endpoint. `max_body` is in bytes; `list_sources`: an answer's text ends with its sources."""

    asking: QuestionService
    max_body: int
    list_sources: bool

    async def completions(self, request: Request) -> Response | sse.AnswerStream:
        """A question with all that was said before it, answered as a whole or in chunks."""
        if request.method != "POST":
            return responses.nothing(request, METHODS)
        client = self.asking.clients.of(request)
        found = validation.fields(await read_body(request, self.max_body))
        asked = requests.completion(found)
        question = await self.asking.ask(request, client, found, asked)
        writing = TextAssembler(asked.stops, list_sources=self.list_sources)
        if asked.stream:
            return stream(request, question, chunks.CompletionChunks(question, writing, usage=asked.usage))
        await question.whole(request, writing)
        return responses.ok(chunks.completion(question, writing))


def stream(request: Request, question: SubmittedQuestion, telling: Presenter) -> sse.AnswerStream:
    """The response that streams an answer; from behind the Last-Event-ID, if that is one of this answer's."""
    relay, events = question.relay, "text/event-stream" in request.headers.get("accept", "")
    position = sse.position(request.headers.get("last-event-id", ""))
    after = position.seq if position is not None and position.answer == question.answer else 0
    return sse.AnswerStream(
        relay.turns, relay.limit, question.follow, question.answer, telling, events, PATIENCE, after
    )
