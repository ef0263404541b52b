"""POST /v1/completions: a prompt that is one text, answered as the only message of a chat."""

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from gateway.http import responses, sse
from gateway.http.body import BodyReader
from gateway.openai import requests, validation
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.completions import stream_response
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields
from gateway.openai.request_fields import (
    FilledText,
    NoTools,
    QuestionFields,
    StopFields,
    StreamOptions,
    accepted_values,
)
from gateway.openai.schema_marks import only
from gateway.openai.service import QuestionService
from gateway.openai.text_chunks import TextCompletionChunks, encode_text_completion
from gateway.settings import GatewaySettings
from wire.about import weigh_blocks
from wire.threads import run_sized

METHODS = ["POST", "HEAD", "OPTIONS"]


class TextCompletionFields(QuestionFields, kw_only=True):
    """A prompt. Fields that aren't listed go to the model's server as they are, with chat completions' names."""

    prompt: Annotated[
        FilledText | Annotated[list[FilledText], Meta(min_length=1, max_length=1)],
        Meta(description="The question, also as a list with nothing else."),
    ]
    stream_options: StreamOptions | None = None
    stop: StopFields = None
    max_tokens: Annotated[int | None, Meta(description="Without it the model's server has its own limit.")] = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    logit_bias: dict[str, Any] | None = None
    user: Annotated[str | None, Meta(description="Has no effect.")] = None
    n: Annotated[Any, only(1)] = None
    best_of: Annotated[Any, only(1)] = None
    echo: Annotated[Any, only(False)] = None
    suffix: Annotated[Any, only("")] = None
    logprobs: Annotated[Any, only()] = None
    tools: NoTools = None
    functions: NoTools = None


_VALUES = accepted_values(TextCompletionFields)


@dataclass(frozen=True)
class TextCompletionEndpoint:
    """The endpoint."""

    service: QuestionService
    bodies: BodyReader
    settings: GatewaySettings

    async def completions(self, request: Request) -> Response | sse.AnswerStream:
        """Answer a prompt, as a whole or in chunks."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client = self.service.clients.identify(request)
        async with self.bodies.parsed(request, _parse) as (fields, wanted):
            question = await self.service.ask(request, client, fields, wanted)
        answer = AnswerAssembler(question.about.stops, list_sources=self.settings.sources_in_text)
        if wanted.stream:
            return stream_response(
                request, self.service.reads.sending, question, TextCompletionChunks(question, answer)
            )
        # A body may have megabytes, and an answer takes minutes.
        del fields, wanted
        await question.collect(request, answer)
        return responses.ok(await run_sized(weigh_blocks(answer.blocks), encode_text_completion, question, answer))


def parse_text_completion(fields: Fields) -> requests.CompletionRequest:
    """Return the request of a body: that of a chat with one message. InvalidRequestError."""
    for name, values in _VALUES.items():
        validation.reject_unsupported(fields, name, values)
    dropped = ("prompt", "suffix")
    others = {name: value for name, value in fields.items() if name not in dropped}
    return requests.parse_completion(others | {"messages": [{"role": "user", "content": _prompt(fields)}]})


def _parse(body: bytes) -> tuple[Fields, requests.CompletionRequest]:
    fields = validation.parse_fields(body)
    return fields, parse_text_completion(fields)


def _prompt(fields: Fields) -> str:
    """Return the prompt. InvalidRequestError for one that is several, or in tokens."""
    prompt = fields.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, list | int) and not isinstance(prompt, bool):
        message = "'prompt' must be one string: several prompts, and prompts in tokens, are not supported here."
        raise InvalidRequestError(message, "prompt", "unsupported_value")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequestError("You must provide a 'prompt'.", "prompt", "invalid_value")
    return prompt
