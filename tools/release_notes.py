"""Print the changelog's section of a version: `python -m tools.release_notes 0.1.0`."""

import argparse
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"


def section(changelog: str, version: str) -> str:
    """Return what is below the heading of a version, up to the next version's.

    Raises:
        LookupError: there is no such section, or nothing is in it.

    """
    for part in changelog.split("\n## ")[1:]:
        heading, _, notes = part.partition("\n")
        if heading.split()[:1] == [version] and notes.strip():
            return notes.strip() + "\n"
    raise LookupError(f"the changelog has no section {version}")


def main(arguments: list[str]) -> None:
    """Print the notes of the version named; exit with 1 and a sentence if there are none."""
    parser = argparse.ArgumentParser(prog="python -m tools.release_notes", description=__doc__)
    parser.add_argument("version", help="as in the changelog, without v")
    version = parser.parse_args(arguments).version
    try:
        sys.stdout.write(section(CHANGELOG.read_text(encoding="utf-8"), version))
    except LookupError as error:
        sys.exit(error.args[0])


if __name__ == "__main__":
    main(sys.argv[1:])
