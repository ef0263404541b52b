"""The command, as a process of its own."""

import os
import re
import signal
import subprocess
import sys
import urllib.request

from tests.support.conditions import SOON


def start(**environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "emulator"],
        env={**os.environ, "EMULATOR_PORT": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_serves_until_a_signal() -> None:
    with start() as process:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert address is not None
        with urllib.request.urlopen(f"{address[0]}/_health", timeout=SOON) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SOON)
    assert process.returncode == 0


def test_a_wrong_setting_ends_the_start_with_one_sentence() -> None:
    with start(EMULATOR_PACE="quick") as process:
        _, errors = process.communicate(timeout=SOON)
    assert process.returncode == 2
    assert errors.startswith("EMULATOR_PACE: ")
    assert errors.count("\n") == 1


def test_help_is_shown_and_nothing_starts() -> None:
    run = subprocess.run([sys.executable, "-m", "emulator", "--help"], capture_output=True, text=True, timeout=SOON)
    assert run.returncode == 0
    assert "docs/reference/settings.md" in run.stdout
