"""The messages of a request. Pure: JSON in, messages or InvalidRequestError out.

A message of the API may become several here: each result of a call is one of its own, and so is what follows a call.
"""

from collections.abc import Iterator, Sequence

from gateway.anthropic.content import parse_call, parse_part, parse_parts, parse_text, read_blocks
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, read_field, read_filled, read_object, rest_of
from gateway.openai.messages import MAX_CALLS, MAX_PICTURES, check_messages
from wire.prompt import Message, Opaque, Part, Picture, PromptRole, Text, ToolCall, last_turn, pictures

_ROLES: tuple[PromptRole, ...] = ("user", "assistant", "system")
_RESULT = ("type", "tool_use_id", "content", "is_error")
# Blocks that only one side may send.
_OF_ASSISTANTS, _OF_USERS = ("thinking", "redacted_thinking", "tool_use"), ("tool_result",)


def parse_system(given: object) -> tuple[Message, ...]:
    """Return the message of the field `system`, if there is one."""
    if given is None or given in ("", []):
        return ()
    return (Message("system", parse_text(given, "system"), string=isinstance(given, str)),)


def parse_messages(given: object) -> tuple[Message, ...]:
    """Return the messages of the field `messages`, each result behind its call."""
    if not isinstance(given, list) or not given:
        text = "'messages' must be a list of messages that isn't empty."
        raise InvalidRequestError(text, "messages", "invalid_type")
    check_messages(given, "messages")
    parsed: list[Message] = []
    results = _CallResults()
    for number, one in enumerate(given):
        where = f"messages[{number}]"
        for message in _parse_message(one, where):
            results.add(message, where)
            parsed.append(message)
    results.check("messages")
    if sum(1 for _ in pictures(parsed)) > MAX_PICTURES:
        raise InvalidRequestError(f"'messages' may hold up to {MAX_PICTURES} pictures.", "messages", "invalid_value")
    if not any(map(_asks, parsed[last_turn(parsed) :])):
        raise InvalidRequestError("'messages' must end with one that isn't empty.", "messages", "invalid_value")
    return tuple(parsed)


def _asks(message: Message) -> bool:
    other = any(isinstance(part, Picture | Opaque) for part in message.parts)
    return other or bool(message.call_id or message.text.strip())


def _parse_message(given: object, param: str) -> Iterator[Message]:
    fields = read_object(given, param)
    content, where, extra = fields.get("content"), f"{param}.content", rest_of(fields, ("role", "content"), param)
    role = next((role for role in _ROLES if fields.get("role") == role), None)
    if isinstance(content, str) and role is not None:
        yield Message(role, (Text(content),), string=True, extra=extra)
        return
    match role:
        case "user":
            yield from _split_results(read_blocks(content, where), extra)
        case "assistant":
            yield from _split_calls(read_blocks(content, where), extra, where)
        case "system":
            yield Message("system", parse_text(content, where), extra=extra)
        case _:
            message = f"'{param}.role' must be one of {', '.join(_ROLES)}."
            raise InvalidRequestError(message, f"{param}.role", "invalid_value")


def _split_results(blocks: Sequence[tuple[Fields, str, str]], extra: Fields) -> Iterator[Message]:
    """Yield the messages of a user's blocks, in their order."""
    parts: list[Part] = []
    for fields, kind, where in blocks:
        _check_author(kind, _OF_ASSISTANTS, where)
        if kind != "tool_result":
            parts += parse_part(fields, kind, where)
            continue
        if parts:
            yield Message("user", tuple(parts), extra=dict(extra))
            parts = []
        yield _parse_result(fields, where)
    if parts or not blocks:
        yield Message("user", tuple(parts), extra=dict(extra))


def _parse_result(fields: Fields, param: str) -> Message:
    content = fields.get("content")
    return Message(
        "tool",
        parse_parts(content, f"{param}.content"),
        string=isinstance(content, str),
        call_id=read_filled(fields, "tool_use_id", param),
        is_error=bool(read_field(fields, "is_error", bool, param)),
        extra=rest_of(fields, _RESULT, param),
    )


def _split_calls(blocks: Sequence[tuple[Fields, str, str]], extra: Fields, param: str) -> Iterator[Message]:
    """Yield the messages of an answer's blocks: each has its calls at its end."""
    if sum(kind == "tool_use" for _, kind, _ in blocks) > MAX_CALLS:
        raise InvalidRequestError(f"'{param}' may hold up to {MAX_CALLS} calls.", param, "invalid_value")
    parts: list[Part] = []
    calls: list[ToolCall] = []
    for fields, kind, where in blocks:
        _check_author(kind, _OF_USERS, where)
        if kind == "tool_use":
            calls.append(parse_call(fields, where))
            continue
        if calls:
            yield Message("assistant", tuple(parts), calls=tuple(calls), extra=dict(extra))
            parts, calls = [], []
        parts += parse_part(fields, kind, where)
    yield Message("assistant", tuple(parts), calls=tuple(calls), extra=dict(extra))


def _check_author(kind: str, others: Sequence[str], param: str) -> None:
    if kind in others:
        message = f"'{param}': a block of type '{kind}' can't be in a message of this role."
        raise InvalidRequestError(message, f"{param}.type", "invalid_value")


class _CallResults:
    """The calls of the last answer, and which of them have no result yet."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._waiting: list[str] = []
        self._answering = False

    def add(self, message: Message, param: str) -> None:
        """Add a message. InvalidRequestError for a result without a call, or if a call is left without one."""
        if message.role == "tool":
            self._take_result(message.call_id, param)
            return
        if message.role != "assistant":
            self.check(param)
            self._known = set()
        elif not self._answering:
            self.check(param)
            self._known, self._waiting = set(), []
        self._answering = message.role == "assistant"
        self._known |= {call.id for call in message.calls}
        self._waiting += [call.id for call in message.calls]

    def _take_result(self, id_: str, param: str) -> None:
        self._answering = False
        if id_ not in self._known:
            message = f"'{param}': a `tool_result` needs its `tool_use` in the message before: '{id_[:64]}' is none."
            raise InvalidRequestError(message, param, "invalid_value")
        self._waiting = [waiting for waiting in self._waiting if waiting != id_]

    def check(self, param: str) -> None:
        """Raise InvalidRequestError if there is a call without a result."""
        if self._waiting:
            ids = ", ".join(self._waiting)[:200]
            message = (
                f"'{param}': `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. "
                "The next message must begin with a result of each."
            )
            raise InvalidRequestError(message, param, "invalid_value")
