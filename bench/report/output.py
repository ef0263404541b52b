"""The files of a run: the document, the table and the plots."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.report import plots
from bench.report.table import table

Document = Mapping[str, Any]

RESULT, TABLE = "result.json", "table.md"


def pictures(document: Document) -> dict[str, str]:
    """Return SVG by file name."""
    files = {}
    for name, title in (
        ("compared", "side by side"),
        ("grown", "by answers at once"),
        ("served", "before one model server"),
    ):
        if document[name]:
            cases = {case: summary["figures"] for case, summary in document[name].items()}
            rows = [(case, _medians(figures["cpu_us_per_delta"])) for case, figures in cases.items()]
            files[f"{name}-cpu.svg"] = plots.bars(f"CPU µs per delta, {title}", rows)
            rows = [
                (f"{case}, {part}", {part: delay[part][1]})
                for case, figures in cases.items()
                # What makes answers alone sends them to no client.
                if " alone " not in case and (delay := figures["delay_ms"])
                for part in ("p50", "p99")
            ]
            files[f"{name}-delay.svg"] = plots.bars(f"Delay of a delta, ms, {title}", rows)
    if document["saturation"]:
        rows = [
            (f"{transport}, {step['deltas_per_s']:,.0f} deltas/s", step["cores"])
            for transport, steps in document["saturation"].items()
            for step in steps
        ]
        files["saturation.svg"] = plots.bars("Cores that our path keeps busy", rows)
    return files


def _medians(spreads: Document | None) -> dict[str, float]:
    return {
        part: spread[1] for part, spread in (spreads or {}).items() if spread and part not in ("emulator", "upstream")
    }


def write(folder: Path, document: Document) -> None:
    """Write the result, the table and the plots into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    (folder / TABLE).write_text(table(document))
    for name, picture in pictures(document).items():
        (folder / name).write_text(picture)
