"""What is asked under /v1. Pure: a request's fields in, a request or InvalidRequestError out."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.http.fields import join_surrogates
from gateway.openai import messages, models, validation
from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import Talk
from gateway.openai.validation import Fields
from wire.messages import Style

_MOST_STOPS = 4
_LONGEST_STOP = 1024
_MOST_PICTURES = 10
_PLAIN_TEXT = ({"type": "text"},)
_NO_TOOLS: Sequence[object] = ([], "none", "auto")


@dataclass(frozen=True)
class CompletionRequest:
    """A question. With `usage` its stream tells the tokens; it ends before any of `stops`.

    `previous` is the answer that it goes on from, by its id; `kept`, whether a later one may go on from this one's.
    """

    style: Style
    talk: Talk
    stream: bool
    usage: bool = False
    stops: tuple[str, ...] = ()
    previous: str | None = None
    kept: bool = False


@dataclass(frozen=True)
class Pictures:
    """Up to `most` pictures of what the prompt says."""

    prompt: str
    most: int


def completion(found: Fields) -> CompletionRequest:
    """What /v1/chat/completions is asked."""
    style = models.style_of(found.get("model"))
    for name, allowed in {
        "n": (1,),
        "tools": ([],),
        "tool_choice": _NO_TOOLS,
        "functions": ([],),
        "function_call": _NO_TOOLS,
        "response_format": _PLAIN_TEXT,
        "logprobs": (False,),
        "top_logprobs": (0,),
        "modalities": ([], ["text"]),
    }.items():
        validation.refuse(found, name, allowed)
    options = validation.of_kind(found, "stream_options", dict) or {}
    stream = bool(validation.of_kind(found, "stream", bool))
    talk = messages.talk(found.get("messages"), "messages")
    return CompletionRequest(
        style, talk, stream, bool(validation.of_kind(options, "include_usage", bool)), _stops(found.get("stop"))
    )


def response(found: Fields) -> CompletionRequest:
    """What /v1/responses is asked."""
    style = models.style_of(found.get("model"))
    for name, allowed in {
        "tools": ([],),
        "tool_choice": _NO_TOOLS,
        "background": (False,),
        "top_logprobs": (0,),
        "prompt": (),
    }.items():
        validation.refuse(found, name, allowed)
    form = validation.of_kind(found, "text", dict) or {}
    if form.get("format") not in (None, *_PLAIN_TEXT):
        raise InvalidRequestError("'text.format' must be of type 'text'.", "text.format", "unsupported_parameter")
    given = found.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    previous = validation.text(found, "previous_response_id") or None
    if previous is not None and found.get("conversation") is not None:
        told = "'previous_response_id' can't be used together with 'conversation'."
        raise InvalidRequestError(told, "previous_response_id", "invalid_value")
    talk = messages.talk(items, "input", validation.text(found, "instructions"))
    stream, store = (validation.of_kind(found, name, bool) for name in ("stream", "store"))
    return CompletionRequest(style, talk, bool(stream), previous=previous, kept=store is not False)


def pictures(found: Fields) -> Pictures:
    """What /v1/images/generations is asked."""
    for name, allowed in {"response_format": ("url",), "stream": (False,)}.items():
        validation.refuse(found, name, allowed)
    validation.of_kind(found, "model", str)
    prompt, most = validation.text(found, "prompt"), validation.of_kind(found, "n", int)
    if not prompt.strip():
        raise InvalidRequestError("You must provide a 'prompt'.", "prompt", "invalid_value")
    if most is not None and not 1 <= most <= _MOST_PICTURES:
        raise InvalidRequestError(f"'n' must be 1 to {_MOST_PICTURES}.", "n", "invalid_value")
    return Pictures(prompt, most or _MOST_PICTURES)


def _stops(given: object) -> tuple[str, ...]:
    """The stop sequences; an empty one stops nothing."""
    found = [] if given is None else [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidRequestError("'stop' must be a string or a list of strings.", "stop", "invalid_type")
    if len(found) > _MOST_STOPS or any(len(one) > _LONGEST_STOP for one in found):
        told = f"'stop' may hold up to {_MOST_STOPS} sequences of up to {_LONGEST_STOP} characters."
        raise InvalidRequestError(told, "stop", "invalid_value")
    return tuple(join_surrogates(one) for one in found if one)
