"""`python -m bench.report DIR` publishes the run whose `--output` DIR was, in bench/README.md and in docs.

A run with sides replaces what is published of our path beside them; a run before a model server, or beside another
commit, what is published of those.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.errors import BenchError
from bench.report.capacity import carried_tables, needed_tables
from bench.report.growth import growth_tables, sizes_table
from bench.report.output import RESULT, pictures
from bench.report.table import path_table, sitting_table
from bench.systems.processes import ROOT

_CAPACITY = Path("docs") / "operations" / "capacity.md"
_SERVED_PICTURES = "served-"


def fill(page: str, name: str, text: str) -> str:
    """Return a page with `text` between the two marks of that name. BenchError when it has none."""
    mark, end_mark = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begin, rest = page.partition(mark)
    _, end, after = rest.partition(end_mark)
    if not begin or not end:
        raise BenchError(f"no {mark} and {end_mark} to put the table between")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def publish(folder: Path, root: Path = ROOT) -> None:
    """Put a run's tables into the README and the page on capacity, and its plots beside the documents."""
    document = json.loads((folder / RESULT).read_text())
    plots = pictures(document)
    served = {name: picture for name, picture in plots.items() if name.startswith(_SERVED_PICTURES)}
    readme, capacity = root / "bench" / "README.md", root / _CAPACITY
    if document["settings"]["sides"]:
        links = _draw(root, {name: picture for name, picture in plots.items() if name not in served})
        _fill(readme, "measured", f"{path_table(document)}\n{links}")
        _fill(capacity, "carried", carried_tables(document))
        _fill(capacity, "grown", growth_tables(document))
        if sizes := sizes_table(document):
            _fill(capacity, "sizes", sizes)
    if text := sitting_table(document):
        _fill(readme, "sitting", f"{text}\n{_draw(root, served)}")
    if document["served"]:
        _fill(capacity, "needed", needed_tables(document))


def _fill(page: Path, name: str, text: str) -> None:
    page.write_text(fill(page.read_text(), name, text))


def _draw(root: Path, files: Mapping[str, str]) -> str:
    """Write plots beside the documents and return the lines that show them."""
    plots = root / "docs" / "bench"
    plots.mkdir(parents=True, exist_ok=True)
    for name, picture in files.items():
        (plots / name).write_text(picture)
    return "\n".join(f"![{name.removesuffix('.svg')}](../docs/bench/{name})" for name in files)


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
