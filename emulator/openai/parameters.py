"""The parameters of a request beside messages and tools, checked as a compatible server does."""

from dataclasses import dataclass, field

from emulator.json_text import Json
from emulator.openai import error_response, strict_schemas
from emulator.openai.error_response import BadRequestError, ErrorResponse

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
# name: the least and the most
NUMBERS = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
WHOLE_NUMBERS = {"n": (1, 128), "max_tokens": (1, 2**31), "max_completion_tokens": (1, 2**31), "top_logprobs": (0, 20)}
MOST_STOPS = 4
SIZES = 20  # logprobs: the most alternatives


@dataclass(frozen=True)
class CompletionParameters:
    """What decides how an answer is written.

    limit: the most tokens, None without one. top_logprobs: alternatives of each token. schema: the form of the answer;
    is_json: it is any object. effort: of the thoughts.
    """

    temperature: float | None = None
    limit: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0
    effort: str | None = None
    schema: Json | None = field(default=None)
    is_json: bool = False


def parse(value: Json) -> CompletionParameters:
    """Return the parameters of a body. Raises BadRequestError for the first thing that is wrong."""
    for name, (least, most) in NUMBERS.items():
        number(value, name, least, most)
    for name, bounds in WHOLE_NUMBERS.items():
        whole_number(value, name, *bounds)
    if (value.get("n") or 1) > 1:
        message = "Invalid value for 'n': this model gives one completion at a time."
        raise BadRequestError(ErrorResponse(400, message, code="unsupported_value", param="n"))
    if value.get("max_tokens") is not None and value.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise BadRequestError(ErrorResponse(400, message, param="max_tokens"))
    logprobs = flag(value, "logprobs")
    if value.get("top_logprobs") is not None and not logprobs:
        message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
        raise BadRequestError(ErrorResponse(400, message, param="top_logprobs"))
    effort = value.get("reasoning_effort")
    if effort is not None and effort not in EFFORTS:
        raise BadRequestError(error_response.wrong_value("reasoning_effort", "one of " + ", ".join(EFFORTS)))
    schema, is_json = answer_format(value)
    return CompletionParameters(
        temperature=number(value, "temperature", 0.0, 2.0),
        limit=value.get("max_completion_tokens") or value.get("max_tokens"),
        stop=stops(value),
        logprobs=logprobs,
        top_logprobs=value.get("top_logprobs") or 0,
        effort=effort,
        schema=schema,
        is_json=is_json,
    )


def flag(value: Json, name: str) -> bool:
    """Return a flag that was sent, false if it is not there. Raises BadRequestError."""
    sent = value.get(name)
    if sent is not None and not isinstance(sent, bool):
        raise BadRequestError(error_response.wrong_type(name, "a boolean"))
    return bool(sent)


def number(value: Json, name: str, least: float, most: float) -> float | None:
    """Return a number between two bounds, None if there is none. Raises BadRequestError."""
    sent = value.get(name)
    if sent is None:
        return None
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        raise BadRequestError(error_response.wrong_type(name, "a number"))
    if not least <= sent <= most:
        raise BadRequestError(error_response.wrong_value(name, f"a number from {least:g} to {most:g}"))
    return float(sent)


def whole_number(value: Json, name: str, least: int, most: int) -> int | None:
    """Return a whole number between two bounds, None if there is none. Raises BadRequestError."""
    sent = value.get(name)
    if sent is None:
        return None
    if isinstance(sent, bool) or not isinstance(sent, int):
        raise BadRequestError(error_response.wrong_type(name, "an integer"))
    if not least <= sent <= most:
        raise BadRequestError(error_response.wrong_value(name, f"an integer from {least} to {most}"))
    return sent


def stops(value: Json) -> tuple[str, ...]:
    """Return the texts at which an answer ends. Raises BadRequestError."""
    sent = value.get("stop")
    if sent is None:
        return ()
    texts = [sent] if isinstance(sent, str) else sent
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequestError(error_response.wrong_type("stop", "a string or an array of strings"))
    if len(texts) > MOST_STOPS:
        message = f"Invalid 'stop': array too long. Expected an array with maximum length {MOST_STOPS}."
        raise BadRequestError(ErrorResponse(400, message, code="array_above_max_length", param="stop"))
    return tuple(text for text in texts if text)


def answer_format(value: Json) -> tuple[Json | None, bool]:
    """Return the schema of the answer, and whether it is any JSON object. Raises BadRequestError."""
    sent = value.get("response_format")
    if sent is None:
        return None, False
    if not isinstance(sent, dict):
        raise BadRequestError(error_response.wrong_type("response_format", "an object"))
    match sent.get("type"):
        case "text":
            return None, False
        case "json_object":
            if "json" not in str(value.get("messages")).lower():
                message = "'messages' must contain the word 'json' to use a 'response_format' of type 'json_object'."
                raise BadRequestError(ErrorResponse(400, message, param="messages"))
            return None, True
        case "json_schema":
            return _schema(sent.get("json_schema")), False
    expected = "one of text, json_object, json_schema"
    raise BadRequestError(error_response.wrong_value("response_format.type", expected))


def _schema(sent: object) -> Json:
    where = "response_format.json_schema"
    if sent is None:
        raise BadRequestError(error_response.missing(where))
    if not isinstance(sent, dict):
        raise BadRequestError(error_response.wrong_type(where, "an object"))
    if not isinstance(sent.get("name"), str):
        raise BadRequestError(error_response.missing(f"{where}.name"))
    schema = sent.get("schema")
    if not isinstance(schema, dict):
        raise BadRequestError(error_response.missing(f"{where}.schema"))
    if sent.get("strict"):
        strict_schemas.check(schema, f"response_format '{sent['name']}'", "response_format")
    return schema
