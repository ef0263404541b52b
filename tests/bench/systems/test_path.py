"""What the measured processes are given."""

from pathlib import Path

import pytest

from bench.systems.path import System, split_by_transport, write_accounts
from bench.systems.processes import Processes, free_ports
from bench.systems.valkey import relocate, start_valkey
from worker.accounts.directory import load_accounts


def test_the_accounts_are_ones_that_a_worker_takes(tmp_path: Path) -> None:
    write_accounts(tmp_path / "cookies")
    contents = load_accounts(tmp_path / "cookies")
    assert (len(contents.accounts), contents.problems, contents.warnings) == (4, (), ())


def test_only_the_places_of_a_configuration_change() -> None:
    deployed = "# dir\nbind * -::*\nappendonly yes\n\ndir /data\ndirectory x\n"
    config = relocate(deployed, {"bind": "127.0.0.1", "dir": "/tmp/x"})
    assert config.splitlines() == ["# dir", "appendonly yes", "", "directory x", "bind 127.0.0.1", "dir /tmp/x"]


def test_each_transport_has_gateways_of_its_own_before_the_same_worker() -> None:
    path = System("path", [1, 2, 3, 4], {"gateway": [11, 12, 13, 14], "worker": [20]}, redis=6)
    sse, sockets = split_by_transport(path, ("sse", "ws"))
    assert (sse.side, sse.ports, sse.roles) == ("path sse", [1, 2], {"gateway": [11, 12], "worker": [20]})
    assert (sockets.side, sockets.ports, sockets.roles) == ("path ws", [3, 4], {"gateway": [13, 14], "worker": [20]})
    assert sse.redis == sockets.redis == 6


@pytest.mark.anyio
async def test_a_redis_starts_in_a_folder_whose_name_has_spaces(tmp_path: Path) -> None:
    folder, [port] = tmp_path / "path x2", free_ports(1)
    folder.mkdir()
    async with Processes(tmp_path) as processes:
        await start_valkey(processes, folder, "a redis", port)
