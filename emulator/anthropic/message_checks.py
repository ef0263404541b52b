"""What has to be right between the fields of a request, checked as Anthropic's API does."""

from collections.abc import Sequence
from dataclasses import dataclass

from emulator.anthropic.error_response import AnthropicError, MessageError, invalid
from emulator.anthropic.sent_blocks import (
    SentBlock,
    SentRedactedThinking,
    SentText,
    SentThinking,
    SentToolResult,
    SentToolUse,
)
from emulator.anthropic.sent_request import SentMessage, ThinkingEnabled
from emulator.anthropic.thought_signatures import ThoughtSignatures


@dataclass(frozen=True)
class RoleTurn:
    """Neighbours of one role as one turn. place: of its first message."""

    place: int
    role: str
    blocks: tuple[SentBlock, ...]


def merge(messages: Sequence[SentMessage]) -> list[RoleTurn]:
    """Return messages as turns in which user and assistant alternate; what the system adds is in none of them."""
    turns: list[RoleTurn] = []
    for place, message in enumerate(messages):
        if message.role == "system":
            continue
        if turns and turns[-1].role == message.role:
            turns[-1] = RoleTurn(turns[-1].place, message.role, (*turns[-1].blocks, *message.content))
        else:
            turns.append(RoleTurn(place, message.role, tuple(message.content)))
    return turns


def check(messages: Sequence[SentMessage]) -> None:
    """Raise MessageError for the first thing in these messages that is wrong, whoever reads them."""
    if not messages:
        raise MessageError(invalid("messages: at least one message is required"))
    if messages[0].role != "user":
        raise MessageError(invalid('messages: first message must use the "user" role'))
    for place, message in enumerate(messages):
        _check_content(message, f"messages.{place}", place == len(messages) - 1)
    turns = merge(messages)
    _check_calls(turns)
    _check_ends(turns)


def _check_content(message: SentMessage, where: str, is_last: bool) -> None:
    if not message.content and not (is_last and message.role == "assistant"):
        reason = "all messages must have non-empty content except for the optional final assistant message"
        raise MessageError(invalid(f"{where}: {reason}"))
    for number, block in enumerate(message.content):
        place = f"{where}.content.{number}"
        if isinstance(block, SentText) and not block.text:
            reason = "cache_control cannot be set for empty text blocks"
            if block.cache_control is not None:
                raise MessageError(invalid(f"{place}.text: {reason}"))
            raise MessageError(invalid("messages: text content blocks must be non-empty"))
        if isinstance(block, SentText) and not block.text.strip():
            raise MessageError(invalid("messages: text content blocks must contain non-whitespace text"))
        _check_role(block, message.role, place)


def _check_role(block: SentBlock, role: str, where: str) -> None:
    if role == "system" and not isinstance(block, SentText):
        raise MessageError(invalid(f"{where}: `system` messages can only have `text` blocks"))
    if isinstance(block, SentToolUse | SentThinking | SentRedactedThinking) and role == "user":
        raise MessageError(invalid(f"{where}: `{block.type}` blocks can only be in `assistant` messages"))
    if block.type in ("tool_result", "image", "document", "search_result") and role == "assistant":
        raise MessageError(invalid(f"{where}: `{block.type}` blocks can only be in `user` messages"))


def _check_calls(turns: Sequence[RoleTurn]) -> None:
    """Raise MessageError unless each call has its result at the head of the next turn, and each result its call."""
    seen: set[str] = set()
    waiting: list[str] = []
    for turn in turns:
        if turn.role == "user":
            _check_results(turn, waiting)
            waiting = []
            continue
        waiting = [block.id for block in turn.blocks if isinstance(block, SentToolUse)]
        if len(set(waiting)) < len(waiting) or seen & set(waiting):
            raise MessageError(invalid(f"messages.{turn.place}: `tool_use` ids must be unique"))
        seen |= set(waiting)
    if waiting:
        raise MessageError(_no_result(waiting, turns[-1].place))


def _check_results(turn: RoleTurn, calls: Sequence[str]) -> None:
    answered: list[str] = []
    is_head = True
    for number, block in enumerate(turn.blocks):
        if not isinstance(block, SentToolResult):
            is_head = False
            continue
        if block.tool_use_id not in calls:
            reason = f"unexpected `tool_use_id` found in `tool_result` blocks: {block.tool_use_id}"
            rule = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            raise MessageError(invalid(f"messages.{turn.place}.content.{number}: {reason}. {rule}"))
        if block.tool_use_id in answered:
            reason = "each tool_use must have a single result. Found multiple `tool_result` blocks with id"
            raise MessageError(invalid(f"messages.{turn.place}.content.{number}: {reason}: {block.tool_use_id}"))
        if is_head:
            answered.append(block.tool_use_id)
    missing = [call for call in calls if call not in answered]
    if missing:
        raise MessageError(_no_result(missing, turn.place - 1))


def _no_result(ids: Sequence[str], place: int) -> AnthropicError:
    found = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(ids)}"
    rule = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    return invalid(f"messages.{place}: {found}. {rule}")


def _check_ends(turns: Sequence[RoleTurn]) -> None:
    for turn in turns:
        if turn.role == "assistant" and turn.blocks and isinstance(turn.blocks[-1], SentThinking):
            reason = "The final block in an assistant message cannot be `thinking`."
            raise MessageError(invalid(f"messages.{turn.place}: {reason}"))
    last = turns[-1].blocks[-1] if turns[-1].role == "assistant" and turns[-1].blocks else None
    if isinstance(last, SentText) and last.text != last.text.rstrip():
        raise MessageError(invalid("messages: final assistant content cannot end with trailing whitespace"))


def check_thoughts(messages: Sequence[SentMessage], thinking: object, signatures: ThoughtSignatures) -> None:
    """Raise MessageError unless thoughts are as they were given, and there where they have to be."""
    for place, message in enumerate(messages):
        for number, block in enumerate(message.content):
            where = f"messages.{place}.content.{number}"
            if isinstance(block, SentThinking) and not signatures.is_valid(block.thinking, block.signature):
                raise MessageError(invalid(f"{where}: Invalid `signature` in `thinking` block"))
            if isinstance(block, SentRedactedThinking) and not signatures.is_valid("", block.data):
                raise MessageError(invalid(f"{where}: Invalid `data` in `redacted_thinking` block"))
    if not isinstance(thinking, ThinkingEnabled):
        return
    begun = _beginning(merge(messages))
    if begun is not None and begun.blocks[0].type not in ("thinking", "redacted_thinking"):
        found = f"Expected `thinking` or `redacted_thinking`, but found `{begun.blocks[0].type}`"
        rule = "When `thinking` is enabled, a final `assistant` message must start with a thinking block"
        raise MessageError(invalid(f"messages.{begun.place}.content.0.type: {found}. {rule}."))


def _beginning(turns: Sequence[RoleTurn]) -> RoleTurn | None:
    """Return the assistant's first turn since the user's last one that is more than results, None if there is none."""
    begun = None
    for turn in reversed(turns):
        if turn.role == "assistant" and turn.blocks:
            begun = turn
        elif turn.role == "user" and not any(isinstance(block, SentToolResult) for block in turn.blocks):
            break
    return begun
