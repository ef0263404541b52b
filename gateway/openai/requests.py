"""The requests of /v1. Pure: the fields of a body in, a request or InvalidRequestError out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from gateway.http.fields import join_surrogates
from gateway.openai import messages, options, tools, validation
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, read_field, read_text, rest_of
from gateway.openai.options import ChatOptionFields
from gateway.openai.parameter_names import field_that_needs
from gateway.openai.request_fields import (
    MAX_IMAGES,
    MAX_STOP_LENGTH,
    MAX_STOPS,
    CompletionFields,
    ImageFields,
    accepted_values,
)
from gateway.openai.responses.item_order import PlacedMessage, link_items
from wire.needs import Ability
from wire.prompt import Dialect, Message, Opaque, Picture, Prompt, last_turn
from wire.prompt_text import TextPrompt, to_text

_COMPLETION_VALUES = accepted_values(CompletionFields)
_IMAGE_VALUES = accepted_values(ImageFields)
# The fields of a chat completion that have a meaning here. All others go to the model's server as they are.
_COMPLETION_NAMES = frozenset(
    ("metadata", "user", *CompletionFields.__struct_fields__, *ChatOptionFields.__struct_fields__)
)
# Where other dialects than chat completions have their messages.
_LISTS: Mapping[Dialect, str] = {"responses": "input", "anthropic": "messages"}


@dataclass(frozen=True)
class CompletionRequest:
    """A question. `text` is its prompt in text alone.

    With `usage` its stream contains the tokens; it ends before any of `stops`. `functions`: its tools came in the old
    form, and so its calls go out. `previous` is the id of the response that it continues from; `stored`: a later
    question may continue from its answer; `lasting`: the answer continues when its client leaves. So many of the
    prompt's first messages are `instructions`, which hold for this answer alone. `echo` is what of the request comes
    back in the answer's object, by its names there; `background`: its client doesn't wait for the answer.
    """

    prompt: Prompt
    text: TextPrompt
    stream: bool
    usage: bool = False
    stops: tuple[str, ...] = ()
    functions: bool = False
    previous: str | None = None
    stored: bool = False
    lasting: bool = False
    instructions: int = 0
    echo: dict[str, Any] = field(default_factory=dict)
    background: bool = False

    @property
    def own(self) -> tuple[Message, ...]:
        """The messages that were sent, without instructions."""
        return self.prompt.messages[self.instructions :]

    def continue_from(self, earlier: Sequence[Message]) -> "CompletionRequest":
        """Return the question at the end of earlier messages. InvalidRequestError unless results and calls match."""
        first = self.prompt.messages[: self.instructions]
        linked = link_items([PlacedMessage("input", message) for message in (*earlier, *self.own)], continues=False)
        prompt = msgspec.structs.replace(self.prompt, messages=(*first, *linked))
        return replace(self, prompt=prompt, text=to_text(prompt.messages, instructions=self.instructions))


@dataclass(frozen=True)
class ImagePrompt:
    """A prompt for up to `limit` images. `inline`: the response shall contain the images instead of their addresses."""

    prompt: str
    limit: int
    inline: bool = False


def parse_completion(fields: Fields) -> CompletionRequest:
    """Return the request of a body of /v1/chat/completions."""
    model = read_model(fields)
    reject_unsupported(fields, _COMPLETION_VALUES)
    stream = bool(read_field(fields, "stream", bool))
    stream_options = read_field(fields, "stream_options", dict) or {}
    usage = bool(read_field(stream_options, "include_usage", bool, "stream_options"))
    conversation = messages.link_results(messages.parse_messages(fields.get("messages"), "messages"), "messages")
    check_asked(conversation, "messages")
    available, stops = tools.parse_tools(fields), _stops(fields.get("stop"))
    prompt = Prompt(
        "chat",
        model,
        conversation,
        tools=available,
        tool_choice=tools.parse_tool_choice(fields, available),
        parallel_tool_calls=read_field(fields, "parallel_tool_calls", bool) if available else None,
        format=options.parse_format(fields.get("response_format")),
        options=options.parse_options(fields) | ({"stop": list(stops)} if stops else {}),
        extra=rest_of(fields, _COMPLETION_NAMES),
        session=options.find_session(fields),
    )
    functions, stored = bool(fields.get("functions")), read_field(fields, "store", bool) is True
    return CompletionRequest(
        prompt, to_text(conversation), stream, usage, stops, functions=functions, stored=stored, lasting=stored
    )


def parse_image(fields: Fields) -> ImagePrompt:
    """Return the prompt of a body of /v1/images/generations."""
    reject_unsupported(fields, _IMAGE_VALUES)
    read_field(fields, "model", str)
    prompt, limit = read_text(fields, "prompt"), read_field(fields, "n", int)
    if not prompt.strip():
        raise InvalidRequestError("You must provide a 'prompt'.", "prompt", "invalid_value")
    if limit is not None and not 1 <= limit <= MAX_IMAGES:
        raise InvalidRequestError(f"'n' must be 1 to {MAX_IMAGES}.", "n", "invalid_value")
    return ImagePrompt(prompt, limit or MAX_IMAGES, fields.get("response_format") == "b64_json")


def reject_needs(prompt: Prompt, missing: frozenset[Ability]) -> None:
    """Raise InvalidRequestError for what the model can't do, by the field that needs it."""
    for ability in missing:
        param = field_that_needs(prompt.dialect, ability) or _find_part(prompt, Picture)
        message = f"{_described(param)} is not supported by the model '{prompt.model[:64]}'."
        raise InvalidRequestError(message, param, "unsupported_parameter")


def reject_other_parts(prompt: Prompt) -> None:
    """Raise InvalidRequestError for a part of what is asked that is neither text nor a picture."""
    if param := _find_part(prompt, Opaque):
        message = f"{_described(param)} is not supported by the model '{prompt.model[:64]}', which gets only text."
        raise InvalidRequestError(message, param, "unsupported_value")


def _described(param: str) -> str:
    return f"A part of '{param}'" if param in _LISTS.values() else f"'{param}'"


def _find_part(prompt: Prompt, kind: type[Picture] | type[Opaque]) -> str:
    """Return the name of the first such part of what is asked; '' if there is none.

    Messages of other dialects are known by the name of all of them: a prompt numbers them otherwise.
    """
    for number, message in list(enumerate(prompt.messages))[last_turn(prompt.messages) :]:
        for place, part in enumerate(message.parts):
            if isinstance(part, kind):
                return _LISTS.get(prompt.dialect, f"messages[{number}].content[{place}]")
    return ""


def read_model(fields: Fields) -> str:
    """Return the name of the model that is asked for. InvalidRequestError if there is none."""
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequestError("You must provide a 'model'.", "model", "invalid_type")
    return model


def check_asked(conversation: Sequence[Message], param: str) -> None:
    """Raise InvalidRequestError unless anything is asked: there is more than blank text, or the result of a call."""
    if not any(map(_asks, conversation[last_turn(conversation) :])):
        raise InvalidRequestError(f"'{param}' must end with a message that isn't empty.", param, "invalid_value")


def _asks(message: Message) -> bool:
    other = any(isinstance(part, Picture | Opaque) for part in message.parts)
    return other or bool(message.call_id or message.calls or message.text.strip())


def reject_unsupported(fields: Fields, accepted: Mapping[str, Sequence[object]]) -> None:
    """Raise InvalidRequestError for a field with another value than those that are accepted."""
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
