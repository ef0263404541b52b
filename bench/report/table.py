"""The Markdown table of a run: goals, sides and saturation."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure.first_text import STEPS
from bench.report.cell import cell
from bench.report.goal import Goal
from bench.report.goals import path_goals, sitting_goals
from bench.report.served_table import served_table

Document = Mapping[str, Any]

_ROLES = ("gateway", "worker", "redis")


def table(document: Document) -> str:
    """Return everything as Markdown."""
    return f"{path_table(document)}\n{sitting_table(document)}"


def path_table(document: Document) -> str:
    """Return our path beside the floor, the plain way and EdgeGPT: goals, sides and saturation."""
    settings = document["settings"]
    asked = f"{settings['streams'][0]} answers at {settings['rate']:g} deltas a second unless noted otherwise."
    parts = [_machine(document, asked), _goals(path_goals(document))]
    for name, title in (("compared", "Side by side"), ("grown", "By the number of answers at once")):
        if document[name]:
            parts.append(f"### {title}\n\n{_sides(document[name])}")
    if document["rest"]:
        parts.append(f"### First text at rest\n\n{_first_text(document['rest']['first_text'])}")
    if document["saturation"]:
        parts.append(f"### Until it is full\n\n{_saturation(document['saturation'])}")
    return "\n\n".join(parts) + "\n"


def sitting_table(document: Document) -> str:
    """Return our path before a model server beside other programs, and beside another commit; "" without either."""
    goals, served = sitting_goals(document), document["served"]
    if not goals:
        return ""
    asked = f"answers at {document['settings']['rate']:g} chunks a second."
    parts = ["### Beside other programs and another commit", _machine(document, asked), _goals(goals)]
    if served:
        parts.append(served_table(served, document["machine"]["peers"]))
    return "\n\n".join(parts) + "\n"


def _first_text(first_text: Mapping[str, Any]) -> str:
    rows = ["| from the arrival of | µs to the next | what happens |", "| --- | --- | --- |"]
    rows += [f"| `{name}` | {took} | {STEPS[name]} |" for name, took in first_text["steps_us"].items()]
    rows.append(f"| before and after | {first_text['rest_us']} | the client, the gateway, and what Redis publishes |")
    return "\n".join(rows)


def _machine(document: Document, asked: str) -> str:
    machine, rounds = document["machine"], document["settings"]["rounds"]
    return (
        f"{machine['cores']} cores, Python {machine['python']}, {machine['system']}; {rounds} rounds, {asked} "
        "Each figure is the median over rounds, with the least and the most."
    )


def _goals(goals: Sequence[Goal]) -> str:
    rows = ["| figure | goal | measured | |", "| --- | --- | --- | --- |"]
    for goal in goals:
        if goal.measured is None:
            rows.append(f"| {goal.figure} | ≤ {goal.bound:g}{goal.unit} | not measured | |")
            continue
        least, middle, most = goal.measured
        spread = f" ({least:.3g}–{most:.3g})" if most > least else ""
        verdict = "met" if goal.met else "**missed**"
        rows.append(f"| {goal.figure} | ≤ {goal.bound:g}{goal.unit} | {middle:.3g}{goal.unit}{spread} | {verdict} |")
    return "\n".join(rows)


def _sides(cases: Document) -> str:
    rows = [
        "| side | gateway | worker | Redis | client | p50 | p99 | kB gateway | kB worker | cores elsewhere |",
        "| --- " * 10 + "|",
    ]
    for name, case in cases.items():
        figures = case["figures"]
        cpu, delay, memory = (figures[key] or {} for key in ("cpu_us_per_delta", "delay_ms", "kb_per_stream"))
        cells = [cpu.get(role) for role in (*_ROLES, "client")] + [delay.get("p50"), delay.get("p99")]
        cells += [memory.get("gateway"), memory.get("worker"), figures["cores_elsewhere"]]
        rows.append(f"| {name} | " + " | ".join(map(cell, cells)) + " |")
    head = "CPU in µs per delta, delay in ms, memory per open stream; median (least–most).\n\n"
    return head + "\n".join(rows) + "".join(_redis(name, case["figures"]) for name, case in cases.items())


def _redis(side: str, figures: Document) -> str:
    """Return a paragraph on what a side's Redis did; nothing where it has none."""
    commands = figures["redis_commands"]
    if not commands:
        return ""
    costs = [f"{name} {cell(stats['us'])} × {stats['per_delta'][1]:g}" for name, stats in commands.items()]
    size = cell(figures["redis_kb_per_answer"])
    return f"\n\nRedis of {side}: {size} kB an answer; µs a command × commands a delta: {', '.join(costs)}."


def _saturation(steps_by_transport: Document) -> str:
    head = "| streams | deltas/s | deltas an event | delay p50/p99 ms | cores | stopped by |"
    rows = [head, "| --- " * 6 + "|"]
    for transport, steps in steps_by_transport.items():
        rows += [f"| {transport} {step['streams']} {_step(step)}" for step in steps]
    return "\n".join(rows)


def _step(step: Document) -> str:
    delay, cores = step["delay_ms"], step["cores"]
    delays = f"{delay['p50']:.3g}/{delay['p99']:.3g}" if delay else ""
    busy = ", ".join(f"{role} {share:g}" for role, share in cores.items())
    return (
        f"| {step['deltas_per_s']:,.0f} | {step['deltas_per_event']:.3g} | {delays} | {busy} | {step['stop'] or ''} |"
    )
