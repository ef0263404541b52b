"""Autobahn's fuzzing client against a gateway's uvicorn: how it speaks WebSocket, and how it takes bad speech."""

import json
import socket
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.processes import free_port, process, wait_until

pytestmark = [pytest.mark.external, pytest.mark.timeout(300)]

LIMIT = 240.0
# The largest message of the cases 9.* has 16 MiB.
MAX_MESSAGE = 32 * 1024 * 1024
# Compression, which gateways don't offer.
EXCLUDED = ["12.*", "13.*"]
# How many cases of each kind there are: framing, pings, reserved bits, opcodes, fragments, UTF-8, closing, sizes, more.
CASES = {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1}


@dataclass(frozen=True)
class Run:
    """Autobahn's verdict for each case, and what the server logged meanwhile."""

    cases: dict[str, dict[str, Any]]
    log: str


@pytest.fixture(scope="module")
def run(wstest: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, port = tmp_path_factory.mktemp("autobahn"), free_port()
    spec, log = folder / "spec.json", folder / "log.txt"
    server = {"agent": "gateway", "url": f"ws://127.0.0.1:{port}"}
    spec.write_text(json.dumps({"outdir": str(folder), "servers": [server], "cases": ["*"], "exclude-cases": EXCLUDED}))
    with process("tests.support.external.echo_app", log, GATEWAY_PORT=str(port), MAX_MESSAGE=str(MAX_MESSAGE)) as echo:
        wait_until(lambda: _listens(port), f"the echo listens, see {log}")
        fuzzing = [wstest, "--mode", "fuzzingclient", "--spec", str(spec)]
        subprocess.run(fuzzing, cwd=folder, check=True, timeout=LIMIT, capture_output=True)
        assert echo.poll() is None, "the server lives on"
    return Run(json.loads((folder / "index.json").read_text())["gateway"], log.read_text())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_every_case_but_those_of_compression_ran(run: Run) -> None:
    assert Counter(case.partition(".")[0] for case in run.cases) == CASES


@pytest.mark.parametrize("kind", CASES)
def test_no_case_fails(run: Run, kind: str) -> None:
    verdicts = {
        case: (results["behavior"], results["behaviorClose"])
        for case, results in run.cases.items()
        if case.partition(".")[0] == kind
    }
    # NON-STRICT: within the standard, but later than could be. INFORMATIONAL: the standard leaves it open.
    right = {"OK", "NON-STRICT", "INFORMATIONAL"}
    assert {case: results for case, results in verdicts.items() if not right.issuperset(results)} == {}


def test_no_client_can_fill_the_log(run: Run) -> None:
    assert "Traceback" not in run.log
