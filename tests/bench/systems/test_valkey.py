"""A Valkey with the deployed configuration."""

from pathlib import Path

import pytest

from bench.systems.processes import Processes, free_ports
from bench.systems.valkey import relocate, start_valkey


def test_only_the_places_of_a_configuration_change() -> None:
    deployed = "# dir\nbind * -::*\nappendonly yes\n\ndir /data\ndirectory x\n"
    config = relocate(deployed, {"bind": "127.0.0.1", "dir": "/tmp/x"})
    assert config.splitlines() == ["# dir", "appendonly yes", "", "directory x", "bind 127.0.0.1", "dir /tmp/x"]


@pytest.mark.anyio
async def test_a_redis_starts_in_a_folder_whose_name_has_spaces(tmp_path: Path) -> None:
    folder, [port] = tmp_path / "path x2", free_ports(1)
    folder.mkdir()
    async with Processes(tmp_path) as processes:
        await start_valkey(processes, folder, "a redis", port)
