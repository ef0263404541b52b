"""POST /v1/messages, and POST /v1/messages/count_tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.calls import Calls
from gateway.answering.models import Models
from gateway.anthropic.message_body import encode_message
from gateway.anthropic.message_events import MessageEvents
from gateway.anthropic.requests import parse_prompt, parse_request
from gateway.anthropic.token_counter import TokenCounter
from gateway.http import responses, sse
from gateway.http.body import BodyReader
from gateway.http.responses import Count
from gateway.openai import validation
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.completions import stream_response
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields
from gateway.openai.models import resolve_model
from gateway.openai.requests import CompletionRequest
from gateway.openai.service import QuestionService
from gateway.settings import GatewaySettings
from wire.about import weigh_blocks
from wire.prompt import Prompt
from wire.threads import run_sized

METHODS = ["POST", "HEAD", "OPTIONS"]
# Characters of anthropic-beta: a server that refuses all headers above its own limit refuses its account.
_LONGEST_BETA = 4096


class TokenCount(msgspec.Struct, kw_only=True):
    """The number of tokens of a question."""

    input_tokens: Count


@dataclass(frozen=True)
class MessageEndpoints:
    """The endpoints."""

    service: QuestionService
    calls: Calls
    bodies: BodyReader
    settings: GatewaySettings
    counter: TokenCounter = field(default_factory=TokenCounter)

    async def create(self, request: Request) -> Response | sse.AnswerStream:
        """Answer the question at the end of a list of messages, as a whole or in events."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client = self.service.clients.identify(request)
        headers = _read_headers(request)
        async with self.bodies.parsed(request, partial(_parse, headers=headers)) as (fields, wanted):
            question = await self.service.ask(request, client, fields, wanted)
        answer = AnswerAssembler(question.about.stops, list_sources=self.settings.sources_in_text)
        if wanted.stream:
            events = MessageEvents(question, answer, request.state.request_id)
            return stream_response(request, self.service.reads.sending, question, events)
        # A body may have megabytes, and an answer takes minutes.
        del fields, wanted
        await question.collect(request, answer)
        return responses.ok(await run_sized(weigh_blocks(answer.blocks), encode_message, question, answer))

    async def count_tokens(self, request: Request) -> Response:
        """Count the tokens of a question that isn't asked: a server of the model does, or else they are estimated."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client = self.service.clients.identify(request)
        prompt = await self.bodies.parse(request, _parse_counted)
        choice = resolve_model(prompt.model, Models(await self.service.model_reader.read()), client)
        id_ = request.state.request_id
        counted = await self.calls.count_tokens(prompt, choice, client, request.receive, request=id_)
        if counted is None:
            counted = await self.counter.count(prompt)
        return responses.ok(msgspec.json.encode(TokenCount(input_tokens=counted)))


def _read_headers(request: Request) -> dict[str, str]:
    """Return the headers that decide what a body means. InvalidRequestError for more than servers take."""
    beta = ",".join(request.headers.getlist("anthropic-beta"))
    if len(beta) > _LONGEST_BETA:
        message = f"'anthropic-beta' may have up to {_LONGEST_BETA} characters."
        raise InvalidRequestError(message, "anthropic-beta", "invalid_value")
    return {"anthropic-beta": beta} if beta else {}


def _parse(body: bytes, *, headers: Mapping[str, str]) -> tuple[Fields, CompletionRequest]:
    fields = validation.parse_fields(body)
    return fields, parse_request(fields, headers)


def _parse_counted(body: bytes) -> Prompt:
    return parse_prompt(validation.parse_fields(body))
