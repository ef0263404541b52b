"""locust's users of `make load` find nothing wrong with a real deployment."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT, deployment

pytestmark = pytest.mark.external

OPTIONS = ["-f", "bench/scenario/locustfile.py", "--headless", "--only-summary", "--json"]
LOAD = ["--users", "40", "--spawn-rate", "40", "--run-time", "15s"]
LIMIT = 50.0
# What each kind of user does at least once, as locust's statistics name it.
DONE = {
    ("GET", "/api"),
    ("SSE", "/api_stream"),
    ("first delta", "/api_stream"),
    ("GET", "/image"),
    ("WS", "/ws"),
    ("WS", "/ws_stream"),
    ("first delta", "/ws_stream"),
    ("SSE", "turn 1"),
    ("SSE", "turn 2 and later"),
    ("SSE", "resume"),
    ("SSE", "stop"),
}


def test_users_of_every_kind_find_nothing_wrong(locust: str, valkey_url: str, tmp_path: Path) -> None:
    patience = {"FIRST_TEXT_TIMEOUT": "30", "IDLE_TIMEOUT": "30", "ACCOUNT_TURNS": "0"}
    with deployment(tmp_path, valkey_url, workers=2, settings=patience) as deployed:
        run = subprocess.run(
            [locust, *OPTIONS, *LOAD, "--host", deployed.url],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    statistics = json.loads(run.stdout)
    failed = [entry for entry in statistics if entry["num_failures"]]
    assert not failed, run.stderr
    assert run.returncode == 0, run.stderr
    assert {(entry["method"], entry["name"]) for entry in statistics if entry["num_requests"]} >= DONE
