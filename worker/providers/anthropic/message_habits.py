"""What is learnt of a model at a server of Anthropic's API, from its refusals."""

import re
from collections.abc import Set
from dataclasses import dataclass

from worker.errors import UpstreamError
from worker.providers.anthropic.request_options import ThinkingForm
from worker.providers.openai.habits import FIRST, Lesson, ServerHabits, Trial
from worker.providers.openai.parameters import SIGNATURE, refuses_name

# Where a server's own words begin, maybe inside another one's: what they quote further on is a client's.
_BEGIN = r"""(?:^|"message": ?")["'`]?(?:body\.)?"""
_MAXIMUM = re.compile(_BEGIN + r"max_tokens: (\d+) > (\d+)")
_WAYS = r"(?:thinking|effort|output_config)"
_UNKNOWN = r"(?:unknown|unsupported|unexpected|unrecogni[sz]ed|(?:not|n't) (?:support|permit|allow|recogni)\w*)"
_THINKING = re.compile(
    rf"{_BEGIN}{_WAYS}\b[\w.]*[\"'`]?(?::| is\b)"
    rf"|\b{_WAYS}\b[^.,:;]{{0,60}}\b{_UNKNOWN}|\b{_UNKNOWN}\b[^.,;]{{0,60}}[ \"'`]{_WAYS}\b",
    re.IGNORECASE,
)
# Old thoughts that the server doesn't take, or that it misses.
_THOUGHTS = re.compile(
    r"`?signature`? in `?thinking`?|`thinking`.{0,40}blocks.{0,60}cannot be modified|expected `thinking`", re.IGNORECASE
)
# How a limit of an answer's tokens that was refused is known, ahead of the one that the server allows.
_LIMIT = "max_tokens above "
_FORMS: tuple[ThinkingForm, ...] = ("effort", "budget", "none")


@dataclass(frozen=True)
class SentParameters:
    """What of a request is about to be refused. `names` are the parameters that its client can do without.

    `max_tokens` is the limit that was sent, None if it is to remain; `thinking` how the model was asked to think, None
    if its client wrote that itself. `trial` is how a request is sent that was refused before, and `fields` are what its
    client asks for beside the messages. `own` are those of the names whose values are the client's.
    """

    names: frozenset[str]
    max_tokens: int | None = None
    thinking: ThinkingForm | None = None
    trial: Trial = FIRST
    fields: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()


@dataclass
class MessageHabits(ServerHabits):
    """One model at one server. `thinking` is how it is asked to think, `most_tokens` the longest answer it allows."""

    thinking: ThinkingForm = "effort"
    most_tokens: int | None = None

    def thinking_form(self, trial: Trial) -> ThinkingForm:
        """Return how a request asks to think: the first form that was refused neither for all nor of this one."""
        own = _FORMS[_FORMS.index(self.thinking) : -1]
        return next((form for form in own if _refused_form(form) not in trial.without), _FORMS[-1])

    def longest_answer(self, trial: Trial) -> int | None:
        """Return how many tokens a request may ask for, as far as that is known for all or for this one."""
        own = [int(name.removeprefix(_LIMIT)) for name in trial.without if name.startswith(_LIMIT)]
        return min((*own, *([] if self.most_tokens is None else [self.most_tokens])), default=None)

    def learn(self, error: UpstreamError, body: bytes, sent: SentParameters) -> str:
        """Learn from a refusal; return the name of what the next request will lack or change, '' for a final one."""
        name, names = error.parameter, sent.names
        limit = _MAXIMUM.search(error.words)
        if limit is not None and int(limit[1]) == sent.max_tokens and 0 < int(limit[2]) < sent.max_tokens:
            name = f"{_LIMIT}{int(limit[2])}"
            names = frozenset({name})
        elif name == SIGNATURE or _THOUGHTS.search(error.words):
            name, names = SIGNATURE, frozenset({SIGNATURE})
        elif sent.thinking in _FORMS[:-1] and _THINKING.search(error.words):
            name = _refused_form(sent.thinking)
            names = frozenset({name})
        by_value = name in sent.own and not refuses_name(error.words)
        return name if name in names and self.refuse(name, body, names, sent.trial, by_value=by_value) else ""

    def _adopt(self, lessons: Set[Lesson]) -> list[str]:
        forms = [_refused_form(form) for form in _FORMS]
        own = {
            lesson for lesson in lessons if isinstance(lesson, str) and (lesson in forms or lesson.startswith(_LIMIT))
        }
        taught = Trial(without=frozenset(own))
        thinking, self.thinking = self.thinking, self.thinking_form(taught)
        most, self.most_tokens = self.most_tokens, self.longest_answer(taught)
        changed = {"thinking": self.thinking != thinking, "max_tokens": self.most_tokens != most}
        return [*super()._adopt(lessons - own), *(name for name, is_new in changed.items() if is_new)]


def _refused_form(form: ThinkingForm) -> str:
    return f"thinking by {form}"
