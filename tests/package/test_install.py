"""The package, built and installed from a registry in the ways that strangers use, serves from there."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.package.service import check_service, served
from tests.support.prerequisites import unavailable
from tests.support.processes import ROOT
from wire.version import VERSION

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]
TOOLS = Path(__file__).parent / ".venv-tools"
COMMAND = "bing-chat-gateway"


def run(*command: str | Path, folder: Path, **settings: str) -> str:
    """Run a program to its end, without the environment that these tests run in, and return what it prints."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    ended = subprocess.run(command, cwd=folder, env=inherited | settings, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and, built from that, the wheel."""
    if not (TOOLS / ".ready").exists():
        unavailable("uv, pipx and build: run tests/package/setup.sh")
    folder = tmp_path_factory.mktemp("dist")
    run(TOOLS / "bin/python", "-m", "build", "--outdir", folder, ROOT, folder=folder)
    return folder


def pip(file: Path, folder: Path) -> list[str | Path]:
    """Install a file with pip into an environment of its own."""
    run(sys.executable, "-m", "venv", folder / "venv", folder=folder)
    run(folder / "venv/bin/pip", "install", "--quiet", file, folder=folder)
    return [folder / "venv/bin" / COMMAND]


def pipx(file: Path, folder: Path) -> list[str | Path]:
    """Install a file with pipx."""
    places = {f"PIPX_{name}": str(folder / name.lower()) for name in ("HOME", "BIN_DIR", "MAN_DIR")}
    run(TOOLS / "bin/pipx", "install", "--python", sys.executable, file, folder=folder, **places)
    return [folder / "bin_dir" / COMMAND]


def uvx(file: Path, folder: Path) -> list[str | Path]:
    """Return the command with which uvx installs and runs at once."""
    cache = ("--cache-dir", folder / "cache", "--no-config", "--python", sys.executable)
    command: list[str | Path] = [TOOLS / "bin/uvx", *cache, "--from", file, COMMAND]
    run(*command, "--version", folder=folder)
    return [*command[:1], "--offline", *command[1:]]


@pytest.mark.parametrize(
    ("install", "pattern"),
    [(pip, "*.whl"), (pip, "*.tar.gz"), (pipx, "*.whl"), (uvx, "*.whl")],
    ids=["pip, wheel", "pip, source", "pipx, wheel", "uvx, wheel"],
)
def test_it_serves_from_where_it_is_installed(
    dist: Path, tmp_path: Path, install: Callable[[Path, Path], list[str | Path]], pattern: str
) -> None:
    [file] = dist.glob(pattern)
    command = install(file, tmp_path)
    assert run(*command, "--version", folder=tmp_path) == f"{VERSION}\n"
    assert run(*command, "--help", folder=tmp_path).startswith(f"Usage: {COMMAND} ")
    with served(command, tmp_path) as url:
        check_service(url)
