"""POST /v1/embeddings: vectors of texts."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from emulator import http_faults
from emulator.accounts import EmulatorAccount
from emulator.directives import Directives
from emulator.json_text import Json
from emulator.ledger import CallEntry, finish
from emulator.openai import api_keys, error_response, models, outcomes, parameters, refusals, request_body, text_vectors
from emulator.openai.error_response import BadRequestError, ErrorResponse, json_response
from emulator.received_request import describe
from emulator.state import EmulatorState

NAMES = outcomes.names("call")
CHARACTERS = 4  # about so many make a token
MOST_INPUTS = 2048
MOST_TOKENS = 8192  # of one input
MOST_TOKENS_IN_ALL = 300_000
FORMATS = ("float", "base64")
NOT_ALLOWED = "You are not allowed to generate embeddings from this model"

EmbeddingInput = str | tuple[int, ...]


@dataclass(frozen=True)
class EmbeddingBody:
    """What a client asks for. value: as it was sent."""

    model: str
    inputs: tuple[EmbeddingInput, ...]
    dimensions: int
    encoding: str
    value: Json

    @property
    def tokens(self) -> int:
        """About how many tokens all inputs have."""
        return sum(map(count_tokens, self.inputs))


class EmbeddingHandler:
    """The endpoint that makes vectors."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with vectors, as scripted. A request whose body is wrong is not listed in the ledger."""
        account = api_keys.find_account(request, self._state)
        key_error = api_keys.check(account, self._state)
        try:
            body = parse(await request.read())
        except BadRequestError as error:
            return (key_error or error.response).render()
        directives = self._read_directives(account, body)
        entry = CallEntry(
            started=self._state.clock.now(),
            account=account.name,
            operation="embeddings",
            model=body.model,
            inputs=len(body.inputs),
            tokens=body.tokens,
            scripted=directives.outcome or "plain",
            request=describe(body.value, request.headers, ()),
        )
        self._state.ledger.add_call(entry)
        try:
            response, outcome = await self._answer(request, body, directives, key_error)
            finish(entry, outcome, self._state.clock.now())
            return response
        finally:
            finish(entry, "client gone", self._state.clock.now())

    def _read_directives(self, account: EmulatorAccount, body: EmbeddingBody) -> Directives:
        first = body.inputs[0]
        directives = self._state.read_directives(first if isinstance(first, str) else "", NAMES)
        return self._state.take_script(account.name, "call", NAMES) or directives

    async def _answer(
        self, request: web.Request, body: EmbeddingBody, directives: Directives, key_error: ErrorResponse | None
    ) -> tuple[web.Response, str]:
        """Return the response, and its outcome in the ledger."""
        if key_error is not None:
            return key_error.render(), "UnauthorizedRequest"
        if not models.is_known(body.model):
            return error_response.no_model(body.model).render(), "NotFound"
        if body.model not in models.EMBEDDINGS:
            return ErrorResponse(403, NOT_ALLOWED).render(), "Forbidden"
        refusal = refusals.CHAT.get(directives.outcome or "")
        if refusal is not None:
            return refusal.render(directives.number), refusal.outcome
        await http_faults.delay(request, directives)
        return json_response(answer(body)), "Success"


def answer(body: EmbeddingBody) -> Json:
    """Return the body of the response."""
    data = []
    for index, one in enumerate(body.inputs):
        vector = _embed(one, body.dimensions)
        value = text_vectors.encode(vector) if body.encoding == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    usage = {"prompt_tokens": body.tokens, "total_tokens": body.tokens}
    return {"object": "list", "data": data, "model": body.model, "usage": usage}


def _embed(one: EmbeddingInput, dimensions: int) -> list[float]:
    if isinstance(one, str):
        return text_vectors.embed(one, dimensions)
    return text_vectors.embed_tokens(one, dimensions)


def count_tokens(one: EmbeddingInput) -> int:
    """Return about how many tokens an input has."""
    return 1 + len(one) // CHARACTERS if isinstance(one, str) else len(one)


def parse(data: bytes) -> EmbeddingBody:
    """Return what a body asks for. Raises BadRequestError for the first thing that is wrong."""
    value = request_body.load(data)
    model = request_body.read_model(value)
    encoding = value.get("encoding_format") or "float"
    if encoding not in FORMATS:
        raise BadRequestError(error_response.wrong_value("encoding_format", "one of " + ", ".join(FORMATS)))
    dimensions = parameters.whole_number(value, "dimensions", 1, text_vectors.DIMENSIONS)
    inputs = read_inputs(value.get("input"))
    _check_sizes(inputs)
    return EmbeddingBody(model, inputs, dimensions or text_vectors.DIMENSIONS, encoding, value)


def read_inputs(sent: Any) -> tuple[EmbeddingInput, ...]:
    """Return the inputs: a text, texts, tokens, or lists of tokens. Raises BadRequestError."""
    if sent is None:
        raise BadRequestError(error_response.missing("input"))
    if isinstance(sent, str) or _are_tokens(sent):
        sent = [sent]
    if not isinstance(sent, list) or not all(isinstance(one, str) or _are_tokens(one) for one in sent):
        raise BadRequestError(error_response.wrong_type("input", "a string, an array of strings, or of tokens"))
    if not sent or len(sent) > MOST_INPUTS:
        raise BadRequestError(error_response.wrong_value("input", f"an array of 1 to {MOST_INPUTS} items"))
    if any(not one for one in sent):
        raise BadRequestError(error_response.wrong_value("input", "no empty string"))
    return tuple(one if isinstance(one, str) else tuple(one) for one in sent)


def _are_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int for one in value)


def _check_sizes(inputs: tuple[EmbeddingInput, ...]) -> None:
    sizes = [count_tokens(one) for one in inputs]
    if max(sizes) > MOST_TOKENS:
        message = (
            f"This model's maximum context length is {MOST_TOKENS} tokens, however you requested {max(sizes)} tokens. "
            "Please reduce your prompt."
        )
        raise BadRequestError(ErrorResponse(400, message))
    if sum(sizes) > MOST_TOKENS_IN_ALL:
        message = f"Requested {sum(sizes)} tokens, max {MOST_TOKENS_IN_ALL} tokens per request"
        raise BadRequestError(ErrorResponse(400, message, kind="max_tokens_per_request"))
