"""The requests of /v1/messages. Pure: the fields of a body in, a request or InvalidRequestError out."""

from collections.abc import Mapping

from gateway.anthropic import options, tools
from gateway.anthropic.errors import NO_THREADS
from gateway.anthropic.messages import parse_messages, parse_system
from gateway.anthropic.request_fields import MessageRequestFields
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, read_field, rest_of
from gateway.openai.options import find_session
from gateway.openai.requests import CompletionRequest
from wire.prompt import Prompt
from wire.prompt_text import to_text

# The fields that have a meaning here. All others go to a server of this API as they are, and to no other one.
_NAMES = frozenset(MessageRequestFields.__struct_fields__)
# Their messages have ids of the server's, which clients don't get here.
_NO_THREADS = "'thread' is not supported here: send the whole conversation."


def parse_request(fields: Fields, headers: Mapping[str, str]) -> CompletionRequest:
    """Return the request of a body of /v1/messages; `headers` are those that decide what it means."""
    prompt = _parse_prompt(fields, {"max_tokens": options.parse_limit(fields)}, headers)
    stream = bool(read_field(fields, "stream", bool))
    stops = tuple(prompt.options.get("stop", ()))
    return CompletionRequest(prompt, to_text(prompt.messages), stream, usage=True, stops=stops)


def parse_prompt(fields: Fields) -> Prompt:
    """Return the prompt of a body of /v1/messages/count_tokens, which has no limit."""
    return _parse_prompt(fields, {}, {})


def _parse_prompt(fields: Fields, limit: Mapping[str, int], headers: Mapping[str, str]) -> Prompt:
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequestError("You must provide a 'model'.", "model", "invalid_type")
    if fields.get("thread") is not None:
        raise InvalidRequestError(_NO_THREADS, "thread", NO_THREADS)
    available = tools.parse_tools(fields)
    choice, parallel = tools.parse_tool_choice(fields, available)
    return Prompt(
        "anthropic",
        model,
        (*parse_system(fields.get("system")), *parse_messages(fields.get("messages"))),
        tools=available,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        format=options.parse_format(fields),
        options={**limit, **options.parse_options(fields)},
        extra={**rest_of(fields, _NAMES), **options.rest_of_output(fields)},
        headers=dict(headers),
        session=find_session(fields),
    )
