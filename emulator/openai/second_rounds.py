"""What certain servers refuse: parameters and fields that others take, and rounds after a call without what they gave.

Each check raises BadRequestError. The messages say the same as those of the real servers, in other words where they are
long.
"""

import re
from collections.abc import Callable, Collection, Iterator

from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.openai.message_history import CompletionMessage
from emulator.openai.request_body import CompletionBody
from emulator.openai.signatures import sign, sign_call

RequestCheck = Callable[[CompletionBody], None]

PARAMETERS = {
    "model", "messages", "stream", "stream_options", "temperature", "top_p", "n", "stop", "max_tokens",
    "max_completion_tokens", "tools", "tool_choice", "parallel_tool_calls", "response_format", "frequency_penalty",
    "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "seed", "user", "functions", "function_call",
    "reasoning_effort", "metadata", "store", "modalities", "audio", "prediction", "service_tier", "verbosity",
    "web_search_options", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
    "moderation",
}  # fmt: skip
FIELDS = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "refusal", "audio", "tool_calls", "function_call"},
    "tool": {"role", "content", "tool_call_id"},
    "function": {"role", "content", "name"},
}
# A client may send what an answer contained, annotations included.
ANSWERED = {"annotations"}
MISTRAL_PARAMETERS = {
    "model", "messages", "stream", "stream_options", "temperature", "top_p", "n", "stop", "max_tokens", "tools",
    "tool_choice", "parallel_tool_calls", "response_format", "frequency_penalty", "presence_penalty", "random_seed",
    "metadata", "prediction", "prompt_mode", "safe_prompt", "reasoning_effort", "guardrails", "prompt_cache_key",
}  # fmt: skip
MISTRAL_FIELDS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "prefix"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
MISTRAL_ID = re.compile("[a-zA-Z0-9]{9}")
# Gemini takes this in the place of a signature, for calls that it didn't make.
SKIP_SIGNATURE = "skip_thought_signature_validator"


def accept(_body: CompletionBody) -> None:
    """Refuse nothing."""


def no_tools(body: CompletionBody) -> None:
    """Refuse tools, as a server does that was made before there were any."""
    for name in ("tools", "tool_choice", "functions", "function_call"):
        if body.value.get(name) is not None:
            raise BadRequestError(ErrorResponse(400, f"Unrecognized request argument supplied: {name}"))


def openai(body: CompletionBody) -> None:
    """Refuse unknown parameters, and unknown fields of messages."""
    for name in sorted(body.value.keys() - PARAMETERS):
        raise BadRequestError(ErrorResponse(400, f"Unrecognized request argument supplied: {name}"))
    for place, name in _unknown_fields(body.messages, FIELDS, ANSWERED):
        param = f"messages[{place}].{name}"
        message = f"Unknown parameter: '{param}'."
        raise BadRequestError(ErrorResponse(400, message, code="unknown_parameter", param=param))


def openai_reasoning(body: CompletionBody) -> None:
    """Refuse what models that think don't take."""
    openai(body)
    if body.value.get("max_tokens") is not None:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise BadRequestError(ErrorResponse(400, message, code="unsupported_parameter", param="max_tokens"))
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"):
        default = 1 if name in ("temperature", "top_p") else 0
        if body.value.get(name) not in (None, default, False):
            message = f"Unsupported value: '{name}' does not support {body.value[name]} with this model."
            raise BadRequestError(ErrorResponse(400, message, code="unsupported_value", param=name))


def gemini(body: CompletionBody) -> None:
    """Refuse a round whose first call lacks its signature."""
    for place, message in _calling(body.messages):
        call = message.calls[0]
        content = call.value.get("extra_content")
        google = content.get("google") if isinstance(content, dict) else None
        signature = google.get("thought_signature") if isinstance(google, dict) else None
        if not signature:
            text = (
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                f"work correctly. Function call `{call.name}`, position {place}."
            )
            raise BadRequestError(_gemini_error(text))
        if signature not in (SKIP_SIGNATURE, sign_call(body.model, call.name, call.arguments)):
            raise BadRequestError(_gemini_error("Corrupted thought signature."))


def _gemini_error(message: str) -> ErrorResponse:
    body = [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}]
    return ErrorResponse(400, message, whole_body=body)


def deepseek(body: CompletionBody) -> None:
    """Refuse a round whose calls come without the thoughts before them."""
    for place, message in _calling(body.messages):
        if not isinstance(message.value.get("reasoning_content"), str):
            text = f"Missing `reasoning_content` field in the assistant message at message index {place}."
            raise BadRequestError(ErrorResponse(400, text, code="invalid_request_error"))


def openrouter(body: CompletionBody) -> None:
    """Refuse a round whose calls come without the details of the thoughts before them, or with changed ones."""
    for place, message in _calling(body.messages):
        details = message.value.get("reasoning_details")
        if not isinstance(details, list) or not details:
            text = f"messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`."
            raise BadRequestError(_openrouter_error(text))
        for text, signature in _thoughts(details):
            if signature != sign(body.model, "thought", text):
                message_ = f"messages.{place}.content.0: Invalid `signature` in `thinking` block"
                raise BadRequestError(_openrouter_error(message_))


def _thoughts(details: list[object]) -> Iterator[tuple[str, str]]:
    """Yield text and signature of each thought, whose parts may be as they were streamed or joined."""
    thoughts: dict[object, tuple[str, str]] = {}
    for detail in details:
        if isinstance(detail, dict) and str(detail.get("type")).startswith("reasoning."):
            text, signature = thoughts.get(detail.get("index"), ("", ""))
            text += detail.get("text") or detail.get("summary") or ""
            thoughts[detail.get("index")] = (text, detail.get("signature") or detail.get("data") or signature)
    yield from thoughts.values() or [("", "")]


def _openrouter_error(message: str) -> ErrorResponse:
    raw = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    error = {
        "message": "Provider returned error",
        "code": 400,
        "metadata": {"raw": str(raw).replace("'", '"'), "provider_name": "Anthropic"},
    }
    return ErrorResponse(400, message, whole_body={"error": error})


def mistral(body: CompletionBody) -> None:
    """Refuse unknown parameters, unknown fields of messages, and ids of calls that it couldn't have made."""
    unknown = [(("body", name), body.value[name]) for name in body.value if name not in MISTRAL_PARAMETERS]
    for place, name in _unknown_fields(body.messages, MISTRAL_FIELDS, ()):
        message = body.messages[place]
        unknown.append((("body", "messages", place, message.role, name), message.value[name]))  # type: ignore[arg-type]
    if unknown:
        detail = [
            {"type": "extra_forbidden", "loc": list(where), "msg": "Extra inputs are not permitted", "input": value}
            for where, value in unknown
        ]
        raise BadRequestError(_mistral_error(422, "invalid_request_error", {"detail": detail}))
    for message in body.messages:
        for call in message.calls:
            if MISTRAL_ID.fullmatch(call.id) is None:
                text = f"Tool call id was {call.id} but must be a-z, A-Z, 0-9, with a length of 9."
                raise BadRequestError(_mistral_error(400, "invalid_function_call", text))


def _mistral_error(status: int, kind: str, message: object) -> ErrorResponse:
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": None}
    return ErrorResponse(status, str(message), whole_body=body)


def groq(body: CompletionBody) -> None:
    """Refuse thoughts in a field of another server's."""
    for place, message in enumerate(body.messages):
        if "reasoning_content" in message.value:
            text = (
                f"'messages.{place}' : for 'role:{message.role}' the following must be satisfied"
                f"[('messages.{place}' : property 'reasoning_content' is unsupported)]"
            )
            raise BadRequestError(ErrorResponse(400, text))


def _calling(messages: tuple[CompletionMessage, ...]) -> Iterator[tuple[int, CompletionMessage]]:
    """Yield the messages with calls since the user's last one, with their places."""
    last = max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)
    for place, message in enumerate(messages):
        if place > last and message.calls:
            yield place, message


def _unknown_fields(
    messages: tuple[CompletionMessage, ...], known: dict[str, set[str]], more: Collection[str]
) -> Iterator[tuple[int, str]]:
    for place, message in enumerate(messages):
        for name in message.value:
            if name not in known.get(message.role, ()) and name not in more:
                yield place, name
