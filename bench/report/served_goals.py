"""The goals of our path before a model server, beside other programs and another commit."""

from collections.abc import Mapping
from typing import Any

from bench.measure.cases import BRIEF, FEW_STREAMS, FLOW, MANY_STREAMS, OURS, OURS_BEFORE
from bench.report.goal import Goal, make_goal
from bench.report.ratios import (
    IN_WINDOW,
    PATH,
    WHOLE,
    RoundFigures,
    Values,
    cpu,
    ratios,
    side_rounds,
    values,
)

Document = Mapping[str, Any]

_PART = "served"
# By program: how often its cost ours may be, at many answers.
_PEERS = {"Portkey": ("portkey", 1.0), "TensorZero": ("tensorzero", 2.5)}
_LITELLM = 0.1
# By how it is asked and by how many: its name, and how often the cost of the commit before.
_BEFORE = {
    ("openai", MANY_STREAMS): ("/v1", 0.4),
    ("openai", FEW_STREAMS): ("/v1", 0.45),
    ("sse", MANY_STREAMS): ("/api_stream", 0.4),
}


def served_goals(document: Document) -> list[Goal]:
    """Return all of them; none where nothing was measured before a model server."""
    if not document[_PART]:
        return []
    return [*_before(document), *_peers(document), *_litellm(document), *_first_chunk(document), _memory(document)]


def _rounds(document: Document, name: str, case: int | str, transport: str = "openai") -> RoundFigures:
    return side_rounds(document, name, transport, case, _PART)


def _before(document: Document) -> list[Goal]:
    """Compare with the other tree; nothing where there was none."""
    goals = []
    for (transport, streams), (name, bound) in _BEFORE.items():
        ours, before = (_rounds(document, side, streams, transport) for side in (OURS, OURS_BEFORE))
        if before:
            figure = f"{name} before a model server, CPU of all per chunk, {streams} answers, over that before"
            goals.append(make_goal(figure, bound, "×", ratios(cpu(ours, *PATH), cpu(before, *PATH))))
    brief, earlier = (_rounds(document, side, BRIEF) for side in (OURS, OURS_BEFORE))
    if earlier:
        measured = ratios(cpu(brief, *PATH, key=WHOLE), cpu(earlier, *PATH, key=WHOLE))
        goals.append(make_goal("/v1 before a model server, beginning and end, over that before", 0.5, "×", measured))
    return goals


def _peers(document: Document) -> list[Goal]:
    ours = cpu(_rounds(document, OURS, MANY_STREAMS), *PATH)
    return [
        make_goal(
            f"/v1 before a model server, CPU of all per chunk, {MANY_STREAMS} answers, over {name}'s",
            bound,
            "×",
            ratios(ours, cpu(_rounds(document, side, MANY_STREAMS))),
        )
        for name, (side, bound) in _PEERS.items()
    ]


def _litellm(document: Document) -> list[Goal]:
    goals = []
    for key, scope in ((IN_WINDOW, ""), (WHOLE, ", with questions' beginnings and ends")):
        ours, theirs = (_rounds(document, side, FEW_STREAMS) for side in (OURS, "litellm"))
        figure = f"/v1 before a model server, CPU of all per chunk, {FEW_STREAMS} answers, over LiteLLM's{scope}"
        goals.append(make_goal(figure, _LITELLM, "×", ratios(cpu(ours, *PATH, key=key), cpu(theirs, key=key))))
    return goals


def _first_chunk(document: Document) -> list[Goal]:
    ours, theirs = (_first(_rounds(document, side, FLOW)) for side in (OURS, "tensorzero"))
    figure = f"/v1 before a model server, first chunk, p50, {FEW_STREAMS} answers, connections left open"
    return [
        make_goal(figure, 2.5, " ms", ours),
        make_goal(f"{figure}, over TensorZero's", 3.0, "×", ratios(ours, theirs)),
    ]


def _first(rounds: RoundFigures) -> Values:
    return values(rounds, "first_delta_ms", "p50")


def _memory(document: Document) -> Goal:
    memory = cpu(_rounds(document, OURS, MANY_STREAMS), *PATH, key="kb_per_stream")
    return make_goal(f"/v1 before a model server, memory of all per stream, {MANY_STREAMS} answers", 80, " kB", memory)
