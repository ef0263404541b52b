"""`python -m bench.report DIR` publishes the run whose `--output` DIR was, in bench/README.md and docs/bench."""

import json
import sys
from pathlib import Path

from bench.errors import BenchError
from bench.report.output import RESULT, pictures
from bench.report.table import table
from bench.systems.processes import ROOT

_BEGIN, _END = "<!-- measured -->", "<!-- /measured -->"


def fill(page: str, text: str) -> str:
    """Return a page with `text` between its two marks. BenchError when it has none."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise BenchError(f"no {_BEGIN} and {_END} to put the table between")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def publish(folder: Path, root: Path = ROOT) -> None:
    """Put a run's table into the README, and its plots beside the documents."""
    document = json.loads((folder / RESULT).read_text())
    readme, plots = root / "bench" / "README.md", root / "docs" / "bench"
    plots.mkdir(parents=True, exist_ok=True)
    files = pictures(document)
    for name, picture in files.items():
        (plots / name).write_text(picture)
    links = "\n".join(f"![{name.removesuffix('.svg')}](../docs/bench/{name})" for name in files)
    readme.write_text(fill(readme.read_text(), f"{table(document)}\n{links}"))


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
