"""What is learnt of a model at a server of Anthropic's API, from its refusals."""

import re
from dataclasses import dataclass

from worker.errors import UpstreamError
from worker.providers.anthropic.request_options import ThinkingForm
from worker.providers.openai.habits import ServerHabits
from worker.providers.openai.parameters import SIGNATURE

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
_NEXT_FORM: dict[ThinkingForm, ThinkingForm] = {"effort": "budget", "budget": "none"}


@dataclass(frozen=True)
class SentParameters:
    """What of a request is about to be refused. `names` are the parameters that its client can do without.

    `max_tokens` is the limit that was sent, None if it is to remain; `thinking` how the model was asked to think, None
    if its client wrote that itself. `is_repeat`: without old thoughts.
    """

    names: frozenset[str]
    max_tokens: int | None = None
    thinking: ThinkingForm | None = None
    is_repeat: bool = False


@dataclass
class MessageHabits(ServerHabits):
    """One model at one server. `thinking` is how it is asked to think, `most_tokens` the longest answer it allows."""

    thinking: ThinkingForm = "effort"
    most_tokens: int | None = None

    def learn(self, error: UpstreamError, body: bytes, sent: SentParameters) -> str:
        """Learn from a refusal; return the name of what the next request will lack or change, '' for a final one."""
        limit = _MAXIMUM.search(error.words)
        if limit is not None and int(limit[1]) == sent.max_tokens and 0 < int(limit[2]) < sent.max_tokens:
            self.most_tokens = int(limit[2])
            return "max_tokens"
        if error.parameter == SIGNATURE or _THOUGHTS.search(error.words):
            return SIGNATURE if not sent.is_repeat and self.refuse(SIGNATURE, body, ()) else ""
        if sent.thinking in _NEXT_FORM and _THINKING.search(error.words):
            # Another request may have learnt it in the meantime.
            self.thinking = _NEXT_FORM[sent.thinking] if self.thinking == sent.thinking else self.thinking
            return "thinking"
        known = error.parameter in sent.names and self.refuse(error.parameter, body, sent.names)
        return error.parameter if known else ""
