"""The accounts and the gateways of a measured path."""

from pathlib import Path

from bench.systems.path import System, split_by_transport, write_accounts
from worker.accounts.directory import load_accounts


def test_the_accounts_are_ones_that_a_worker_takes(tmp_path: Path) -> None:
    write_accounts(tmp_path / "cookies")
    contents = load_accounts(tmp_path / "cookies")
    assert (len(contents.accounts), contents.problems, contents.warnings) == (4, (), ())


def test_each_transport_has_gateways_of_its_own_before_the_same_worker() -> None:
    path = System("path", [1, 2, 3, 4], {"gateway": [11, 12, 13, 14], "worker": [20]}, redis=6)
    sse, sockets = split_by_transport(path, ("sse", "ws"))
    assert (sse.side, sse.ports, sse.roles) == ("path sse", [1, 2], {"gateway": [11, 12], "worker": [20]})
    assert (sockets.side, sockets.ports, sockets.roles) == ("path ws", [3, 4], {"gateway": [13, 14], "worker": [20]})
    assert sse.redis == sockets.redis == 6
