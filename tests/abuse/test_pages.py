"""Pages of other sites, and other names that lead here, get nothing at the shipped nginx; our own page is served.

What a real browser sends for them is in tests/browser/test_origins.py.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
import pytest

from gateway.errors import problem_for
from gateway.http.responses import encode_error
from tests.deploy.conftest import START_LIMIT, accepts, nginx, rendered
from tests.support.conditions import until
from tests.support.deploy.tls_proxy import configuration, make_certificate
from tests.support.deploy.upstreams import Names, name_server
from tests.support.processes import Deployment, deployment, free_port
from wire.reasons import Reason

pytestmark = [pytest.mark.anyio, pytest.mark.abuse]
NAME = "chat.example.org"
ASK = {"style": "balanced", "question": "asked by a page"}
EVIL, CROSS = {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}
# By fetch over TLS and without it, from a file, by an element, and by a link.
HOSTILE = [EVIL | CROSS, EVIL, {"Origin": "null"}, CROSS, CROSS | {"Sec-Fetch-Mode": "navigate"}]


@dataclass(frozen=True)
class Door:
    """What a browser reaches: `url`, where a page's own address begins with `origin`."""

    url: str
    origin: str
    trust: ssl.SSLContext | bool
    deployed: Deployment

    @property
    def host(self) -> str:
        """What the browser sends as Host."""
        return self.origin.partition("://")[2]

    async def status_of_socket(self, headers: Mapping[str, str]) -> int:
        """Return the status of a WebSocket's handshake."""
        async with aiohttp.ClientSession() as session:
            try:
                url = f"{self.url.replace('http', 'ws')}/ws_stream"
                async with session.ws_connect(url, headers={"Host": self.host, **headers}, ssl=self.trust):
                    return 101
            except aiohttp.WSServerHandshakeError as refused:
                return refused.status


@pytest.fixture(params=["nginx", "a proxy with TLS in front of it"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    """A gateway behind the shipped nginx, by its address, or by a name behind the shipped TLS proxy."""
    has_tls = request.param != "nginx"
    port, tls_port = free_port(), free_port()
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    for folder in (inner, outer):
        folder.mkdir()
    async with AsyncExitStack() as stack:
        deployed = stack.enter_context(deployment(tmp_path, None, settings={"ALLOWED_HOSTS": NAME} if has_tls else {}))
        name_port = await stack.enter_async_context(name_server(Names({"gateway": ["127.0.0.1"]})))
        gateway_port = int(deployed.url.rpartition(":")[2])
        stack.enter_context(nginx(inner, rendered(inner, port, name_port, gateway_port), "127.0.0.1"))
        url = origin = f"http://127.0.0.1:{port}"
        trust: ssl.SSLContext | bool = True
        if has_tls:
            make_certificate(outer)
            stack.enter_context(nginx(outer, configuration(outer, tls_port, free_port(), f"127.0.0.1:{port}")))
            url, origin = f"https://127.0.0.1:{tls_port}", f"https://{NAME}:{tls_port}"
            trust = ssl.create_default_context(cafile=outer / "fullchain.pem")
            await until(lambda: accepts(tls_port), "the proxy accepts connections", limit=START_LIMIT)
        await until(lambda: accepts(port), "nginx accepts connections", limit=START_LIMIT)
        yield Door(url, origin, trust, deployed)


@pytest.fixture
async def client(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=door.url, headers={"Host": door.host}, verify=door.trust, timeout=60, trust_env=False
    ) as client:
        yield client


async def test_a_page_of_another_site_asks_nothing(door: Door, client: httpx.AsyncClient) -> None:
    refused = encode_error(problem_for(Reason.REQUEST_ORIGIN))
    for headers in HOSTILE:
        for path in ("/api", "/api_stream", "/metrics", "/console"):
            response = await client.post(path, data=ASK, headers=headers)
            assert (response.status_code, response.content) == (403, refused)
            assert "access-control-allow-origin" not in response.headers
        assert (await client.get("/api", params=ASK, headers=headers)).status_code == 403
        assert await door.status_of_socket(headers) == 403
    assert door.deployed.turns(ASK["question"]) == []


async def test_a_page_whose_name_leads_here_asks_nothing(door: Door, client: httpx.AsyncClient) -> None:
    refused = encode_error(problem_for(Reason.REQUEST_HOST))
    own = {"Host": "evil.example", "Sec-Fetch-Site": "same-origin"}
    for headers in (own, own | {"Origin": f"{door.origin.partition(':')[0]}://evil.example"}):
        for path in ("/", "/api", "/metrics", "/console"):
            response = await client.get(path, params=ASK, headers=headers)
            assert (response.status_code, response.content) == (421, refused)
        assert (await client.post("/api", data=ASK, headers=headers)).status_code == 421
        assert await door.status_of_socket(headers) == 421
    assert door.deployed.turns(ASK["question"]) == []


async def test_our_own_page_and_programs_ask(door: Door, client: httpx.AsyncClient) -> None:
    """Also where the gateway doesn't know that TLS ended in front of it: TRUSTED_PROXIES is not set."""
    browsers: list[dict[str, str]] = [{"Origin": door.origin}, {"Origin": door.origin, "Sec-Fetch-Site": "same-origin"}]
    for headers in ({}, *browsers):
        assert (await client.post("/api", data=ASK, headers=headers)).json()["code"] == 200
        assert await door.status_of_socket(headers) == 101
    assert (await client.get("/", headers={"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"})).status_code == 200
