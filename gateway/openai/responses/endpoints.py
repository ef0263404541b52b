"""/v1/responses: POST asks; all else is for a stored response, by its id."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import responses, sse
from gateway.http.body import BodyReader
from gateway.http.large_read import admit_together
from gateway.openai import validation
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.completions import stream_response
from gateway.openai.errors import InvalidRequestError, fault_of_failure
from gateway.openai.json_fields import Fields
from gateway.openai.requests import CompletionRequest
from gateway.openai.responses.body import ResponseBody, ResponseObject, Status
from gateway.openai.responses.chain import PREFIX, complete_end, parse_answer
from gateway.openai.responses.events import ResponseEvents
from gateway.openai.responses.input_item_list import list_items, parse_query
from gateway.openai.responses.item_references import MAX_CHARACTERS, KeptAnswers, read_answers, refers
from gateway.openai.responses.requests import parse_response
from gateway.openai.service import QuestionService, SubmittedQuestion
from gateway.settings import GatewaySettings
from wire.about import weigh_blocks
from wire.answers import Progress
from wire.blocks import Block
from wire.errors import AnswerNotFoundError
from wire.jobs import Client
from wire.messages import Failed, Final
from wire.redis.long_strings import Admit
from wire.threads import LARGE, run_sized

METHODS = ["POST", "HEAD", "OPTIONS"]
ONE_METHODS = ["GET", "HEAD", "DELETE", "OPTIONS"]
LIST_METHODS = ["GET", "HEAD", "OPTIONS"]


class DeletedResponse(msgspec.Struct, kw_only=True):
    """A response that was deleted."""

    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


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
        async with self.bodies.parsed(request, _parse) as (size, fields):
            wanted, question = await self._ask(request, client, size, fields)
        answer, body = self._assembler(), ResponseBody(question)
        if wanted.background and not wanted.stream:
            async with self.service.reads.reading(request, client):
                return await self._read(request, question)
        if wanted.stream:
            events = ResponseEvents(question, answer, body)
            return stream_response(request, self.service.reads.sending, question, events)
        # A body may have megabytes, and an answer takes minutes.
        del fields, wanted
        await question.collect(request, answer)
        return await _whole(body, answer)

    async def _ask(
        self, request: Request, client: Client, size: int, fields: Fields
    ) -> tuple[CompletionRequest, SubmittedQuestion]:
        """Submit the question of a body of `size` bytes, and return what it asks for too."""
        reads = fields.get("previous_response_id") or refers(fields.get("input"))
        async with self.service.reads.reading(request, client) if reads else nullcontext():
            answers: KeptAnswers = {}
            if reads:
                admit = admit_together(request.state.admit, MAX_CHARACTERS)
                answers = await read_answers(fields.get("input"), partial(self._read_blocks, client, admit))
            named = "x-conversation-id" in request.headers
            # A few bytes may refer to much.
            size = LARGE + 1 if answers else size
            wanted = await run_sized(size, partial(parse_response, fields, answers, named=named))
            return wanted, await self.service.ask(request, client, fields, wanted)

    async def one(self, request: Request) -> Response | sse.AnswerStream:
        """Return a response as it is now, with `stream=true` its events; or delete it."""
        if request.method == "OPTIONS":
            return responses.options(ONE_METHODS)
        if request.method == "DELETE":
            return await self._delete(request)
        client, answer = self._find(request)
        try:
            question = await self._load(request, client, answer)
            return self._stream(request, question) or await self._read(request, question)
        except AnswerNotFoundError:
            question = await self.service.recall(request, client, answer)
        return self._stream(request, question) or await self._read(request, question)

    async def cancel(self, request: Request) -> Response:
        """Stop a response that hasn't ended."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client, answer = self._find(request)
        try:
            question = await self._load(request, client, answer)
        except AnswerNotFoundError:
            return await self._read(request, await self.service.recall(request, client, answer))
        await question.questions.relay.jobs.stop(answer, client.holder)
        await self.service.stored.keep_stopped(_name(question), answer, client.holder, request.state.admit)
        return await self._read(request, question)

    async def input_items(self, request: Request) -> Response:
        """Return a page of a response's own input."""
        if request.method == "OPTIONS":
            return responses.options(LIST_METHODS)
        client, answer = self._find(request)
        query = parse_query(request.query_params)
        recalled = await self.service.stored.read(answer, client.holder, request.state.admit)
        size, messages = recalled.start.size, recalled.start.messages
        return responses.ok(await run_sized(size, lambda: msgspec.json.encode(list_items(answer, messages, query))))

    async def _delete(self, request: Request) -> Response:
        """Delete a response; one that runs is stopped."""
        client, answer = self._find(request)
        try:
            question = await self._load(request, client, answer)
            await question.questions.relay.jobs.stop(answer, client.holder)
            name = _name(question)
        except AnswerNotFoundError:
            recalled = await self.service.stored.read(answer, client.holder, request.state.admit)
            name = client.name or recalled.start.token
        await self.service.stored.memory.delete(name, answer)
        return responses.ok(msgspec.json.encode(DeletedResponse(id=f"{PREFIX}{answer}")))

    def _find(self, request: Request) -> tuple[Client, str]:
        """Return who asks, and for which answer. AnswerNotFoundError if there can be no such one."""
        client = self.service.clients.identify(request)
        answer = parse_answer(request.path_params["response"])
        if answer is None:
            raise AnswerNotFoundError
        return client, answer

    async def _load(self, request: Request, client: Client, answer: str) -> SubmittedQuestion:
        """Return a response whose events are kept. AnswerNotFoundError if it isn't stored, or was deleted."""
        question = await self.service.load_by_id(request, client, answer)
        unstored = question.about.dialect == "responses" and not question.about.stored
        if unstored or await self.service.stored.memory.is_deleted(answer):
            raise AnswerNotFoundError
        return question

    def _stream(self, request: Request, question: SubmittedQuestion) -> sse.AnswerStream | None:
        """Return the response's events, behind the number `starting_after`, if they are asked for."""
        if request.method != "GET" or request.query_params.get("stream") != "true":
            return None
        after = _starting_after(request)
        if question.end is not None and (after >= 0 or "last-event-id" in request.headers):
            message = "The events of this response are no longer kept one by one: they can only be read from the first."
            raise InvalidRequestError(message, "starting_after", "events_not_kept")
        events = ResponseEvents(question, self._assembler(), ResponseBody(question), after=after, resumed=True)
        return stream_response(request, self.service.reads.sending, question, events)

    async def _read_blocks(self, client: Client, admit: Admit, answer: str) -> Sequence[Block] | None:
        """Return the blocks of the client's answer as they were sent; None if it isn't known."""
        found = await self.service.stored.read_answer(answer, client.holder, admit)
        if not isinstance(found, Final):
            return found
        assembler = self._assembler()
        assembler.add(found)
        return assembler.blocks

    def _assembler(self) -> AnswerAssembler:
        return AnswerAssembler(list_sources=self.settings.sources_in_text)

    async def _read(self, request: Request, question: SubmittedQuestion) -> Response:
        """Return a response as it is now."""
        if question.end is not None:
            return await self._show_end(question, question.end)
        relay, admit = question.questions.relay, request.state.admit
        progress = await relay.answers.read_progress(question.answer, question.client.holder, admit)
        if _status(progress) == "queued" and question.accepted + relay.longest_wait < time.time():
            # While there is no worker, nothing else ends what nobody follows.
            await relay.jobs.expire(question.answer)
            progress = await relay.answers.read_progress(question.answer, question.client.holder, admit)
        request.state.provider = progress.provider
        if progress.end is None:
            return _ok(ResponseBody(question).build_empty(_status(progress)))
        return await self._show_end(question, complete_end(progress, progress.end))

    async def _show_end(self, question: SubmittedQuestion, end: Final | Failed) -> Response:
        """Return a response that has ended."""
        body = ResponseBody(question)
        if isinstance(end, Failed):
            return _ok(body.build_failed(fault_of_failure(end)))
        answer = self._assembler()
        answer.add(end)
        await question.finish(answer, answer.blocks)
        return await _whole(body, answer, stopped=end.stopped)


def _parse(body: bytes) -> tuple[int, Fields]:
    return len(body), validation.parse_fields(body)


def _ok(body: ResponseObject) -> Response:
    return responses.ok(msgspec.json.encode(body))


async def _whole(body: ResponseBody, answer: AnswerAssembler, *, stopped: bool = False) -> Response:
    """Return a response that has ended well."""
    blocks = answer.blocks

    def encode() -> bytes:
        return msgspec.json.encode(body.build_whole(answer, blocks, stopped=stopped))

    return responses.ok(await run_sized(weigh_blocks(blocks), encode))


def _status(progress: Progress) -> Status:
    return "queued" if progress.state == "queued" else "in_progress"


def _name(question: SubmittedQuestion) -> str:
    """Return whose bytes a response's are."""
    return question.client.name or question.submission.token


def _starting_after(request: Request) -> int:
    given = request.query_params.get("starting_after", "-1")
    if given != "-1" and not (given.isascii() and given.isdecimal() and len(given) < 10):
        message = "'starting_after' must be the sequence_number of an event."
        raise InvalidRequestError(message, "starting_after", "invalid_value")
    return int(given)
