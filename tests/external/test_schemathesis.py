"""schemathesis makes up requests, sound and broken ones, from /openapi.json: none gets a 5xx, and none hangs."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.external.conftest import HERE
from tests.support.processes import Deployment, deployment, write_accounts

pytestmark = pytest.mark.external

SECONDS = 45
HANG = 10
# Each may ask 200 questions a day: enough for real answers until the end.
ACCOUNTS = [f"account{number}" for number in range(40)]
# Codes 110 and 120 ride on status 200, as old clients expect; and no schema knows that a key was used up, or that a
# list of messages must end with one of the user.
EXCLUDED = "negative_data_rejection,positive_data_acceptance"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("schemathesis")
    write_accounts(folder / "cookies", *ACCOUNTS)
    # The console is on; nobody has its key.
    (admins := folder / "admins").write_text(f"olivia {'0' * 64}\n")
    with deployment(folder, None, settings={"ADMIN_KEYS_FILE": str(admins)}) as running:
        yield running


def test_no_request_gets_an_answer_that_the_schema_does_not_know(
    schemathesis: str, deployed: Deployment, tmp_path: Path
) -> None:
    bounds = ["--max-time", str(SECONDS), "--max-examples", "60", "--request-timeout", str(HANG), "--seed", "1"]
    how = ["--checks", "all", "--exclude-checks", EXCLUDED, "--phases", "coverage,fuzzing", "--continue-on-failure"]
    run = subprocess.run(
        [schemathesis, "--no-color", "run", f"{deployed.url}/openapi.json", *bounds, *how],
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "fresh_keys", "PYTHONPATH": str(HERE)},
        timeout=SECONDS + 60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert len(deployed.turns("")) > 10, "questions got through"
    assert httpx.get(f"{deployed.url}/readyz").status_code == 200
