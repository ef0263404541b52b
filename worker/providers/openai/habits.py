"""What is learnt of a server, from its refusals and its answers.

A refusal may quote its client's values, and so name any field. It is believed for that request alone, which is sent
once more without the field; what such a repeat was answered without is left out for everybody from then on.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

from worker.accounts.account import MaxTokensName
from worker.providers.openai.parameters import (
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    OWN_PARAMETERS,
    SIGNATURE,
    STREAM,
    THOUGHT_SIGNATURE,
)
from worker.providers.openai.thoughts import Beginning

# How many requests that are to be repeated otherwise are known at a time, and how much is left out of one of them.
_MOST_TRIALS = 1024
_MOST_LEFT_OUT = 16
# How many fields of earlier answers are left out for everybody: clients can make some up.
_MOST_OMITTED = 256
# How many sets of fields are known beside which a server doesn't stream, and characters of all names in one of them.
_MOST_WHOLE = 64
_LONGEST_SET = 1024
_NAMES: tuple[MaxTokensName, MaxTokensName] = (MAX_TOKENS, MAX_COMPLETION_TOKENS)
# What is wrong with one request, and says nothing of the others.
_OF_A_REQUEST = frozenset({SIGNATURE, THOUGHT_SIGNATURE})


@dataclass(frozen=True)
class Trial:
    """How a request is sent once more: `request` is the digest of its first body, `without` what was refused of it."""

    request: bytes = b""
    without: frozenset[str] = frozenset()

    @property
    def thinking(self) -> bool:
        """Whether it has its old reasoning."""
        return not self.without & _OF_A_REQUEST


FIRST = Trial()


def max_tokens_name(usual: MaxTokensName, omitted: Collection[str]) -> MaxTokensName:
    """Return a server's name for that parameter: the `usual` one, unless it refuses only that."""
    other = _NAMES[usual == _NAMES[0]]
    return other if usual in omitted and other not in omitted else usual


@dataclass
class ServerHabits:
    """One model at one server. `omitted` are the parameters of ours that it refuses, and fields of earlier answers.

    `beginning` is how its text begins, and `reasoning_field` where it sends reasoning. `signs_calls`: it wants calls
    back with its signature, or with a word in its place. It doesn't stream what has all fields of one of the sets in
    `whole_beside`.
    """

    omitted: set[str] = field(default_factory=set)
    beginning: Beginning = None
    reasoning_field: str = ""
    signs_calls: bool = False
    whole_beside: set[frozenset[str]] = field(default_factory=set)
    _trials: dict[bytes, frozenset[str]] = field(default_factory=dict)

    def omitted_beside(self, fields: frozenset[str]) -> frozenset[str]:
        """Return what is left out of a request with these fields of its client's."""
        # A request is built in a thread, while others learn.
        whole = any(beside <= fields for beside in tuple(self.whole_beside))
        return frozenset((*self.omitted, *([STREAM] if whole else [])))

    def find_trial(self, body: bytes) -> Trial:
        """Return how a request with this first body is to be sent, since it was refused before; else FIRST."""
        if not self._trials:
            return FIRST
        digest = hashlib.sha256(body).digest()
        without = self._trials.get(digest)
        return FIRST if without is None else Trial(digest, without)

    def refuse(self, name: str, body: bytes, sent: Collection[str], trial: Trial = FIRST) -> bool:
        """Note that a request was refused for a field; return whether a repeat will be another request.

        `sent` are the fields that it may be about, and `trial` is how it was sent.
        """
        if name in trial.without or not (name in _OF_A_REQUEST or name in sent):
            return False
        if len(trial.without) >= _MOST_LEFT_OUT:
            return False
        without = trial.without | {name}
        if name in _NAMES and (self.omitted | without).issuperset(_NAMES):
            return False
        self._trials[trial.request or hashlib.sha256(body).digest()] = without
        while len(self._trials) > _MOST_TRIALS:
            del self._trials[next(iter(self._trials))]
        return True

    def confirm(
        self,
        trial: Trial,
        own: Collection[str] = (),
        *,
        fields: frozenset[str] = frozenset(),
        signed: bool = False,
    ) -> list[str]:
        """Leave out what a request was answered without, from now on; return what is new of that.

        `own` are the fields whose values were the client's, so that their names may not have been at fault. `fields`
        are what the client asked for: one of them may be what the server doesn't stream. `signed`: the request had a
        call with the word in place of a signature, so that the server takes it.
        """
        self.signs_calls = self.signs_calls or (signed and THOUGHT_SIGNATURE in trial.without)
        new = trial.without - _OF_A_REQUEST - self.omitted_beside(fields) - frozenset(own)
        if STREAM in new and fields:
            new -= {STREAM}
            if len(self.whole_beside) < _MOST_WHOLE and sum(map(len, fields)) <= _LONGEST_SET:
                self.whole_beside.add(fields)
        if len(self.omitted) + len(new) > _MOST_OMITTED:
            new &= OWN_PARAMETERS
        self.omitted |= new
        return sorted(new)
