"""POST /v1/chat/completions."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from gateway import responses, sse
from gateway.body import read_body
from gateway.openai import chunks, fields, requests
from gateway.openai.asking import Asking, Question
from gateway.openai.writing import Writing
from gateway.telling import Telling

METHODS = ["POST", "HEAD", "OPTIONS"]
# How long a stream waits for its first event, in seconds, so that what fails at once is an error of HTTP's own.
PATIENCE = 5.0


@dataclass(frozen=True)
class Completions:
    """The endpoint. `max_body` is in bytes; `list_sources`: an answer's text ends with its sources."""

    asking: Asking
    max_body: int
    list_sources: bool

    async def completions(self, request: Request) -> Response | sse.AnswerStream:
        """A question with all that was said before it, answered as a whole or in chunks."""
        if request.method != "POST":
            return responses.nothing(request, METHODS)
        client = self.asking.clients.of(request)
        found = fields.fields(await read_body(request, self.max_body))
        asked = requests.completion(found)
        question = await self.asking.ask(request, client, found, asked)
        writing = Writing(asked.stops, list_sources=self.list_sources)
        if asked.stream:
            return stream(request, question, chunks.Chunks(question, writing, usage=asked.usage))
        await question.whole(request, writing)
        return responses.ok(chunks.completion(question, writing))


def stream(request: Request, question: Question, telling: Telling) -> sse.AnswerStream:
    """The response that streams an answer; from behind the Last-Event-ID, if that is one of this answer's."""
    relay, events = question.relay, "text/event-stream" in request.headers.get("accept", "")
    position = sse.position(request.headers.get("last-event-id", ""))
    after = position.seq if position is not None and position.answer == question.answer else 0
    return sse.AnswerStream(
        relay.turns, relay.limit, question.follow, question.answer, telling, events, PATIENCE, after
    )
