"""Programs that a test needs and a machine may lack."""

import os
from typing import NoReturn

import pytest


def unavailable(what: str) -> NoReturn:
    """Skip a test whose prerequisite is missing; in CI (REQUIRE_ALL=1) fail it instead."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"missing: {what}")
    pytest.skip(f"missing: {what}")
