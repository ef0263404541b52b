"""Outcomes asked for by words: `!name` or `!name=number` in a question, the same without `!` in a script."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

WORD = re.compile(r"(?<!\S)!([a-z0-9-]+)(?:=(\d+(?:\.\d+)?))?(?=$|[\s,.;:!?，。！？])")

OPTIONS = {
    "once": "the outcome applies only the first time that exactly this question arrives; later it is answered",
    "long": "the answer has N characters",
    "deltas": "the answer has N deltas of about fourteen bytes",
    "rate": "R deltas a second, whatever the pace",
    "stamp": "each delta holds ` t=` and time.time_ns() at its sending; no pause before the first one",
    "first": "the first text comes after S seconds, whatever the pace",
    "at": "what happens in the middle happens after N deltas (else after half of them)",
}


@dataclass(frozen=True)
class Words:
    """outcome: the last outcome named, None if none was. options: number of each option, 1 where none is given."""

    outcome: str | None = None
    options: dict[str, float] = field(default_factory=dict)
    number: float | None = None
    topic: str = ""


def read(text: str, names: Collection[str]) -> Words:
    """The words in a question. Unknown ones are ordinary text; the topic is what is left without the known ones."""
    outcome, number, options = None, None, {}
    for found in WORD.finditer(text):
        name, value = found[1], found[2]
        if name in OPTIONS:
            options[name] = float(value) if value else 1.0
        elif name in names:
            outcome, number = name, float(value) if value else None

    def drop(found: re.Match[str]) -> str:
        return "" if found[1] in OPTIONS or found[1] in names else found[0]

    topic = " ".join(WORD.sub(drop, text).split())
    return Words(outcome, options, number, topic)


def check(script: str, names: Collection[str]) -> None:
    """Raise ValueError with one sentence unless every word of a script is known."""
    if not script.split():
        raise ValueError("an outcome is empty")
    for word in script.split():
        found = WORD.fullmatch(f"!{word}")
        if found is None or (found[1] not in names and found[1] not in OPTIONS):
            raise ValueError(f"there is no outcome {word!r}")


def scripted(script: str, names: Collection[str]) -> Words:
    """The words of a script that check has passed."""
    return read(" ".join(f"!{word}" for word in script.split()), names)
