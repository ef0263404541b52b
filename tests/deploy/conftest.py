"""A real nginx with the configuration that is shipped, in front of gateways of the test's own."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
import pytest

from tests.support.conditions import until
from tests.support.deploy.upstreams import Gateway, Names, name_server, serving
from tests.support.prerequisites import unavailable
from tests.support.processes import ROOT, free_port

# The same port at addresses that differ, as containers have it.
ADDRESSES = ("127.0.0.2", "127.0.0.3")
START_LIMIT = 60.0


@dataclass(frozen=True)
class Front:
    """nginx, and what is behind it. `gateways` are served from the start; `names` lists both as `gateway`."""

    url: str
    folder: Path
    names: Names
    gateways: list[Gateway]
    services: list[AsyncExitStack]
    gateway_port: int

    @property
    def port(self) -> int:
        """Nginx's own."""
        return int(self.url.rpartition(":")[2])

    @property
    def requests(self) -> str:
        """Nginx's log of requests."""
        return (self.folder / "access.log").read_text()

    @property
    def errors(self) -> str:
        """Nginx's log of errors."""
        return (self.folder / "error.log").read_text()

    @property
    def paths(self) -> list[str]:
        """The paths of all requests that reached a gateway."""
        return [request.path for gateway in self.gateways for request in gateway.seen]


def rendered(folder: Path, port: int, name_port: int, gateway_port: int) -> str:
    """The shipped configuration, with this machine's ports and `folder` for the container's places."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for shipped, local in {
        "listen 8080 ": f"listen 127.0.0.1:{port} ",
        "resolver 127.0.0.11 ": f"resolver 127.0.0.1:{name_port} ",
        "$gateway:5000;": f"$gateway:{gateway_port};",
        "$emulator:8190;": f"$emulator:{gateway_port};",
        "worker_processes auto;": "worker_processes 1;",
        "worker_connections 16384;": "worker_connections 256;",
        "client_header_timeout 10s;": "client_header_timeout 1s;",
        " /tmp/": f" {folder}/",
        "/etc/nginx/server.d/": f"{folder}/own.d/",
        "/dev/stdout": f"{folder}/access.log",
    }.items():
        assert shipped in text, shipped
        text = text.replace(shipped, local)
    return text


def nginx_command(folder: Path, configuration: str) -> list[str]:
    """What runs nginx with this configuration, which is written into `folder`."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        unavailable("nginx")
    assert program is not None
    (folder / "nginx.conf").write_text(configuration)
    as_root = ["-g", "user root;"] if os.geteuid() == 0 else []
    return [program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), *as_root]


@contextmanager
def nginx(folder: Path, configuration: str, trusted: str = "") -> Iterator[None]:
    """Run nginx until the end of the context, by the start script that is shipped; `trusted` is TRUSTED_PROXIES."""
    program, *arguments = nginx_command(folder, configuration)
    environment = {"PATH": f"{Path(program).parent}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    with (folder / "error.log").open("wb") as log:
        command = ["sh", str(ROOT / "deploy" / "start-nginx.sh"), *arguments]
        running = subprocess.Popen(command, env=environment | {"TRUSTED_PROXIES": trusted}, stdout=log, stderr=log)
    try:
        yield
    finally:
        running.terminate()
        running.wait(10)


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """Nginx in front of two gateways."""
    port, gateway_port = free_port(), free_port()
    names = Names({"gateway": list(ADDRESSES)})
    async with AsyncExitStack() as stack:
        name_port = await stack.enter_async_context(name_server(names))
        stack.enter_context(nginx(tmp_path, rendered(tmp_path, port, name_port, gateway_port)))
        front = Front(f"http://127.0.0.1:{port}", tmp_path, names, [], [], gateway_port)
        for address in ADDRESSES:
            gateway, service = Gateway(address), await stack.enter_async_context(AsyncExitStack())
            await service.enter_async_context(serving(gateway, gateway_port))
            front.gateways.append(gateway)
            front.services.append(service)
        await until(lambda: accepts(port), f"nginx accepts connections, see {tmp_path}/error.log", limit=START_LIMIT)
        yield front


async def accepts(port: int) -> bool:
    """Whether somebody listens at that port of this machine."""
    try:
        async with await anyio.connect_tcp("127.0.0.1", port):
            return True
    except OSError:
        return False


@pytest.fixture
async def client(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    """A client of nginx, which takes a new connection for each request."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=front.url, timeout=10, limits=limits, trust_env=False) as client:
        yield client
