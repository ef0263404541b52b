"""What deploy/roll.sh asks of Docker, of which a stand-in takes notes."""

import os
import subprocess
from pathlib import Path

from tests.support.processes import ROOT

_DOCKER = """#!/bin/sh
echo "$*" >> "$NOTES"
test "$2" != ps || printf '%s\\n' $RUNNING
test "$2" != up || exit $UP
"""


def roll(folder: Path, running: str, up: int = 0) -> tuple[int, list[str]]:
    """Return the script's exit code and the commands that it ran."""
    notes = folder / "notes"
    notes.touch()
    (folder / "docker").write_text(_DOCKER)
    (folder / "docker").chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "NOTES": str(notes), "RUNNING": running, "UP": str(up)}
    command = [str(ROOT / "deploy" / "roll.sh"), "gateway"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    return done.returncode, notes.read_text().splitlines()


def test_new_containers_run_before_an_old_one_ends(tmp_path: Path) -> None:
    code, commands = roll(tmp_path, "one two three")
    assert code == 0
    assert commands == [
        "compose ps --quiet gateway",
        "compose up --detach --no-deps --no-recreate --wait --scale gateway=6 gateway",
        *(f"{order} {container}" for container in ("one", "two", "three") for order in ("stop", "rm")),
    ]


def test_no_old_container_ends_if_the_new_ones_are_not_well(tmp_path: Path) -> None:
    code, commands = roll(tmp_path, "one", up=1)
    assert code != 0
    assert [command.split()[0] for command in commands] == ["compose", "compose"]


def test_without_a_running_container_nothing_is_started(tmp_path: Path) -> None:
    code, commands = roll(tmp_path, "")
    assert (code, len(commands)) == (1, 1)
