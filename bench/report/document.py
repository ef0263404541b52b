"""The JSON document of a run."""

import dataclasses
import os
import platform
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import msgspec

from bench.measure.idle import IdleFigures
from bench.measure.rounds import Round
from bench.measure.saturation import SaturationStep
from bench.options import Options
from bench.report import goals

Document = dict[str, Any]
RoundsByCase = Mapping[str, Sequence[Round]]
StepsByTransport = Mapping[str, Sequence[SaturationStep]]

_COUNTS = ("asked", "complete", "incorrect", "unfinished")


def make_document(
    options: Options,
    idle: IdleFigures | None,
    compared: RoundsByCase,
    grown: RoundsByCase,
    steps: StepsByTransport,
    served: RoundsByCase,
    versions: Mapping[str, str],
) -> Document:
    """Return the whole report: `compared`, `grown` and `served` by the names of their cases, rounds in order.

    `versions`: those of other people's programs.
    """
    before = options.before and options.before.name
    document: Document = {
        "settings": dataclasses.asdict(options) | {"before": before, "output": None},
        "machine": {
            "cores": os.cpu_count() or 1,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
            "peers": dict(versions),
        },
        "compared": {name: summarize(rounds) for name, rounds in compared.items()},
        "grown": {name: summarize(rounds) for name, rounds in grown.items()},
        "served": {name: summarize(rounds) for name, rounds in served.items()},
        "rest": msgspec.to_builtins(idle),
        "saturation": msgspec.to_builtins(steps),
    }
    return document | {"goals": msgspec.to_builtins(goals.goals(document))}


def summarize(rounds: Sequence[Round]) -> Document:
    """Return the median of each figure with the least and the most; the answers' counts are added up."""
    documents: list[Document] = [msgspec.to_builtins(round_) for round_ in rounds]
    answers = {key: sum(round_["answers"][key] for round_ in documents) for key in _COUNTS}
    keys = [key for key in documents[0] if key != "answers"] if documents else []
    figures = {key: spread_over([round_[key] for round_ in documents]) for key in keys}
    return {"answers": answers, "figures": figures, "rounds": documents}


def spread_over(values: Sequence[Any]) -> Any:
    """Return [least, median, most] of numbers, or of each part of dictionaries. None in a round doesn't count."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], dict):
        parts = dict.fromkeys(part for value in known for part in value)
        return {part: spread_over([value.get(part) for value in known]) for part in parts}
    return [round(number, 3) for number in (min(known), median(known), max(known))]


def is_complete(document: Document) -> bool:
    """Return whether every answer of every round was complete and correct. Saturation is expected to lose some."""
    sides = [side for part in ("compared", "grown", "served") for side in document[part].values()]
    answers = [side["answers"] for side in sides]
    if document["rest"]:
        answers.append(document["rest"]["standalone"]["answers"])
    return all(counts["complete"] == counts["asked"] for counts in answers)
