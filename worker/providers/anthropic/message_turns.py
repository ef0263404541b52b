"""Write messages as the turns of Anthropic's API, which alternate, with each call's result right behind it."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Literal

from wire.prompt import Message, PromptRole, Text, Thought
from worker.accounts.account import SystemMessages
from worker.providers.anthropic.content import read_thinking, render_call, render_part
from worker.providers.anthropic.own_fields import CACHE_CONTROL, THINKING_BLOCKS
from worker.providers.openai.chat_request import merge_extra

_SYSTEM = ("system", "developer")
_THOUGHTS = ("thinking", "redacted_thinking")
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_UNANSWERED = "(no result)"
# Where a turn has to be, though it says nothing: a conversation begins with its user's.
_FILLER: Mapping[str, Any] = {"type": "text", "text": "."}


_TurnRole = Literal["user", "assistant", "system"]


@dataclass
class _MessageTurn:
    """A turn. `text` is its content where that was one string, and `extra` are the fields beside its content."""

    role: _TurnRole
    blocks: list[dict[str, Any]]
    text: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def render(self) -> dict[str, Any]:
        content = self.blocks if self.text is None else self.text
        return merge_extra({"role": self.role, "content": content}, self.extra)

    def add(self, blocks: Iterable[dict[str, Any]], extra: Mapping[str, Any]) -> None:
        self.blocks += blocks
        self.text = None
        self.extra |= extra

    def ids(self, kind: str, name: str) -> list[str]:
        return [block[name] for block in self.blocks if block.get("type") == kind]


class TurnWriter:
    """Writes the messages of one prompt. `own`: it came by this API, so what is in it goes as it came.

    `sees`: pictures are sent; `thinking`: old thoughts are.
    """

    def __init__(self, *, own: bool, sees: bool = True, thinking: bool = True) -> None:
        self._own = own
        self._sees = sees
        self._thinking = thinking
        self._turns: list[_MessageTurn] = []
        # The ids of all calls as they are sent, and those of the last turn by the ones that they came with.
        self._ids: set[str] = set()
        # How many calls of one id there were: in a long conversation all may have the same.
        self._counts: dict[str, int] = {}
        self._open: dict[str, str] = {}
        # Those of them that have a result.
        self._answered: set[str] = set()
        # The thoughts in the last turn, by what signs them.
        self._thoughts: set[str] = set()

    def write(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Return the messages. UpstreamError `model.unable` for a part that the API has no form for."""
        for message in messages:
            self._add(message)
        if not self._own:
            self._answer_all()
            if self._turns and self._turns[0].role == "assistant":
                self._turns.insert(0, _MessageTurn("user", [dict(_FILLER)]))
            for turn in self._turns:
                _drop_open_thoughts(turn)
        for turn in self._turns:
            # The API wants the results in front.
            turn.blocks.sort(key=lambda block: block.get("type") != "tool_result")
        self._trim_end()
        return [turn.render() for turn in self._turns]

    def _add(self, message: Message) -> None:
        role = self._role(message)
        last = self._turns[-1] if self._turns else None
        if last is None or last.role != role:
            self._thoughts = set()
            if role == "assistant":
                self._open, self._answered = {}, set()
        awaited = message.call_id in self._open and message.call_id not in self._answered
        if message.role == "tool" and (self._own or awaited):
            self._answered.add(message.call_id)
            blocks, extra = [self._result(message)], {}
        else:
            blocks, extra = list(self._blocks(message)), self._extra(message)
        if message.role != "tool" and (cached := message.extra.get(CACHE_CONTROL)) and blocks and not self._own:
            blocks[-1].setdefault(CACHE_CONTROL, cached)
        if not blocks:
            return
        if last is not None and last.role == role:
            last.add(blocks, extra)
            return
        whole = message.string and message.role != "tool" and list(blocks[0]) == ["type", "text"]
        text = blocks[0]["text"] if whole and len(blocks) == 1 else None
        self._turns.append(_MessageTurn(role, blocks, text, extra))

    def _role(self, message: Message) -> _TurnRole:
        if message.role == "assistant":
            return "assistant"
        # In the middle of a conversation not every model knows the system's role.
        return "system" if message.role == "system" and self._own else "user"

    def _blocks(self, message: Message) -> Iterator[dict[str, Any]]:
        if message.role == "assistant" and not any(isinstance(part, Thought) for part in message.parts):
            yield from self._remembered(message.extra)
        named = message.role == "user" and message.name and not self._own
        for part in message.parts:
            block = self._part(part, "user" if message.role in _SYSTEM else message.role)
            if block is None:
                continue
            if named and block.get("type") == "text":
                block, named = block | {"text": f"{message.name}: {block['text']}"}, False
            yield block
        for call in message.calls:
            yield from self._remembered(call.extra)
            block = render_call(call, self._new_id(call.id))
            block.pop(THINKING_BLOCKS, None)
            yield block

    def _part(self, part: Any, role: PromptRole) -> dict[str, Any] | None:
        block = render_part(part, role, own=self._own, sees=self._sees)
        if block is None or block.get("type") not in _THOUGHTS:
            return block
        if not self._thinking or role != "assistant":
            return None
        self._thoughts.add(_sign(block))
        return block

    def _remembered(self, extra: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield thoughts that are beside a message's parts, or were kept with a call, each once."""
        given = extra.get(THINKING_BLOCKS)
        for value in given if isinstance(given, list) and self._thinking else ():
            block = read_thinking(value)
            if block is not None and _sign(block) not in self._thoughts:
                self._thoughts.add(_sign(block))
                yield block

    def _extra(self, message: Message) -> dict[str, Any]:
        """Return the fields beside a message's content."""
        if not self._own:
            return {}
        return {name: value for name, value in message.extra.items() if name != THINKING_BLOCKS}

    def _result(self, message: Message) -> dict[str, Any]:
        rendered = [render_part(part, "tool", own=self._own, sees=self._sees) for part in message.parts]
        blocks = [block for block in rendered if block is not None]
        plain = message.string and all(list(block) == ["type", "text"] for block in blocks)
        content = "".join(part.text for part in message.parts if isinstance(part, Text)) if plain else blocks
        result: dict[str, Any] = {
            "type": "tool_result",
            "tool_use_id": self._open.get(message.call_id, message.call_id),
        }
        if content or message.string or not self._own:
            result["content"] = content or ""
        if message.is_error:
            result["is_error"] = True
        return {**result, **message.extra}

    def _new_id(self, id_: str) -> str:
        """Return a call's id in the form that the API takes, which no other call has."""
        sent = id_
        if not _ID.fullmatch(id_):
            sent = "toolu_" + hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        base, count = sent, self._counts.get(sent, 1)
        while sent in self._ids:
            count += 1
            sent = f"{base}_{count}"
        self._counts[base] = count
        self._ids.add(sent)
        self._open[id_] = sent
        return sent

    def _answer_all(self) -> None:
        """Give each call without a result one: the API takes no other."""
        for number, turn in reversed(list(enumerate(self._turns))):
            calls = turn.ids("tool_use", "id")
            if turn.role != "assistant" or not calls:
                continue
            after = self._turns[number + 1] if number + 1 < len(self._turns) else None
            known = frozenset(after.ids("tool_result", "tool_use_id") if after else ())
            missing = [
                {"type": "tool_result", "tool_use_id": id_, "content": _UNANSWERED} for id_ in calls if id_ not in known
            ]
            if missing and after is None:
                self._turns.append(_MessageTurn("user", missing))
            elif missing and after is not None:
                after.blocks, after.text = [*missing, *after.blocks], None

    def _trim_end(self) -> None:
        """Remove blank space at the end of an answer that the model is to continue, which the API refuses."""
        last = self._turns[-1] if self._turns else None
        if last is None or last.role != "assistant" or last.blocks[-1].get("type") != "text":
            return
        trimmed = last.blocks[-1]["text"].rstrip()
        last.blocks[-1] = last.blocks[-1] | {"text": trimmed}
        last.text = None if last.text is None else trimmed


def split_system(messages: Sequence[Message], placement: SystemMessages) -> tuple[list[Message], list[Message]]:
    """Return the system's messages, which have a field of their own, and all others.

    These are the leading ones, or with `first` all of them. What follows is a user's, and there is at least one.
    """
    if placement == "first":
        system = [message for message in messages if message.role in _SYSTEM]
        others = [message for message in messages if message.role not in _SYSTEM]
    else:
        system = list(takewhile(lambda message: message.role in _SYSTEM, messages))
        others = list(messages[len(system) :])
    return (system, others) if others else (system[:-1], system[-1:])


def write_system(messages: Sequence[Message], *, own: bool) -> str | list[dict[str, Any]] | None:
    """Return the field `system`; None without any text."""
    rendered = [
        (message, render_part(part, "system", own=own, sees=False)) for message in messages for part in message.parts
    ]
    blocks = [
        _cache(block, message) if part_number == len(rendered) else block
        for part_number, (message, block) in enumerate(rendered, 1)
        if block is not None
    ]
    if len(messages) == 1 and messages[0].string and len(blocks) == 1 and list(blocks[0]) == ["type", "text"]:
        text: str = blocks[0]["text"]
        return text
    return blocks or None


def _cache(block: dict[str, Any], message: Message) -> dict[str, Any]:
    cached = message.extra.get(CACHE_CONTROL)
    return {CACHE_CONTROL: cached, **block} if isinstance(cached, dict) else block


def lacks_thought(turns: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the model is amid calls, in an answer that doesn't begin with a thought.

    One that is to think by a budget refuses to continue such an answer.
    """
    for asked, answered in zip(reversed(turns), list(reversed(turns))[1:], strict=False):
        if asked["role"] == "user" and not _has(asked, ("tool_result",)):
            break
        if answered["role"] == "assistant" and not _has(answered, _THOUGHTS, first=True):
            return True
    return False


def _has(turn: Mapping[str, Any], types: Sequence[str], *, first: bool = False) -> bool:
    """Return whether a turn has a block of one of these types, or with `first` begins with one."""
    content = turn["content"]
    blocks = [] if isinstance(content, str) else content[:1] if first else content
    return any(block.get("type") in types for block in blocks)


def _drop_open_thoughts(turn: _MessageTurn) -> None:
    """Drop thoughts that nothing follows: the API takes none at the end of an answer that was cut there."""
    while turn.role == "assistant" and turn.blocks and turn.blocks[-1].get("type") in _THOUGHTS:
        del turn.blocks[-1]
    turn.blocks = turn.blocks or [dict(_FILLER)]


def _sign(block: Mapping[str, Any]) -> str:
    signature: str = block.get("signature") or block.get("data") or ""
    return signature
