"""The items of a response's input: all kinds of the API become messages that lose nothing. Pure.

See https://platform.openai.com/docs/api-reference/responses/create#responses-create-input.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.answering.thought_fields import unpack
from gateway.openai.errors import InvalidRequestError
from gateway.openai.file_data import check_file
from gateway.openai.json_fields import Fields, check_depth, read_field, read_filled, read_object, read_string, rest_of
from gateway.openai.messages import MAX_PARTS, MAX_PICTURES, TEXT_KINDS, check_messages, parse_picture
from gateway.openai.picture_urls import check_picture_url
from gateway.openai.responses import hosted_items
from gateway.openai.responses.item_order import PlacedMessage, join_items, link_items
from gateway.openai.responses.item_references import (
    KeptAnswers,
    check_size,
    find_thought,
    is_reference,
    resolve_reference,
)
from wire.about import weigh_message
from wire.prompt import Message, Opaque, Part, Picture, PromptRole, Refusal, Text, Thought, ToolCall, pictures

# Items without anything that a server of ours could take: lists of a server's own tools, summaries that only the
# server that made them can read, and what Codex notes for itself.
LEFT_OUT = ("mcp_list_tools", "compaction", "compaction_summary", "compaction_trigger", "ghost_snapshot")
ROLES: Mapping[str, PromptRole] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
}
_FILES = ("input_file", "input_audio")
# Parts that a result of a call may have. What has any other is passed on as JSON.
_RESULT_PARTS = frozenset((*TEXT_KINDS, *_FILES, "input_image", "image_url", "refusal"))
# An item's id says nothing to a server.
_KNOWN = ("type", "id", "status")


def parse_input(given: object, answers: KeptAnswers, *, continues: bool) -> tuple[Message, ...]:
    """Return the messages of an input. `answers` are those that its items refer to.

    `continues`: there is a conversation before it. InvalidRequestError.
    """
    if isinstance(given, str):
        return (Message("user", (Text(given),), string=True),)
    if not isinstance(given, list) or not given:
        message = "'input' must be a string, or a list of items that isn't empty."
        raise InvalidRequestError(message, "input", "invalid_type")
    check_messages(given, "input")
    reader = _ItemReader(answers)
    placed = [
        PlacedMessage(f"input[{number}]", message)
        for number, item in enumerate(given)
        for message in reader.read(item, f"input[{number}]")
    ]
    messages = join_items(link_items(placed, continues=continues))
    if sum(1 for _ in pictures(messages)) > MAX_PICTURES:
        raise InvalidRequestError(f"'input' may hold up to {MAX_PICTURES} pictures.", "input", "invalid_value")
    return messages


class _ItemReader:
    """Reads items in their order: the output of a call that became words becomes words too."""

    def __init__(self, answers: KeptAnswers) -> None:
        self._answers = answers
        self._referred = 0
        self._in_words: set[object] = set()
        self._kinds: Mapping[str, Callable[[Fields, str], Sequence[Message]]] = {
            "message": _read_message,
            "reasoning": self._read_reasoning,
            "function_call": _read_call,
            "custom_tool_call": _read_call,
            "function_call_output": self._read_result,
            "custom_tool_call_output": self._read_result,
        }

    def read(self, item: object, param: str) -> Sequence[Message]:
        fields = read_object(item, param)
        if is_reference(fields):
            return self._count(resolve_reference(fields, param, self._answers))
        kind = read_field(fields, "type", str, param) or "message"
        if read := self._kinds.get(kind):
            return read(fields, param)
        if kind in LEFT_OUT:
            return ()
        if hosted_items.is_call(kind):
            self._in_words.add(read_field(fields, "call_id", str, param))
            words = hosted_items.describe_call(kind, fields, param)
            return (Message("assistant", (Text(words),), string=True),)
        if hosted_items.is_output(kind):
            return _read_output(fields, param)
        message = f"'{param}.type' is no kind of item that is known here: '{kind[:64]}'."
        raise InvalidRequestError(message, f"{param}.type", "unsupported_value")

    def _read_reasoning(self, fields: Fields, param: str) -> Sequence[Message]:
        """Return a thought: with what its server wants back with it, or else the one of the answer that it is from."""
        text = _join_parts(fields, "content", param) or _join_parts(fields, "summary", param)
        sealed = read_field(fields, "encrypted_content", str, param)
        if sealed:
            extra = unpack(sealed)
            thought = Thought(text, extra) if extra is not None else None
        else:
            thought = self._find_thought(fields.get("id")) or (Thought(text) if text else None)
        return (Message("assistant", (thought,)),) if thought else ()

    def _find_thought(self, name: object) -> Thought | None:
        thought = find_thought(name, self._answers)
        if thought is not None:
            self._count((Message("assistant", (thought,)),))
        return thought

    def _count(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return what takes the place of a reference, unless all of that together is too long."""
        self._referred += sum(map(weigh_message, messages))
        check_size(self._referred)
        return messages

    def _read_result(self, fields: Fields, param: str) -> Sequence[Message]:
        id_ = read_filled(fields, "call_id", param)
        if id_ in self._in_words:
            return _read_output(fields, param)
        output = fields.get("output")
        if output is None:
            raise InvalidRequestError(f"'{param}.output' is missing.", f"{param}.output", "invalid_type")
        parts = _read_parts(output, f"{param}.output") if _has_parts(output) else (_to_text(output, param),)
        extra = rest_of(fields, (*_KNOWN, "call_id", "output", "name"), param)
        return (Message("tool", parts, string=not isinstance(output, list), call_id=id_, extra=extra),)


def _read_message(fields: Fields, param: str) -> Sequence[Message]:
    role, content = fields.get("role"), fields.get("content")
    if not isinstance(role, str) or role not in ROLES:
        message = f"'{param}.role' must be one of {', '.join(ROLES)}."
        raise InvalidRequestError(message, f"{param}.role", "invalid_value")
    parts = (Text(content),) if isinstance(content, str) else _read_parts(content, f"{param}.content")
    name = read_field(fields, "name", str, param) or ""
    extra = rest_of(fields, (*_KNOWN, "role", "content", "name"), param)
    return (Message(ROLES[role], parts, string=isinstance(content, str), name=name, extra=extra),)


def _read_call(fields: Fields, param: str) -> Sequence[Message]:
    custom = fields["type"] == "custom_tool_call"
    text = "input" if custom else "arguments"
    call = ToolCall(
        read_filled(fields, "call_id", param),
        read_filled(fields, "name", param),
        read_string(fields, text, param),
        custom=custom,
        extra=rest_of(fields, (*_KNOWN, "call_id", "name", text), param),
    )
    return (Message("assistant", calls=(call,)),)


def _read_output(fields: Fields, param: str) -> Sequence[Message]:
    """Return the output of a call that became words."""
    picture = hosted_items.screenshot_of(fields)
    if isinstance(picture, str):
        check_picture_url(picture, f"{param}.output.image_url")
        return (Message("tool", (Picture(picture),)),)
    output = fields.get("output")
    if isinstance(output, list) and _has_parts(output):
        return (Message("tool", _read_parts(output, f"{param}.output")),)
    return (Message("tool", (Text(hosted_items.describe_output(fields, param)),), string=True),)


def _has_parts(output: object) -> bool:
    parts = output if isinstance(output, list) else []
    kinds = [part.get("type") if isinstance(part, dict) else None for part in parts]
    return isinstance(output, list) and all(isinstance(kind, str) and kind in _RESULT_PARTS for kind in kinds)


def _to_text(output: object, param: str) -> Text:
    check_depth(output, f"{param}.output")
    return Text(hosted_items.to_words(output))


def _read_parts(content: object, param: str) -> tuple[Part, ...]:
    if not isinstance(content, list):
        raise InvalidRequestError(f"'{param}' must be a string or a list of parts.", param, "invalid_type")
    if len(content) > MAX_PARTS:
        raise InvalidRequestError(f"'{param}' may hold up to {MAX_PARTS} parts.", param, "invalid_value")
    return tuple(_read_part(part, f"{param}[{number}]") for number, part in enumerate(content))


def _read_part(part: object, param: str) -> Part:
    fields = read_object(part, param)
    kind = read_filled(fields, "type", param)
    if kind in TEXT_KINDS:
        # The last two are of our own answers, for people.
        known = ("type", "text", "annotations", "logprobs")
        return Text(read_string(fields, "text", param), rest_of(fields, known, param))
    if kind == "refusal":
        return Refusal(read_string(fields, "refusal", param), rest_of(fields, ("type", "refusal"), param))
    if kind == "image_url":
        return parse_picture(fields, param)
    if kind == "input_image":
        return _read_picture(fields, param)
    check_depth(part, param)
    check_file(fields, param)
    return Opaque(dict(fields))


def _read_picture(fields: Fields, param: str) -> Part:
    """Return a picture by its address; one that was uploaded is known to its server alone."""
    if fields.get("image_url") is None and read_field(fields, "file_id", str, param):
        check_depth(fields, param)
        return Opaque(dict(fields))
    url = read_string(fields, "image_url", param)
    check_picture_url(url, f"{param}.image_url")
    detail = read_field(fields, "detail", str, param) or ""
    return Picture(url, detail, rest_of(fields, ("type", "image_url", "detail", "file_id"), param))


def _join_parts(fields: Fields, name: str, param: str) -> str:
    """Return the texts of a list of parts, such as a summary."""
    parts: list[Any] = read_field(fields, name, list, param) or []
    where = f"{param}.{name}"
    texts = [read_string(read_object(part, f"{where}[{n}]"), "text", f"{where}[{n}]") for n, part in enumerate(parts)]
    return "\n\n".join(texts)
