"""The requests of /v1. Pure: the fields of a body in, a request or InvalidRequestError out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.http.fields import join_surrogates
from gateway.openai import input_items, messages, models, validation
from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import ChatPrompt
from gateway.openai.request_fields import (
    MAX_IMAGES,
    MAX_STOP_LENGTH,
    MAX_STOPS,
    CompletionFields,
    ImageFields,
    ResponseFields,
    accepted_values,
)
from gateway.openai.validation import Fields
from wire.messages import Style

_PLAIN_TEXT = {"type": "text"}
_COMPLETION_VALUES = accepted_values(CompletionFields)
_RESPONSE_VALUES = accepted_values(ResponseFields)
_IMAGE_VALUES = accepted_values(ImageFields)


@dataclass(frozen=True)
class CompletionRequest:
    """A question. With `usage` its stream contains the tokens; it ends before any of `stops`.

    `previous` is the id of the answer that it continues from; `stored`: a later question may continue from its answer.
    """

    style: Style
    prompt: ChatPrompt
    stream: bool
    usage: bool = False
    stops: tuple[str, ...] = ()
    previous: str | None = None
    stored: bool = False


@dataclass(frozen=True)
class ImagePrompt:
    """A prompt for up to `limit` images. `inline`: the response shall contain the images instead of their addresses."""

    prompt: str
    limit: int
    inline: bool = False


def parse_completion(fields: Fields) -> CompletionRequest:
    """Return the request of a body of /v1/chat/completions."""
    style = models.style_for_model(fields.get("model"))
    _reject_unsupported(fields, _COMPLETION_VALUES)
    options = validation.read_field(fields, "stream_options", dict) or {}
    stream = bool(validation.read_field(fields, "stream", bool))
    prompt = messages.parse_messages(fields.get("messages"), "messages")
    return CompletionRequest(
        style, prompt, stream, bool(validation.read_field(options, "include_usage", bool)), _stops(fields.get("stop"))
    )


def parse_response(fields: Fields) -> CompletionRequest:
    """Return the request of a body of /v1/responses."""
    style = models.style_for_model(fields.get("model"))
    _reject_unsupported(fields, _RESPONSE_VALUES)
    form = validation.read_field(fields, "text", dict) or {}
    if form.get("format") not in (None, _PLAIN_TEXT):
        raise InvalidRequestError("'text.format' must be of type 'text'.", "text.format", "unsupported_parameter")
    given = fields.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else input_items.to_messages(given)
    previous = validation.read_text(fields, "previous_response_id") or None
    if previous is not None and fields.get("conversation") is not None:
        message = "'previous_response_id' can't be used together with 'conversation'."
        raise InvalidRequestError(message, "previous_response_id", "invalid_value")
    prompt = messages.parse_messages(items, "input", validation.read_text(fields, "instructions"))
    stream, store = (validation.read_field(fields, name, bool) for name in ("stream", "store"))
    return CompletionRequest(style, prompt, bool(stream), previous=previous, stored=store is not False)


def parse_image(fields: Fields) -> ImagePrompt:
    """Return the prompt of a body of /v1/images/generations."""
    _reject_unsupported(fields, _IMAGE_VALUES)
    validation.read_field(fields, "model", str)
    prompt, limit = validation.read_text(fields, "prompt"), validation.read_field(fields, "n", int)
    if not prompt.strip():
        raise InvalidRequestError("You must provide a 'prompt'.", "prompt", "invalid_value")
    if limit is not None and not 1 <= limit <= MAX_IMAGES:
        raise InvalidRequestError(f"'n' must be 1 to {MAX_IMAGES}.", "n", "invalid_value")
    return ImagePrompt(prompt, limit or MAX_IMAGES, fields.get("response_format") == "b64_json")


def _reject_unsupported(fields: Fields, accepted: Mapping[str, Sequence[object]]) -> None:
    for name, values in accepted.items():
        validation.reject_unsupported(fields, name, values)


def _stops(given: object) -> tuple[str, ...]:
    """Return the stop sequences without empty ones."""
    stops = [] if given is None else [given] if isinstance(given, str) else given
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise InvalidRequestError("'stop' must be a string or a list of strings.", "stop", "invalid_type")
    if len(stops) > MAX_STOPS or any(len(stop) > MAX_STOP_LENGTH for stop in stops):
        message = f"'stop' may hold up to {MAX_STOPS} sequences of up to {MAX_STOP_LENGTH} characters."
        raise InvalidRequestError(message, "stop", "invalid_value")
    return tuple(join_surrogates(stop) for stop in stops if stop)
