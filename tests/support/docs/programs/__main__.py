"""The stand-ins for programs: `python -m tests.support.docs.programs NAME ARGUMENTS`."""

import importlib
import sys

from tests.support.docs.programs.arguments import UnknownError
from tests.support.docs.programs.table import PROGRAMS


def main() -> int:
    """Run one; what it doesn't know ends it with 64."""
    name, *arguments = sys.argv[1:]
    try:
        module, function = PROGRAMS[name].split(".")
        run = getattr(importlib.import_module(f"tests.support.docs.programs.{module}"), function)
        return int(run(arguments))
    except UnknownError as error:
        sys.stderr.write(f"{' '.join([name, *arguments])}: {error}\n")
        return 64


sys.exit(main())
