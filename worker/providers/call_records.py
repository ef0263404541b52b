"""What a server gave with its calls of tools, to be kept, and to be put back where a client dropped it.

A call is known by its id and by what is called. Some servers count the calls of each conversation, so that many
conversations have `call_1`: such a call is also known by its place, a digest of the message that it answered.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from wire.blocks import Block, fold_all
from wire.call_memory import MAX_RECORD, CallRecord
from wire.prompt import Message, Prompt, Thought, ToolCall
from wire.prompt_digest import canonical_message

# Fields of an answer that no server wants back.
_NOT_KEPT = frozenset({"logprobs", "annotations", "audio", "images", "content_parts"})
# What is in ids that no other conversation has, beside the names of tools: so many digits or letters in a row.
# It is looked for where a row begins: in the middle of a long one that would take a worker the square of its length.
_UNIQUE = re.compile(r"(?<![a-z\d])(?=[a-z]*\d)[a-z\d]{8}", re.ASCII | re.IGNORECASE)
# The fields for reasoning: whichever of them a client sent, it kept the reasoning.
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_text")


def make_records(
    blocks: Sequence[Block], kind: str, model: str, reasoning_field: str, place: str = ""
) -> dict[str, CallRecord]:
    """Return what came with each call of an answer, by the call's key. The first call has what came with the message.

    `reasoning_field` is where the server of this kind has reasoning; `place` is the answer's.
    """
    calls = [block for block in blocks if block.kind == "tool_call"]
    message = fold_all(
        {name: value for name, value in block.extra.items() if name not in _NOT_KEPT}
        for block in blocks
        if block.kind != "tool_call" and block.extra
    )
    reasoning = "".join(block.text for block in blocks if block.kind == "reasoning")
    if reasoning and reasoning_field:
        message[reasoning_field] = reasoning
    records = ((call, CallRecord(kind, model, call.extra, message if call is calls[0] else {})) for call in calls)
    return keep_fitting(records, place)


def keep_fitting(records: Iterable[tuple[Block, CallRecord]], place: str) -> dict[str, CallRecord]:
    """Return the records of calls by the calls' keys, as far as there is anything in them, and room for it."""
    fitting = {
        _keys(ToolCall(call.id, call.name, call.text, call.custom), place)[0]: _fit(record) for call, record in records
    }
    return {key: record for key, record in fitting.items() if record.call or record.message}


def _fit(record: CallRecord) -> CallRecord:
    """Return a record, without what came with the message if it is too large."""
    if len(msgspec.json.encode(record)) <= MAX_RECORD:
        return record
    return msgspec.structs.replace(record, message={})


def call_keys(prompt: Prompt) -> list[str]:
    """Return the keys of all calls in a prompt, oldest first; in front those by which older workers know them."""
    keys: list[str] = []
    older: list[str] = []
    for message, place in _with_places(prompt.messages):
        for call in message.calls:
            own, before = _keys(call, place)
            keys.append(own)
            older.append(before)
    known = set(keys)
    return [*(key for key in older if key not in known), *keys]


def has_calls(blocks: Iterable[Block]) -> bool:
    """Return whether an answer calls tools: only then its place, for which a whole message is read, is needed."""
    return any(block.kind == "tool_call" for block in blocks)


def find_place(prompt: Prompt) -> str:
    """Return the place of a prompt's answer."""
    return next((_digest_place(message) for message in reversed(prompt.messages) if message.role != "assistant"), "")


def _with_places(messages: Sequence[Message]) -> Iterator[tuple[Message, str]]:
    """Yield messages, with their place if they have a call whose key needs it."""
    asked: Message | None = None
    place = ""
    for message in messages:
        if message.role != "assistant":
            asked, place = message, ""
        elif asked is not None and not place and any(map(_is_counted, message.calls)):
            place = _digest_place(asked)
        yield message, place


def _digest_place(asked: Message) -> str:
    return hashlib.sha256(msgspec.json.encode(canonical_message(asked), order="sorted")).hexdigest()


def _is_counted(call: ToolCall) -> bool:
    """Return whether another conversation may well have a call of the same id."""
    return _UNIQUE.search(call.id.replace(call.name, "")) is None


def _keys(call: ToolCall, place: str) -> tuple[str, str]:
    """Return the key of a call, which is its id and what is called, and the one by which older workers know it."""
    given = msgspec.structs.replace(call, arguments=call.arguments.strip() or "{}")
    (same,) = canonical_message(Message("assistant", calls=(given,))).calls
    older = _digest((call.id, same))
    return (_digest((call.id, same, place)) if place and _is_counted(call) else older), older


def _digest(known_by: tuple[object, ...]) -> str:
    return hashlib.sha256(msgspec.json.encode(known_by)).hexdigest()


def put_back(prompt: Prompt, records: Mapping[str, CallRecord], kind: str, model: str) -> Prompt:
    """Return a prompt with what its client dropped of this kind of server's and model's answers."""
    known = {key: record for key, record in records.items() if (record.kind, record.model) == (kind, model)}
    if not known:
        return prompt
    messages = tuple(_complete(message, place, known) for message, place in _with_places(prompt.messages))
    return msgspec.structs.replace(prompt, messages=messages)


def _complete(message: Message, place: str, records: Mapping[str, CallRecord]) -> Message:
    keys = [_keys(call, place) for call in message.calls]
    found = [records.get(own) or records.get(older) for own, older in keys]
    own = [record for record in found if record is not None]
    if not own:
        return message
    given = next((record.message for record in own if record.message), {})
    thinks = any(isinstance(part, Thought) and part.text for part in message.parts)
    if thinks or any(message.extra.get(name) for name in REASONING_FIELDS):
        given = {name: value for name, value in given.items() if name not in REASONING_FIELDS}
    calls = tuple(_complete_call(call, record) for call, record in zip(message.calls, found, strict=True))
    return msgspec.structs.replace(message, calls=calls, extra=_add(message.extra, given))


def _complete_call(call: ToolCall, record: CallRecord | None) -> ToolCall:
    return call if record is None else msgspec.structs.replace(call, extra=_add(call.extra, record.call))


def _add(extra: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return extra fields with those that are missing."""
    return {**given, **{name: value for name, value in extra.items() if value or name not in given}}
