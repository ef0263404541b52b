"""What is learnt of a server, from its refusals and its answers.

A refusal may quote its client's values, and so name any field. It is believed for that request alone, which is sent
once more without the field. What such a repeat was answered without is left out of its client's requests from then on,
and of everybody's once another client's repeat taught the same: what one client sent may have been at fault.
"""

import hashlib
from collections.abc import Collection, Set
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
# How many clients' lessons are known, and how many of each: more than servers refuse of honest requests.
_MOST_CLIENTS = 128
_MOST_LESSONS = 16
# The lesson that calls are to be signed, and what marks a parameter of which a client's value was refused.
SIGNED = "unsigned calls"
_VALUE = "value of "
# What is wrong with one request, and says nothing of the others.
_OF_A_REQUEST = frozenset({SIGNATURE, THOUGHT_SIGNATURE})
# What a repeat was answered without, or the fields beside which its server doesn't stream.
Lesson = str | frozenset[str]


@dataclass(frozen=True)
class Trial:
    """How a request is sent once more: `request` is the digest of its first body, `without` what was refused of it.

    `known` is what of that earlier requests of its client taught.
    """

    request: bytes = b""
    without: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

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
    `whole_beside`. All of that but how text begins and where reasoning is was taught by two clients' requests.
    """

    omitted: set[str] = field(default_factory=set)
    beginning: Beginning = None
    reasoning_field: str = ""
    signs_calls: bool = False
    whole_beside: set[frozenset[str]] = field(default_factory=set)
    _trials: dict[bytes, frozenset[str]] = field(default_factory=dict)
    _lessons: dict[str, set[Lesson]] = field(default_factory=dict)

    def omitted_beside(self, fields: frozenset[str]) -> frozenset[str]:
        """Return what is left out of a request with these fields of its client's."""
        # A request is built in a thread, while others learn.
        whole = any(beside <= fields for beside in tuple(self.whole_beside))
        return frozenset((*self.omitted, *([STREAM] if whole else [])))

    def first_trial(self, client: str, fields: frozenset[str]) -> Trial:
        """Return how a client's requests with these fields are sent at first; FIRST where they taught nothing."""
        lessons = self._lessons.get(client)
        if not lessons:
            return FIRST
        whole = any(lesson <= fields for lesson in lessons if isinstance(lesson, frozenset))
        names = (lesson for lesson in lessons if isinstance(lesson, str))
        known = frozenset((*names, *([STREAM] if whole else [])))
        return Trial(without=known, known=known)

    def find_trial(self, body: bytes, first: Trial = FIRST) -> Trial:
        """Return how a request with this first body is to be sent, since it was refused before; else `first`."""
        if not self._trials:
            return first
        digest = hashlib.sha256(body).digest()
        without = self._trials.get(digest)
        return first if without is None else Trial(digest, without, first.known)

    def refuse(
        self, name: str, body: bytes, sent: Collection[str], trial: Trial = FIRST, *, by_value: bool = False
    ) -> bool:
        """Note that a request was refused for a field; return whether a repeat will be another request.

        `sent` are the fields that it may be about, and `trial` is how it was sent. `by_value`: with another value the
        field may be taken.
        """
        if name in trial.without or not (name in _OF_A_REQUEST or name in sent):
            return False
        if len(trial.without - trial.known) >= _MOST_LEFT_OUT:
            return False
        without = trial.without | {name, *([_VALUE + name] if by_value else [])}
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
        client: str = "",
    ) -> list[str]:
        """Leave out what a request of `client` was answered without, from now on; return what is new of that for all.

        `own` are the fields whose values were the client's, so that their names may not have been at fault. `fields`
        are what the client asked for: one of them may be what the server doesn't stream. `signed`: the request had a
        call with the word in place of a signature, so that the server takes it.
        """
        new = trial.without - trial.known - _OF_A_REQUEST - self.omitted_beside(fields) - frozenset(own)
        lessons: set[Lesson] = {name for name in new if not name.startswith(_VALUE) and _VALUE + name not in new}
        if STREAM in lessons and fields:
            lessons -= {STREAM}
            if sum(map(len, fields)) <= _LONGEST_SET:
                lessons.add(fields)
        if signed and THOUGHT_SIGNATURE in trial.without and not self.signs_calls:
            lessons.add(SIGNED)
        return self._adopt(self._note_lessons(client, lessons)) if lessons else []

    def _note_lessons(self, client: str, lessons: set[Lesson]) -> set[Lesson]:
        """Note what a client's request taught; return those lessons that another client's taught too."""
        own = self._lessons.pop(client, set())
        others = set[Lesson]().union(*self._lessons.values())
        agreed = {known for lesson in lessons if (known := _find_agreed(lesson, others)) is not None}
        own |= set(list(lessons - own)[: _MOST_LESSONS - len(own)])
        self._lessons[client] = own
        while len(self._lessons) > _MOST_CLIENTS:
            del self._lessons[next(iter(self._lessons))]
        return agreed

    def _adopt(self, lessons: Set[Lesson]) -> list[str]:
        """Let these lessons count for everybody; return what is left out anew."""
        self.signs_calls = self.signs_calls or SIGNED in lessons
        for lesson in lessons:
            if isinstance(lesson, frozenset) and len(self.whole_beside) < _MOST_WHOLE:
                self.whole_beside.add(lesson)
        new = {lesson for lesson in lessons if isinstance(lesson, str)} - {SIGNED}
        if len(self.omitted) + len(new) > _MOST_OMITTED:
            new &= OWN_PARAMETERS
        self.omitted |= new
        return sorted(new)


def _find_agreed(lesson: Lesson, others: Set[Lesson]) -> Lesson | None:
    """Return what of a lesson others taught as well; beside more fields a server doesn't stream either."""
    if isinstance(lesson, str):
        return lesson if lesson in others else None
    sets = (other for other in others if isinstance(other, frozenset))
    return next((lesson | other for other in sets if lesson <= other or other <= lesson), None)
