"""/v1/responses: POST asks; GET, and POST …/cancel, are for a response by its id."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import responses, sse
from gateway.http.body import read_body
from gateway.openai import requests, validation
from gateway.openai.completions import stream
from gateway.openai.errors import InvalidRequestError, fault_of_failure
from gateway.openai.events import ResponseEvents
from gateway.openai.response_body import ResponseBody
from gateway.openai.service import QuestionService, SubmittedQuestion
from gateway.openai.text_assembler import TextAssembler
from gateway.openai.validation import Fields
from wire.answers import Progress
from wire.errors import AnswerNotFoundError
from wire.messages import Failed, Final

METHODS = ["POST", "HEAD", "OPTIONS"]
ONE_METHODS = ["GET", "HEAD", "OPTIONS"]
_PREFIX = "resp_"
# What of a request comes back with its response.
_ECHOED = ("previous_response_id", "metadata", "store", "user")


@dataclass(frozen=True)
class Responses:
    """The endpoints. `max_body` is in bytes; `list_sources`: an answer's text ends with its sources."""

    service: QuestionService
    max_body: int
    list_sources: bool

    async def create(self, request: Request) -> Response | sse.AnswerStream:
        """A question, answered as a whole or in events."""
        if request.method != "POST":
            return responses.nothing(request, METHODS)
        client = self.service.clients.identify(request)
        found = validation.fields(await read_body(request, self.max_body))
        asked = requests.response(found)
        question = await self.service.ask(request, client, found, asked)
        writing, reply = TextAssembler(list_sources=self.list_sources), ResponseBody(question, _echo(found))
        if asked.stream:
            return stream(request, question, ResponseEvents(question, writing, reply))
        await question.whole(request, writing)
        return _ok(reply.ended(writing, writing.whole))

    async def one(self, request: Request) -> Response | sse.AnswerStream:
        """How far a response has come; with `stream=true` its events, those after number `starting_after`."""
        if request.method == "OPTIONS":
            return responses.allowed(ONE_METHODS)
        question = await self._found(request)
        if request.method == "GET" and request.query_params.get("stream") == "true":
            after = _starting_after(request)
            telling = ResponseEvents(question, self._writing(), ResponseBody(question), after=after, resumed=True)
            return stream(request, question, telling)
        return await self._shown(request, question)

    async def cancel(self, request: Request) -> Response:
        """Stop a response, if it hasn't ended by itself."""
        if request.method != "POST":
            return responses.nothing(request, METHODS)
        question = await self._found(request)
        await question.questions.relay.jobs.stop(question.answer, question.client.holder)
        return await self._shown(request, question)

    async def _found(self, request: Request) -> SubmittedQuestion:
        return await self.service.by_id(request, self.service.clients.identify(request), _answer(request))

    def _writing(self) -> TextAssembler:
        return TextAssembler(list_sources=self.list_sources)

    async def _shown(self, request: Request, question: SubmittedQuestion) -> Response:
        progress = await question.questions.relay.answers.read_progress(question.answer, question.client.holder)
        request.state.provider = progress.provider
        reply = ResponseBody(question)
        match progress.end:
            case Final() as end:
                writing = self._writing()
                writing.add(end)
                await question.end(writing, writing.whole)
                return _ok(reply.ended(writing, writing.whole, stopped=end.stopped))
            case Failed() as end:
                return _ok(reply.failed(fault_of_failure(end)))
        return _ok(reply.waiting(_status(progress)))


def _ok(body: Mapping[str, Any]) -> Response:
    return responses.ok(msgspec.json.encode(body))


def _status(progress: Progress) -> str:
    return "queued" if progress.state == "queued" else "in_progress"


def _echo(found: Fields) -> dict[str, Any]:
    echoed = {name: found[name] for name in _ECHOED if found.get(name) is not None}
    conversation = found.get("conversation")
    if conversation is not None:
        echoed["conversation"] = {"id": conversation} if isinstance(conversation, str) else conversation
    return echoed


def _answer(request: Request) -> str:
    answer: str = request.path_params["response"].removeprefix(_PREFIX)
    if sse.parse_event_id(f"{answer}.0") is None:
        raise AnswerNotFoundError
    return answer


def _starting_after(request: Request) -> int:
    given = request.query_params.get("starting_after", "-1")
    if given != "-1" and not (given.isascii() and given.isdecimal() and len(given) < 10):
        told = "'starting_after' must be the sequence_number of an event."
        raise InvalidRequestError(told, "starting_after", "invalid_value")
    return int(given)
