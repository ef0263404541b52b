"""deploy/start-redis.sh: what a server in a container is, and which one it follows, by REDIS_URL and its name."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT

DEPLOY = ROOT / "deploy"
SENTINEL = "redis+sentinel://sentinel-1,sentinel-2,sentinel-3/bing"
CLUSTER = "redis+cluster://redis,redis-2:6379"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Programs that note how they are called. Redis answers, and the names of servers are known but for redis-3."""
    folder = tmp_path / "programs"
    folder.mkdir()
    scripts = {
        "redis-server": f'echo "$@" >"{tmp_path}/started"',
        "redis-cli": f'if [ "$*" = ping ]; then echo PONG; else echo "$*" >>"{tmp_path}/commands"; fi',
        "getent": '[ "$2" = redis-3 ] || echo "198.51.100.${#2} $2"',
    }
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return folder


class Server:
    """A server's folder, in which it is started again and again."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir()
        self._programs = programs

    def start(self, name: str, url: str) -> "subprocess.CompletedProcess[str]":
        """Start it; the script has ended then, and what it left running too."""
        return subprocess.run(
            ["sh", DEPLOY / "start-redis.sh", name],
            env={"PATH": f"{self._programs}:{os.environ['PATH']}", "REDIS_URL": url},
            cwd=self.data,
            timeout=20,
            capture_output=True,
            text=True,
        )

    @property
    def started(self) -> str:
        """Return the arguments with which Redis was started."""
        return (self.folder / "started").read_text().strip()

    @property
    def configuration(self) -> list[str]:
        """Return the directives with which Redis was started."""
        return Path(self.started).read_text().splitlines()

    @property
    def follows(self) -> list[str]:
        """Return which server the configuration makes it follow."""
        return [line for line in self.configuration if line.startswith("replicaof")]


@pytest.fixture
def server(tmp_path: Path, programs: Path) -> Server:
    return Server(tmp_path, programs)


@pytest.mark.parametrize("url", ["", "redis://redis:6379/0", "rediss+sentinel://a.example.org/bing"])
def test_one_redis_has_its_configuration_and_nothing_else(server: Server, url: str) -> None:
    assert server.start("redis", url).returncode == 0
    assert server.started == str(DEPLOY / "redis.conf")
    assert list(server.data.iterdir()) == []


def test_another_server_refuses_an_address_of_one_redis(server: Server) -> None:
    ended = server.start("redis-2", "redis://redis:6379/0")
    assert ended.returncode == 1
    assert "redis-2 needs REDIS_URL=redis+sentinel://" in ended.stderr
    assert not (server.folder / "started").exists()


@pytest.mark.parametrize(("name", "first"), [("redis", []), ("redis-2", ["replicaof redis 6379"])])
def test_under_sentinel_all_follow_redis_at_first(server: Server, name: str, first: list[str]) -> None:
    server.start(name, SENTINEL)
    assert server.follows == first
    assert f"replica-announce-ip {name}" in server.configuration
    for file in ("redis.conf", "sentinel/redis.conf"):
        assert set((DEPLOY / file).read_text().splitlines()) <= set(server.configuration)


@pytest.mark.parametrize("name", ["redis", "redis-2"])
@pytest.mark.parametrize("follows", [["replicaof redis-3 6379"], []])
def test_under_sentinel_a_start_leaves_a_primary_and_a_replica_what_they_are(
    server: Server, name: str, follows: list[str]
) -> None:
    server.start(name, SENTINEL)
    own = Path(server.started)
    # As Sentinel leaves it: with whatever else had another value then.
    own.write_text("\n".join(["maxmemory 1gb", *follows]))
    server.start(name, SENTINEL)
    assert server.follows == follows
    assert "maxmemory 1gb" not in server.configuration
    assert "maxmemory 512mb" in server.configuration


def test_who_was_alone_for_a_while_follows_nobody_under_sentinel_again(server: Server) -> None:
    server.start("redis", SENTINEL)
    Path(server.started).write_text("replicaof redis-3 6379\n")
    server.start("redis", "")
    server.start("redis", SENTINEL)
    assert server.follows == []


@pytest.mark.parametrize(("name", "url", "below"), [
    ("redis", SENTINEL, "."),
    ("redis", CLUSTER, "."),
    ("redis-2", SENTINEL, "sentinel"),
    ("redis-2", CLUSTER, "cluster"),
])  # fmt: skip
def test_the_only_ones_data_stay_its_own_and_others_have_a_folder_for_each_shape(
    server: Server, name: str, url: str, below: str
) -> None:
    server.start(name, url)
    folders = [line for line in server.configuration if line.startswith("dir ")]
    assert folders[-1] == f"dir {(server.data / below).resolve()}"


def test_a_node_of_a_cluster_meets_all_others_of_the_address(server: Server) -> None:
    server.start("redis-2", f"{CLUSTER},redis-3,redis-4:7000?ssl_ca_certs=/ca.pem")
    assert (server.folder / "commands").read_text().splitlines() == [
        "cluster meet 198.51.100.5 6379",
        "cluster meet 198.51.100.7 6379",
    ]
    assert "cluster-enabled yes" in server.configuration
    assert server.follows == []


def test_a_server_under_sentinel_meets_nobody(server: Server) -> None:
    server.start("redis-2", SENTINEL)
    assert not (server.folder / "commands").exists()
