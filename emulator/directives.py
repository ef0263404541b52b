"""Directives in questions and scripts: `!name` or `!name=number` in a question, the same without `!` in a script."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self

DIRECTIVE = re.compile(r"(?<!\S)!([a-z0-9-]+)(?:=(\d+(?:\.\d+)?))?(?=$|[\s,.;:!?，。！？])")

OPTIONS = {
    "once": "the outcome applies only the first time that exactly this question arrives; later it is answered",
    "long": "the answer has N characters",
    "deltas": "the answer has N deltas of about fourteen bytes",
    "rate": "R deltas a second, whatever the pace",
    "stamp": "each delta holds ` t=` and time.time_ns() at its sending; no pause before the first one",
    "first": "the first text comes after S seconds, whatever the pace",
    "think": "thoughts come first, N of them; only over /v1",
    "at": "what happens in the middle happens after N deltas (else after half of them)",
}


@dataclass(frozen=True)
class Directives:
    """The directives of a question, and the question without them.

    outcome: the last outcome named, None if none was. options: the number of each option, 1 where none is given.
    number: the number beside the outcome.
    """

    outcome: str | None = None
    options: dict[str, float] = field(default_factory=dict)
    number: float | None = None
    topic: str = ""

    @classmethod
    def parse(cls, text: str, names: Collection[str]) -> Self:
        """Return the directives in a text that name an option or one of these outcomes; all else is ordinary text."""
        outcome, number, options = None, None, {}
        for match in DIRECTIVE.finditer(text):
            name, value = match[1], match[2]
            if name in OPTIONS:
                options[name] = float(value) if value else 1.0
            elif name in names:
                outcome, number = name, float(value) if value else None

        def drop_known(match: re.Match[str]) -> str:
            return "" if match[1] in OPTIONS or match[1] in names else match[0]

        topic = " ".join(DIRECTIVE.sub(drop_known, text).split())
        return cls(outcome, options, number, topic)

    @classmethod
    def parse_script(cls, script: str, names: Collection[str]) -> Self:
        """Return the directives of a script that check_script has passed."""
        return cls.parse(" ".join(f"!{word}" for word in script.split()), names)

    def override(self, script: "Directives") -> "Directives":
        """Return these directives with those of a script in their place where both name one."""
        number = self.number if script.outcome is None else script.number
        return Directives(script.outcome or self.outcome, self.options | script.options, number, self.topic)

    def seconds(self, default: float) -> float:
        """Return the number beside the outcome as a duration."""
        return default if self.number is None else self.number


def check_script(script: str, names: Collection[str]) -> None:
    """Raise ValueError with one sentence unless every word of a script is a known directive."""
    if not script.split():
        raise ValueError("an outcome is empty")
    for word in script.split():
        match = DIRECTIVE.fullmatch(f"!{word}")
        if match is None or (match[1] not in names and match[1] not in OPTIONS):
            raise ValueError(f"there is no outcome {word!r}")
