"""What is learnt of a server, from its refusals and its answers."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from worker.accounts.account import MaxTokensName
from worker.providers.openai.parameters import MAX_COMPLETION_TOKENS, MAX_TOKENS, SIGNATURE, THOUGHT_SIGNATURE
from worker.providers.openai.thoughts import Beginning

# How many requests that are to be repeated without old reasoning are known at a time.
_MOST_REPEATS = 64
_NAMES: tuple[MaxTokensName, MaxTokensName] = (MAX_TOKENS, MAX_COMPLETION_TOKENS)


@dataclass
class ServerHabits:
    """One model at one server. `omitted` are the parameters of ours that it refuses, and fields of earlier answers.

    `beginning` is how its text begins, and `reasoning_field` where it sends reasoning. `signs_calls`: it wants calls
    back with its signature, or with a word in its place.
    """

    omitted: set[str] = field(default_factory=set)
    beginning: Beginning = None
    reasoning_field: str = ""
    signs_calls: bool = False
    _repeats: dict[bytes, None] = field(default_factory=dict)

    def max_tokens(self, usual: MaxTokensName) -> MaxTokensName:
        """Return its name for that parameter: the `usual` one, unless it refuses only that."""
        other = _NAMES[usual == _NAMES[0]]
        return other if usual in self.omitted and other not in self.omitted else usual

    def refuse(self, name: str, body: bytes, sent: Iterable[str]) -> bool:
        """Note that a request was refused for a field; return whether a repeat will be another request.

        `sent` are the fields that it may be about. For a signature only that request is repeated otherwise.
        """
        if name in (SIGNATURE, THOUGHT_SIGNATURE):
            self.signs_calls = self.signs_calls or name == THOUGHT_SIGNATURE
            self._repeats[hashlib.sha256(body).digest()] = None
            while len(self._repeats) > _MOST_REPEATS:
                del self._repeats[next(iter(self._repeats))]
            return True
        if name not in sent:
            return False
        self.omitted.add(name)
        return name not in _NAMES or not self.omitted.issuperset(_NAMES)

    def is_repeat(self, body: bytes) -> bool:
        """Return, once, whether a request was refused for a signature."""
        if not self._repeats:
            return False
        digest = hashlib.sha256(body).digest()
        return self._repeats.pop(digest, False) is None
