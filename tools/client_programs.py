"""Write the table of client programs into its guide: `python -m tools.client_programs`, part of `make reference`."""

import re
from pathlib import Path

from tests.support.external.catalogue import API, FURTHER, PROGRAMS, RESULTS, Program, Step, read_results

_ROOT = Path(__file__).parent.parent
PAGE = _ROOT / "docs" / "guides" / "client-programs.md"
_PLACE = re.compile(r"(?<=<!-- programs -->\n).*?(?=<!-- /programs -->)", re.DOTALL)
_HEADINGS: dict[Step, str] = {"chat": "chat", "tools": "tools", "schema": "schemas", "picture": "pictures"}
_FURTHER: dict[Step, str] = {"thinking": "thoughts", "count": "tokens counted", "embeddings": "embeddings"}
_APIS: dict[API, str] = {"chat": "chat completions", "responses": "Responses", "anthropic": "Anthropic"}


def main() -> None:
    """Write the table into the page."""
    PAGE.write_text(insert(PAGE.read_text(encoding="utf-8"), render()), encoding="utf-8")


def insert(page: str, table: str) -> str:
    """Return a page with the table at its place. ValueError for a page without one."""
    if not _PLACE.search(page):
        raise ValueError("the page has no place for the table")
    return _PLACE.sub(lambda _: f"{table}\n", page)


def render(programs: dict[str, Program] = PROGRAMS, folder: Path = RESULTS) -> str:
    """Return the table of the programs and their recorded results, and the reasons for what isn't a yes."""
    results = {name: read_results(name, folder) for name in programs}
    tried = [name for name in programs if results[name]]
    rows = ["program", "version", "API", *_HEADINGS.values(), "also"], ["---"] * (4 + len(_HEADINGS))
    cells = [_row(programs[name], results[name]) for name in tried]
    table = [f"| {' | '.join(row)} |" for row in (*rows, *cells)]
    reasons = [f"- {line}" for name in programs for line in _reasons(programs[name], results[name])]
    return "\n".join(["", *table, "", *dict.fromkeys(reasons), *([""] if reasons else [])])


def _row(program: Program, results: dict[str, str]) -> list[str]:
    steps = [_cell(program, results, step) for step in _HEADINGS]
    return [program.title, results["version"], _APIS[program.api], *steps, _further(program, results)]


def _cell(program: Program, results: dict[str, str], step: Step) -> str:
    return "–" if step in program.without else results.get(step, "not tried")


def _further(program: Program, results: dict[str, str]) -> str:
    """Return the further steps that the program has, with the result of those that aren't a yes."""
    found = {_FURTHER[step]: results.get(step, "not tried") for step in FURTHER if program.jobs_of(step)}
    return ", ".join(name if result == "yes" else f"{name}: {result}" for name, result in found.items())


def _reasons(program: Program, results: dict[str, str]) -> list[str]:
    """Return a sentence for each thing that is not there, that fails, or that was never tried."""
    if program.not_tried:
        return [f"{program.title} was not tried: {program.not_tried}"]
    if not results:
        return []
    absent = [f"{program.title}, {(_HEADINGS | _FURTHER)[step]}: {reason}" for step, reason in program.without.items()]
    missing = [f"{program.title}, {_name(job)}: {reason}" for job, reason in program.missing.items()]
    only = [f"{program.title}, `{job}` before Anthropic's API: {reason}" for job, reason in program.openai_only.items()]
    return absent + missing + only


def _name(job: str) -> str:
    return next((heading for step, heading in (_HEADINGS | _FURTHER).items() if step == job), f"`{job}`")


if __name__ == "__main__":
    main()
