"""References to items of earlier responses: the blocks of kept answers take their place. Pure but for `read_answers`.

See https://platform.openai.com/docs/api-reference/responses/create#responses-create-input.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.http.sse import parse_event_id
from gateway.openai.answer_messages import to_messages
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields
from wire.blocks import Block, BlockKind
from wire.prompt import Message, Thought

# Returns the blocks of the answer with this id as they were sent; None if it isn't known.
ReadAnswer = Callable[[str], Awaitable[Sequence[Block] | None]]
KeptAnswers = Mapping[str, Sequence[Block]]

# How many answers the items of one input may refer to, and how many characters these may have. So many may also take
# their place: a few bytes of a request can refer to the same long answer again and again.
MAX_ANSWERS = 1024
MAX_CHARACTERS = 8 * 1024 * 1024
_REFERENCE, _REASONING = "item_reference", "reasoning"
_THOUGHT = "rs"
_ALL: Sequence[BlockKind] = ("text", "reasoning", "tool_call", "refusal")
# Which blocks of its answer the id of an item means, by how it begins.
_KINDS: Mapping[str, Sequence[BlockKind]] = {
    "msg": ("text", "refusal"),
    "fc": ("tool_call",),
    "ctc": ("tool_call",),
    _THOUGHT: ("reasoning",),
    "resp": _ALL,
    "chatcmpl": _ALL,
}


@dataclass(frozen=True)
class ItemId:
    """An id that this service gave out: of an answer, or of one `block` of it."""

    kind: str
    answer: str
    block: int | None

    def find(self, answers: KeptAnswers) -> list[Block]:
        """Return the blocks that the id means, of answers that are kept."""
        blocks = answers.get(self.answer, ())
        named = blocks if self.block is None else blocks[self.block : self.block + 1]
        return [block for block in named if block.kind in _KINDS[self.kind]]


def parse_item_id(name: object) -> ItemId | None:
    """Return the id in a string, None if it is none of ours."""
    if not isinstance(name, str):
        return None
    kind, separator, place = name.partition("-" if name.startswith("chatcmpl-") else "_")
    answer, numbered, block = place.partition("_")
    fits = block.isascii() and block.isdecimal() and len(block) < 10 if numbered else True
    if not separator or kind not in _KINDS or not fits or parse_event_id(f"{answer}.0") is None:
        return None
    return ItemId(kind, answer, int(block) if numbered else None)


def is_reference(item: Fields) -> bool:
    """Return whether an item only refers to another; its type may be left out."""
    return item.get("type") == _REFERENCE or (item.get("type") is None and item.keys() - {"type"} == {"id"})


def refers(items: object) -> bool:
    """Return whether some of an input's items only refer to others."""
    return any(True for _ in _ids(items))


async def read_answers(items: object, read: ReadAnswer) -> KeptAnswers:
    """Return the answers that items refer to, as far as they are known. InvalidRequestError for too many."""
    names = dict.fromkeys(id_.answer for id_ in _ids(items))
    if len(names) > MAX_ANSWERS:
        message = f"'input' may refer to up to {MAX_ANSWERS} answers."
        raise InvalidRequestError(message, "input", "invalid_value")
    answers, size = {}, 0
    for name in names:
        blocks = await read(name)
        if blocks is not None:
            answers[name] = blocks
            size += sum(len(block.text) for block in blocks)
        check_size(size)
    return answers


def check_size(characters: int) -> None:
    """Raise InvalidRequestError if an input refers to more characters than it may."""
    if characters > MAX_CHARACTERS:
        message = f"'input' refers to items with more than {MAX_CHARACTERS} characters in all."
        raise InvalidRequestError(message, "input", "context_length_exceeded")


def _ids(items: object) -> Iterator[ItemId]:
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and (is_reference(item) or _is_bare_thought(item)):
            id_ = parse_item_id(item.get("id"))
            if id_ is not None:
                yield id_


def _is_bare_thought(item: Fields) -> bool:
    return item.get("type") == _REASONING and not item.get("encrypted_content")


def resolve_reference(fields: Fields, param: str, answers: KeptAnswers) -> Sequence[Message]:
    """Return the messages that a reference means. InvalidRequestError for an unknown one.

    A thought that isn't known is left out: no later turn needs it.
    """
    name: Any = fields.get("id")
    if not isinstance(name, str):
        raise InvalidRequestError(f"'{param}.id' must be a string.", f"{param}.id", "invalid_type")
    id_ = parse_item_id(name)
    messages = to_messages(id_.find(answers)) if id_ else ()
    if not messages and not name.startswith(f"{_THOUGHT}_"):
        message = f"Item with id '{name[:128]}' not found: it isn't one of this service, or is no longer kept."
        raise InvalidRequestError(message, f"{param}.id", "item_not_found")
    return messages


def find_thought(name: object, answers: KeptAnswers) -> Thought | None:
    """Return the thought of a kept answer by its item's id."""
    id_ = parse_item_id(name)
    blocks = id_.find(answers) if id_ and id_.kind == _THOUGHT else []
    return Thought(blocks[0].text, blocks[0].extra) if blocks else None
