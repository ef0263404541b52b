"""What the tests of peers share: where a peer is started, with a program in its place."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.systems.processes import Processes


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    """Return processes that end with the test."""
    async with Processes(tmp_path) as running:
        yield running
