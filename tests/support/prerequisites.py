"""Programs that a test needs and a machine may lack."""

import os
import shutil
from typing import NoReturn

import pytest


def unavailable(what: str) -> NoReturn:
    """Skip a test whose prerequisite is missing; in CI (REQUIRE_ALL=1) fail it instead."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"missing: {what}")
    pytest.skip(f"missing: {what}")


def find_program(name: str) -> str:
    """The path of a program, which may be where only root has it in PATH; skip or fail as above without it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/bin")
    if found is None:
        unavailable(name)
    return found
