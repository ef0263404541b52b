"""deploy/start-nginx.sh: whose word nginx takes for who asks. The same in front of TLS is in test_tls.py."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.deploy.conftest import ADDRESSES, START_LIMIT, accepts, nginx, rendered
from tests.support.conditions import until
from tests.support.deploy.upstreams import Gateway, Names, name_server, serving
from tests.support.processes import ROOT, free_port

pytestmark = pytest.mark.anyio
PROXIES = "127.0.0.7, 10.0.0.0/8,2001:db8:ffff::/48"


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[tuple[str, Gateway]]:
    """The address of an nginx that believes PROXIES, and the gateway behind it."""
    port, gateway_port, gateway = free_port(), free_port(), Gateway(ADDRESSES[0])
    async with AsyncExitStack() as stack:
        name_port = await stack.enter_async_context(name_server(Names({"gateway": [ADDRESSES[0]]})))
        await stack.enter_async_context(serving(gateway, gateway_port))
        stack.enter_context(nginx(tmp_path, rendered(tmp_path, port, name_port, gateway_port), PROXIES))
        await until(lambda: accepts(port), f"nginx accepts connections, see {tmp_path}/error.log", limit=START_LIMIT)
        yield f"http://127.0.0.1:{port}", gateway


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.7", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.7", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.7", "1.1.1.1, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("127.0.0.7", "203.0.113.9:5678", "203.0.113.9"),
        ("127.0.0.7", "[2001:db8::1]:443", "2001:db8::1"),
        ("127.0.0.7", "203.0.113.9, [2001:db8:ffff::1]:80", "203.0.113.9"),
        # Who is no proxy of the operator's stays itself, whatever it sends.
        ("127.0.0.9", "203.0.113.9", "127.0.0.9"),
        ("127.0.0.9", "203.0.113.9, 127.0.0.7", "127.0.0.9"),
    ],
)
async def test_the_client_is_the_rightmost_address_that_is_no_named_proxy(
    asked: tuple[str, Gateway], peer: str, forwarded: str, address: str
) -> None:
    url, gateway = asked
    transport = httpx.AsyncHTTPTransport(local_address=peer)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        await client.get(f"{url}/api", headers={"X-Forwarded-For": forwarded})
    (request,) = gateway.seen
    assert request.headers.getall("X-Forwarded-For") == [address]


def start(folder: Path, trusted: str) -> subprocess.CompletedProcess[str]:
    """Start a program in nginx's place."""
    program = folder / "nginx"
    program.write_text('#!/bin/sh\necho "started $*"\n')
    program.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "TMPDIR": str(folder), "TRUSTED_PROXIES": trusted}
    command = ["sh", str(ROOT / "deploy" / "start-nginx.sh"), "-e", "stderr"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("trusted", ["", " , "])
def test_without_named_proxies_the_configuration_is_the_shipped_one(tmp_path: Path, trusted: str) -> None:
    assert start(tmp_path, trusted).stdout == "started -e stderr\n"
    assert (tmp_path / "server.d" / "trusted-proxies.conf").read_text() == ""


@pytest.mark.parametrize("trusted", ["nginx", "10.0.0.1, proxy.example.org", "10.0.0.1;", "*", "unix:"])
def test_what_is_no_network_is_refused_by_the_settings_name(tmp_path: Path, trusted: str) -> None:
    started = start(tmp_path, trusted)
    assert (started.returncode, started.stdout) == (1, "")
    assert started.stderr.startswith("TRUSTED_PROXIES: ")
