"""POST /v1/embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.calls import Calls
from gateway.answering.idempotency import RequestKey
from gateway.answering.models import Models
from gateway.auth.clients import Clients
from gateway.auth.name_owner import find_owner
from gateway.http import responses
from gateway.http.body import BodyReader
from gateway.http.fields import idempotency_key, preferred_wait
from gateway.http.response_room import ResponseRoom
from gateway.openai import validation
from gateway.openai.errors import AnswerFailedError, InvalidRequestError
from gateway.openai.json_fields import Fields, read_field, rest_of
from gateway.openai.models import ModelName, resolve_model
from wire.jobs import Client
from wire.messages import Call, Failed
from wire.model_table import ModelTable
from wire.shared_read import SharedRead

METHODS = ["POST", "HEAD", "OPTIONS"]
# Bytes of a request's body, inputs of a request, and the largest number of a token.
MAX_BODY = 4 * 1024 * 1024
MAX_INPUTS = 2048
_MAX_TOKEN = 2**31 - 1
_OURS = ("metadata", "user")
_FORMATS = ("float", "base64")
_WRONG_INPUT = "'input' must be a string, a list of strings, a list of tokens, or a list of such lists."

_Token = Annotated[int, Meta(ge=0, le=_MAX_TOKEN)]
_Tokens = Annotated[list[_Token], Meta(min_length=1)]


class EmbeddingFields(msgspec.Struct, kw_only=True):
    """What to embed. Fields that aren't listed go to the model's server as they are."""

    model: ModelName
    input: Annotated[
        Any,
        Meta(
            description="One text, up to 2048 of them, one text in tokens, or up to 2048 of them.",
            extra_json_schema={
                "anyOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_INPUTS},
                    {"type": "array", "items": {"type": "integer"}, "minItems": 1},
                    {
                        "type": "array",
                        "items": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
                        "minItems": 1,
                        "maxItems": MAX_INPUTS,
                    },
                ]
            },
        ),
    ]
    encoding_format: Annotated[
        Literal["float", "base64"] | None, Meta(description="The form of the embeddings, whatever the server's is.")
    ] = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    user: Annotated[str | None, Meta(description="Has no effect.")] = None


class Embedding(msgspec.Struct, kw_only=True):
    """The embedding of one input: numbers, or with `base64` 32-bit floats, the lowest byte first."""

    object: Literal["embedding"] = "embedding"
    index: responses.Count
    embedding: list[float] | str


class EmbeddingUsage(msgspec.Struct, kw_only=True):
    """Tokens, as the server counted them."""

    prompt_tokens: responses.Count
    total_tokens: responses.Count


class EmbeddingList(msgspec.Struct, kw_only=True):
    """The server's own response."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: Annotated[str, Meta(description="As the server names it.")]
    usage: EmbeddingUsage


@dataclass(frozen=True)
class EmbeddingEndpoint:
    """The endpoint."""

    calls: Calls
    clients: Clients
    bodies: BodyReader
    model_reader: SharedRead[ModelTable]
    sending: ResponseRoom

    async def embeddings(self, request: Request) -> Response:
        """Return the embeddings of texts, as a server sends them."""
        if request.method != "POST":
            return responses.empty(request, METHODS)
        client = self.clients.identify(request)
        name, body = await self.bodies.parse(request, _parse)
        work = await self._work(request, client, name, body)
        key = idempotency_key(request)
        submission = await self.calls.questions.submit(
            work,
            client,
            token=None,
            key=None if key is None else RequestKey(key, request.url.path, find_owner(request, client)),
            attempt=self.clients.read_attempt(request),
        )
        request.state.answer = submission.answer_id
        async with self.sending.hold(client) as held:
            end = await self.calls.read_end(
                submission, client, request.receive, repeatable=key is not None, make_room=held.take
            )
            request.state.provider = end.event.provider
            if isinstance(end.event, Failed):
                raise AnswerFailedError(end.event)
            return held.respond(end.result)

    async def _work(self, request: Request, client: Client, name: object, body: bytes) -> Call:
        """Return the work of a request. InvalidRequestError, OutdatedWorkerError, ModelAwayError."""
        choice = resolve_model(name, Models(await self.model_reader.read()), client)
        if not choice.takes_calls("embeddings"):
            # What a worker of the version before has, nobody can be called for either.
            await self.calls.questions.relay.jobs.check_calls()
            message = f"Embeddings are not supported by the model '{choice.name[:64]}'."
            raise InvalidRequestError(message, "model", "unsupported_value")
        wait = preferred_wait(request)
        return Call("embeddings", choice.name, msgspec.Raw(body), request=request.state.request_id, wait=wait)


def _parse(body: bytes) -> tuple[object, bytes]:
    """Return the model's name, and what goes to the server, in the same form for the same request."""
    fields = validation.parse_fields(body)
    return fields.get("model"), msgspec.json.encode(parse_embedding(fields), order="sorted")


def parse_embedding(fields: Fields) -> dict[str, Any]:
    """Return the fields of a request that go to the server. InvalidRequestError."""
    _check_input(fields.get("input"))
    form, dimensions = read_field(fields, "encoding_format", str), read_field(fields, "dimensions", int)
    if form is not None and form not in _FORMATS:
        raise InvalidRequestError("'encoding_format' must be 'float' or 'base64'.", "encoding_format", "invalid_value")
    if dimensions is not None and dimensions < 1:
        raise InvalidRequestError("'dimensions' must be at least 1.", "dimensions", "invalid_value")
    return rest_of(fields, _OURS)


def _check_input(given: object) -> None:
    if isinstance(given, str):
        return
    if not isinstance(given, list) or not (_are_texts(given) or _are_tokens(given) or all(map(_are_tokens, given))):
        raise InvalidRequestError(_WRONG_INPUT, "input", "invalid_type")
    if not given:
        raise InvalidRequestError("'input' must not be empty.", "input", "invalid_value")
    if len(given) > MAX_INPUTS and not _are_tokens(given):
        raise InvalidRequestError(f"'input' may hold up to {MAX_INPUTS} inputs.", "input", "invalid_value")


def _are_texts(given: Sequence[object]) -> bool:
    return all(isinstance(item, str) for item in given)


def _are_tokens(given: object) -> bool:
    """Return whether it is a list of tokens, and not empty."""
    if not isinstance(given, list) or not given:
        return False
    return all(isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= _MAX_TOKEN for item in given)
