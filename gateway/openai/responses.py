"""/v1/responses: POST asks; GET and POST …/cancel are for a response by its id."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import responses, sse
from gateway.http.body import BodyReader
from gateway.openai import validation
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.completions import stream_response
from gateway.openai.errors import InvalidRequestError, fault_of_failure
from gateway.openai.events import ResponseEvents
from gateway.openai.item_references import read_answers
from gateway.openai.json_fields import Fields
from gateway.openai.response_body import ResponseBody, ResponseObject, Status
from gateway.openai.response_requests import parse_response
from gateway.openai.service import QuestionService, SubmittedQuestion
from gateway.settings import GatewaySettings
from wire.answers import Progress
from wire.blocks import Block
from wire.errors import AnswerNotFoundError
from wire.jobs import Client
from wire.messages import Failed, Final
from wire.threads import run_sized

METHODS = ["POST", "HEAD", "OPTIONS"]
ONE_METHODS = ["GET", "HEAD", "OPTIONS"]
_PREFIX = "resp_"


@dataclass(frozen=True)
class ResponseEndpoints:
    """The endpoints."""

    service: QuestionService
    bodies: BodyReader
    settings: GatewaySettings

    async def create(self, request: Request) -> Response | sse.AnswerStream:
        """Answer a question, as a whole or in events."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client = self.service.clients.identify(request)
        size, fields = await self.bodies.parse(request, _parse)
        answers = await read_answers(fields.get("input"), partial(self._read_blocks, client))
        named = "x-conversation-id" in request.headers
        wanted = await run_sized(size, partial(parse_response, fields, answers, named=named))
        question = await self.service.ask(request, client, fields, wanted)
        answer, body = self._assembler(), ResponseBody(question)
        if wanted.stream:
            return stream_response(request, question, ResponseEvents(question, answer, body))
        await question.collect(request, answer)
        return _ok(body.build_whole(answer, answer.blocks))

    async def read(self, request: Request) -> Response | sse.AnswerStream:
        """Return a response as it is now; with `stream=true` its events after the number `starting_after`."""
        if request.method == "OPTIONS":
            return responses.options(ONE_METHODS)
        question = await self._load(request)
        if request.method == "GET" and request.query_params.get("stream") == "true":
            after = _starting_after(request)
            events = ResponseEvents(question, self._assembler(), ResponseBody(question), after=after, resumed=True)
            return stream_response(request, question, events)
        return await self._read(request, question)

    async def cancel(self, request: Request) -> Response:
        """Stop a response that hasn't ended."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        question = await self._load(request)
        await question.questions.relay.jobs.stop(question.answer, question.client.holder)
        return await self._read(request, question)

    async def _load(self, request: Request) -> SubmittedQuestion:
        client = self.service.clients.identify(request)
        return await self.service.load_by_id(request, client, _answer(request))

    async def _read_blocks(self, client: Client, answer: str) -> Sequence[Block] | None:
        """Return the blocks of the client's answer as they were sent; None if it isn't known."""
        try:
            progress = await self.service.questions.relay.answers.read_progress(answer, client.holder)
        except AnswerNotFoundError:
            return None
        if not isinstance(progress.end, Final):
            return progress.blocks
        assembler = self._assembler()
        assembler.add(progress.end)
        return assembler.blocks

    def _assembler(self) -> AnswerAssembler:
        return AnswerAssembler(list_sources=self.settings.sources_in_text)

    async def _read(self, request: Request, question: SubmittedQuestion) -> Response:
        progress = await question.questions.relay.answers.read_progress(question.answer, question.client.holder)
        request.state.provider = progress.provider
        body = ResponseBody(question)
        match progress.end:
            case Final() as end:
                answer = self._assembler()
                answer.add(_complete(end, progress))
                await question.finish(answer, answer.blocks)
                return _ok(body.build_whole(answer, answer.blocks, stopped=end.stopped))
            case Failed() as end:
                return _ok(body.build_failed(fault_of_failure(end)))
        return _ok(body.build_empty(_status(progress)))


def _parse(body: bytes) -> tuple[int, Fields]:
    return len(body), validation.parse_fields(body)


def _ok(body: ResponseObject) -> Response:
    return responses.ok(msgspec.json.encode(body))


def _complete(end: Final, progress: Progress) -> Final:
    """Return an end with what the events before it brought: one of an answer that was stopped has only the text."""
    if not end.stopped:
        return end
    return msgspec.structs.replace(end, blocks=end.blocks or progress.blocks, model=end.model or progress.model)


def _status(progress: Progress) -> Status:
    return "queued" if progress.state == "queued" else "in_progress"


def _answer(request: Request) -> str:
    answer: str = request.path_params["response"].removeprefix(_PREFIX)
    if sse.parse_event_id(f"{answer}.0") is None:
        raise AnswerNotFoundError
    return answer


def _starting_after(request: Request) -> int:
    given = request.query_params.get("starting_after", "-1")
    if given != "-1" and not (given.isascii() and given.isdecimal() and len(given) < 10):
        message = "'starting_after' must be the sequence_number of an event."
        raise InvalidRequestError(message, "starting_after", "invalid_value")
    return int(given)
