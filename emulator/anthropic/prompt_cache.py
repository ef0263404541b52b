"""What a prompt costs, and how much of it the server has seen before."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from emulator.anthropic import parameter_checks
from emulator.json_text import Json, dump

CHARACTERS = 4  # about so many make a token
REMEMBERED = 10_000
LONG = "1h"


@dataclass(frozen=True)
class PromptTokens:
    """Tokens of a prompt. written: into the cache; long: of them for an hour. read: from it. fresh: all others."""

    fresh: int
    written: int = 0
    long: int = 0
    read: int = 0


def count(value: Any) -> int:
    """Return about how many tokens a part of a body has."""
    return 1 + len(dump(value)) // CHARACTERS


def count_all(body: Json) -> int:
    """Return about how many tokens a body's prompt has."""
    return sum(count(part) for part in _parts(body))


class PromptCache:
    """Beginnings of prompts by account, up to the points that were marked; what is longest unused is forgotten."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._limit = limit

    def measure(self, account: str, body: Json) -> PromptTokens:
        """Return what a prompt costs, and remember it up to its last mark."""
        parts = _parts(body)
        sizes = [count(part) for part in parts]
        marked = [place for place, part in enumerate(parts) if any(parameter_checks.cache_controls(part))]
        if body.get("cache_control") and parts:
            marked = sorted({*marked, len(parts) - 1})
        if not marked:
            return PromptTokens(sum(sizes))
        names = list(_beginnings([account, body.get("model"), *parts]))
        known = max((place for place in range(marked[-1] + 1) if names[place] in self._seen), default=-1)
        for place in marked:
            self._remember(names[place])
        read, written = sum(sizes[: known + 1]), sum(sizes[known + 1 : marked[-1] + 1])
        is_long = any(one.get("ttl") == LONG for part in parts for one in parameter_checks.cache_controls(part))
        return PromptTokens(sum(sizes) - read - written, written, written if is_long else 0, read)

    def _remember(self, name: str) -> None:
        self._seen[name] = None
        self._seen.move_to_end(name)
        if len(self._seen) > self._limit:
            self._seen.popitem(last=False)

    def clear(self) -> None:
        """Forget every prompt."""
        self._seen.clear()


def _parts(body: Json) -> list[Any]:
    """Return the parts of a prompt in the order in which the server reads them: tools, system, messages."""
    system = body.get("system")
    texts = [{"type": "text", "text": system}] if isinstance(system, str) else list(system or ())
    return [*(body.get("tools") or ()), *texts, *(body.get("messages") or ())]


def _beginnings(parts: list[Any]) -> Iterator[str]:
    """Yield a name for what lies before each part but the first two, that part included."""
    digest = hashlib.sha256()
    for place, part in enumerate(parts):
        digest.update(dump(_unmarked(part)).encode())
        if place > 1:
            yield digest.hexdigest()


def _unmarked(value: Any) -> Any:
    """Return a value without what marks it to be cached: a mark may move on from question to question."""
    if isinstance(value, list):
        return [_unmarked(item) for item in value]
    if isinstance(value, dict):
        return {name: _unmarked(item) for name, item in value.items() if name != "cache_control"}
    return value
