"""The model server as a process."""

from pathlib import Path

import pytest

from bench.systems.processes import Processes, is_ready
from bench.systems.upstream_process import start_upstream

pytestmark = pytest.mark.anyio


async def test_it_listens_where_its_address_says(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        upstream = await start_upstream(processes)
        assert upstream.url == f"http://127.0.0.1:{upstream.port}"
        assert await is_ready(upstream.port, "/v1/models")
