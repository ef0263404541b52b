"""From what was measured to the document that the bench prints."""

import dataclasses
import os
import platform
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import msgspec

from bench import goals
from bench.options import Options
from bench.rest import Rest
from bench.rounds import Round
from bench.saturation import Step

Figures = dict[str, Any]
Rounds = Mapping[str, Sequence[Round]]
Steps = Mapping[str, Sequence[Step]]

_COUNTS = ("asked", "complete", "incorrect", "unfinished")


def document(options: Options, rest: Rest | None, compared: Rounds, grown: Rounds, steps: Steps) -> Figures:
    """The whole report: `compared` and `grown` by the names of their cases, rounds in order; `steps` by transport."""
    found: Figures = {
        "settings": dataclasses.asdict(options) | {"output": None},
        "machine": {
            "cores": os.cpu_count() or 1,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
        },
        "compared": {name: summary(rounds) for name, rounds in compared.items()},
        "grown": {name: summary(rounds) for name, rounds in grown.items()},
        "rest": msgspec.to_builtins(rest),
        "saturation": msgspec.to_builtins(steps),
    }
    return found | {"goals": msgspec.to_builtins(goals.goals(found))}


def summary(rounds: Sequence[Round]) -> Figures:
    """The median of each figure with the least and the most; the answers' counts are added up."""
    made: list[Figures] = [msgspec.to_builtins(one) for one in rounds]
    answers = {key: sum(one["answers"][key] for one in made) for key in _COUNTS}
    keys = [key for key in made[0] if key != "answers"] if made else []
    figures = {key: spread_over([one[key] for one in made]) for key in keys}
    return {"answers": answers, "figures": figures, "rounds": made}


def spread_over(values: Sequence[Any]) -> Any:
    """[least, median, most] of numbers, or of each part of dictionaries. What is None in a round doesn't count."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], dict):
        parts = dict.fromkeys(part for value in known for part in value)
        return {part: spread_over([value.get(part) for value in known]) for part in parts}
    return [round(found, 3) for found in (min(known), median(known), max(known))]


def complete(found: Figures) -> bool:
    """Whether every answer of every round was whole and true. Saturation is there to lose some."""
    sides = [*found["compared"].values(), *found["grown"].values()]
    answers = [side["answers"] for side in sides]
    if found["rest"]:
        answers.append(found["rest"]["standalone"]["answers"])
    return all(one["complete"] == one["asked"] for one in answers)
