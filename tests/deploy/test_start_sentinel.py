"""deploy/start-sentinel.sh: a sentinel in a container keeps what it has learned."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT

DEPLOY = ROOT / "deploy"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "redis-server").write_text(f'#!/bin/sh\necho "$@" >"{tmp_path}/started"\n')
    (folder / "redis-server").chmod(0o755)
    return folder


def start(folder: Path, programs: Path) -> tuple[Path, str]:
    """Start a sentinel in its folder; its configuration, and the option that makes it one."""
    folder.mkdir(exist_ok=True)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    command = ["sh", str(DEPLOY / "start-sentinel.sh"), "sentinel-2"]
    subprocess.run(command, env=environment, cwd=folder, check=True, timeout=20)
    configuration, option = (programs.parent / "started").read_text().split()
    return Path(configuration), option


def test_a_sentinel_begins_with_the_configuration_under_its_own_name(tmp_path: Path, programs: Path) -> None:
    configuration, option = start(tmp_path / "data", programs)
    assert option == "--sentinel"
    assert configuration.parent == tmp_path / "data"
    common = (DEPLOY / "sentinel" / "sentinel.conf").read_text()
    assert configuration.read_text() == f"{common}sentinel announce-ip sentinel-2\n"


def test_a_sentinel_that_starts_again_knows_what_it_has_learned(tmp_path: Path, programs: Path) -> None:
    configuration, _ = start(tmp_path / "data", programs)
    configuration.write_text("sentinel monitor bing redis-3 6379 2\n")
    assert start(tmp_path / "data", programs)[0].read_text() == "sentinel monitor bing redis-3 6379 2\n"
