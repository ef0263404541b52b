"""POST /v1/completions: a prompt that is one text, answered as the only message of a chat."""

from collections.abc import Iterator, Mapping
from typing import Any

from emulator.answers import SampleAnswer
from emulator.json_text import Json
from emulator.openai import error_response, parameters, request_body
from emulator.openai.completions import CompletionHandler
from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.openai.message_history import CompletionMessage
from emulator.openai.request_body import CompletionBody
from emulator.openai.turn import CompletionTurn
from emulator.question_handler import RefusedRequestError
from emulator.steps import Step

USUAL_LIMIT = 16  # tokens, where a request names none
MOST_LOGPROBS = 5
OF_CHATS = ("messages", "tools", "functions", "response_format", "max_completion_tokens", "reasoning_effort")


class TextCompletionTurn(CompletionTurn):
    """A turn whose answer is nothing but text."""

    def begin(self, _answer: SampleAnswer) -> Iterator[Step]:
        """Yield the wait for the first text: there is no role."""
        yield from self.pause(0.09)
        yield from self.wait_for_text(0.6)

    def present(self, body: Json) -> Json:
        """Return an event, or a whole answer, as this endpoint has it."""
        choices = [_choice(one) for one in body.get("choices") or ()]
        identity = {"id": "cmpl-" + str(body.get("id", "")).removeprefix("chatcmpl-"), "object": "text_completion"}
        return body | identity | {"choices": choices}


class TextCompletionHandler(CompletionHandler):
    """The endpoint that continues a text."""

    api = "completions"
    turn_type = TextCompletionTurn

    def parse(self, data: bytes, _headers: Mapping[str, str]) -> CompletionBody:
        """Return what a body asks for. Raises RefusedRequestError."""
        try:
            return parse(data)
        except BadRequestError as error:
            raise RefusedRequestError(error.response.render()) from error


def parse(data: bytes) -> CompletionBody:
    """Return what a body asks for. Raises BadRequestError for the first thing that is wrong."""
    value = request_body.load(data)
    for name in OF_CHATS:
        if value.get(name) is not None:
            raise BadRequestError(ErrorResponse(400, f"Unrecognized request argument supplied: {name}"))
    parameters.whole_number(value, "logprobs", 0, MOST_LOGPROBS)
    for name, usual in {"echo": False, "best_of": 1, "suffix": ""}.items():
        if value.get(name) not in (None, usual):
            message = f"Invalid value for '{name}': this model doesn't support it."
            raise BadRequestError(ErrorResponse(400, message, code="unsupported_value", param=name))
    model = request_body.read_model(value)
    stream, usage = request_body.read_stream(value)
    others = {name: one for name, one in value.items() if name != "logprobs" and one is not None}
    limits = parameters.parse({"max_tokens": USUAL_LIMIT} | others)
    messages = (CompletionMessage("user", read_prompt(value.get("prompt"))),)
    return CompletionBody(model, messages, stream, usage, parameters=limits, value=value)


def read_prompt(sent: Any) -> str:
    """Return the prompt. Raises BadRequestError unless it is one text, alone or in a list."""
    if sent is None:
        raise BadRequestError(error_response.missing("prompt"))
    texts = [sent] if isinstance(sent, str) else sent
    if not isinstance(texts, list) or len(texts) != 1 or not isinstance(texts[0], str):
        raise BadRequestError(error_response.wrong_type("prompt", "a string, or an array with one"))
    text: str = texts[0]
    return text


def _choice(choice: Json) -> Json:
    content = (choice.get("delta") or choice.get("message") or {}).get("content")
    text = content if isinstance(content, str) else ""
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": choice.get("finish_reason")}
