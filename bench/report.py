"""What people read of a run: a line for each round, a table, plots.

`python -m bench.report DIR` puts those of the run whose `--output` DIR was into bench/README.md and docs/bench.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench import plots
from bench.errors import BenchError
from bench.goals import Goal
from bench.processes import ROOT
from bench.rounds import Round

RESULT, TABLE = "result.json", "table.md"
_BEGIN, _END = "<!-- measured -->", "<!-- /measured -->"
_README, _PLOTS = ROOT / "bench" / "README.md", ROOT / "docs" / "bench"
_ROLES = ("gateway", "worker", "redis")
Figures = Mapping[str, Any]


def line(found: Round) -> str:
    """A round on one line."""
    answers, delay = found.answers, found.delay_ms
    told = f"{answers.complete} of {answers.asked} complete"
    if answers.wrong:
        told += f", wrong: {answers.wrong}"
    if found.cpu_us_per_delta is None:
        return f"{told}; its streams were never open at once: try more --seconds"
    cpu = ", ".join(f"{role} {us:g}" for role, us in found.cpu_us_per_delta.items())
    late = f"{delay.p50:g}/{delay.p99:g}" if delay else "–"
    return (
        f"{told}; µs a delta: {cpu}; delay p50/p99 {late} ms; {found.deltas_per_s:g} deltas/s, "
        f"{found.deltas_per_event:g} an event; cores elsewhere {found.cores_elsewhere:g}"
    )


def table(found: Figures) -> str:
    """Goals, sides and saturation as Markdown."""
    parts = [_machine(found), _goals(found)]
    for name, title in (("compared", "Side by side"), ("grown", "By the number of answers at once")):
        if found[name]:
            parts.append(f"### {title}\n\n{_sides(found[name])}")
    if found["saturation"]:
        parts.append(f"### Until it is full\n\n{_saturation(found['saturation'])}")
    return "\n\n".join(parts) + "\n"


def _machine(found: Figures) -> str:
    machine, settings = found["machine"], found["settings"]
    return (
        f"{machine['cores']} cores, Python {machine['python']}, {machine['system']}; {settings['rounds']} rounds, "
        f"{settings['streams'][0]} answers at {settings['rate']:g} deltas a second unless said. "
        "Each figure is the median over rounds, with the least and the most."
    )


def _goals(found: Figures) -> str:
    rows = ["| figure | goal | measured | |", "| --- | --- | --- | --- |"]
    for goal in msgspec.convert(found["goals"], list[Goal]):
        if goal.measured is None:
            rows.append(f"| {goal.figure} | ≤ {goal.bound:g}{goal.unit} | not measured | |")
            continue
        least, middle, most = goal.measured
        spread = f" ({least:.3g}–{most:.3g})" if most > least else ""
        verdict = "met" if goal.met else "**missed**"
        rows.append(f"| {goal.figure} | ≤ {goal.bound:g}{goal.unit} | {middle:.3g}{goal.unit}{spread} | {verdict} |")
    return "\n".join(rows)


def _sides(cases: Figures) -> str:
    rows = [
        "| side | gateway | worker | Redis | client | p50 | p99 | kB gateway | kB worker | cores elsewhere |",
        "| --- " * 10 + "|",
    ]
    for name, case in cases.items():
        figures = case["figures"]
        cpu, delay, memory = (figures[key] or {} for key in ("cpu_us_per_delta", "delay_ms", "kb_per_stream"))
        cells = [cpu.get(role) for role in (*_ROLES, "client")] + [delay.get("p50"), delay.get("p99")]
        cells += [memory.get("gateway"), memory.get("worker"), figures["cores_elsewhere"]]
        rows.append(f"| {name} | " + " | ".join(map(_cell, cells)) + " |")
    head = "CPU in µs per delta, delay in ms, memory per open stream; median (least–most).\n\n"
    return head + "\n".join(rows) + "".join(_redis(name, case["figures"]) for name, case in cases.items())


def _redis(side: str, figures: Figures) -> str:
    """What its Redis did, as a paragraph; nothing where there is none."""
    if not figures["redis_commands"]:
        return ""
    told = [f"{name} {_cell(one['us'])} × {one['per_delta'][1]:g}" for name, one in figures["redis_commands"].items()]
    kept = _cell(figures["redis_kb_per_answer"])
    return f"\n\nRedis of {side}: {kept} kB an answer; µs a command × commands a delta: {', '.join(told)}."


def _cell(spread: Any) -> str:
    if spread is None:
        return ""
    least, middle, most = spread
    return f"{middle:.3g} ({least:.3g}–{most:.3g})" if most > least else f"{middle:.3g}"


def _saturation(found: Figures) -> str:
    head = "| streams | deltas/s | deltas an event | delay p50/p99 ms | cores | stopped by |"
    rows = [head, "| --- " * 6 + "|"]
    for transport, steps in found.items():
        rows += [f"| {transport} {step['streams']} {_step(step)}" for step in steps]
    return "\n".join(rows)


def _step(step: Figures) -> str:
    delay, cores = step["delay_ms"], step["cores"]
    told = f"{delay['p50']:.3g}/{delay['p99']:.3g}" if delay else ""
    busy = ", ".join(f"{role} {share:g}" for role, share in cores.items())
    return f"| {step['deltas_per_s']:,.0f} | {step['deltas_per_event']:.3g} | {told} | {busy} | {step['stop'] or ''} |"


def pictures(found: Figures) -> dict[str, str]:
    """SVG by file name."""
    made = {}
    for name, title in (("compared", "side by side"), ("grown", "by answers at once")):
        if found[name]:
            rows = [(case, _medians(figures["figures"]["cpu_us_per_delta"])) for case, figures in found[name].items()]
            made[f"{name}-cpu.svg"] = plots.bars(f"CPU µs per delta, {title}", rows)
            rows = [
                (f"{case}, {part}", {part: delay[part][1]})
                for case, figures in found[name].items()
                # What makes answers alone sends them to nobody.
                if " alone " not in case and (delay := figures["figures"]["delay_ms"])
                for part in ("p50", "p99")
            ]
            made[f"{name}-delay.svg"] = plots.bars(f"Delay of a delta, ms, {title}", rows)
    if found["saturation"]:
        rows = [
            (f"{transport}, {step['deltas_per_s']:,.0f} deltas/s", step["cores"])
            for transport, steps in found["saturation"].items()
            for step in steps
        ]
        made["saturation.svg"] = plots.bars("Cores that our path keeps busy", rows)
    return made


def _medians(spreads: Figures | None) -> dict[str, float]:
    return {part: spread[1] for part, spread in (spreads or {}).items() if spread and part != "emulator"}


def write(folder: Path, found: Figures) -> None:
    """The result, the table and the plots, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    (folder / TABLE).write_text(table(found))
    for name, picture in pictures(found).items():
        (folder / name).write_text(picture)


def filled(page: str, text: str) -> str:
    """A page with `text` between its two marks. BenchError when it has none."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise BenchError(f"no {_BEGIN} and {_END} to put the table between")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def publish(folder: Path) -> None:
    """Put a run's table into the README, and its plots beside the documents."""
    found = json.loads((folder / RESULT).read_text())
    _PLOTS.mkdir(parents=True, exist_ok=True)
    drawn = pictures(found)
    for name, picture in drawn.items():
        (_PLOTS / name).write_text(picture)
    links = "\n".join(f"![{name.removesuffix('.svg')}](../docs/bench/{name})" for name in drawn)
    _README.write_text(filled(_README.read_text(), f"{table(found)}\n{links}"))


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
