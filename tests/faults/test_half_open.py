"""Clients that vanish without a word: no FIN, no RST, nothing that says so."""

import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.deploy.conftest import nginx_command, rendered
from tests.support.faults.breakable_system import LIMITS
from tests.support.faults.clients import unique
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.network_namespaces import Machine, connected_to, machines
from tests.support.faults.node import Node
from tests.support.processes import ROOT, free_port, open_sockets, socket_table, wait_until

pytestmark = pytest.mark.faults

FREED = 60.0
# Nothing but the loss of the client shall end an answer here.
PATIENT = LIMITS | dict.fromkeys(["FIRST_TEXT_TIMEOUT", "IDLE_TIMEOUT", "ANSWER_TIMEOUT"], "300")
STREAMING, WAITING = "!deltas=1000 !rate=5", "!first=200"
EVENTS = "Accept: text/event-stream\r\n"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@dataclass(frozen=True)
class Far:
    """A gateway on a machine of its own, which is entered through `port`, and its clients' machines."""

    cluster: Cluster
    gateway: Node
    port: int
    gateway_machine: Machine
    clients: list[Machine]

    def connect(self, client: Machine) -> socket.socket:
        with client.inside():
            return socket.create_connection((client.peer or "127.0.0.1", self.port), timeout=10)

    def held(self) -> list[str]:
        """What the gateway's machine still has of connections with its clients' machines."""
        return [inode for client in self.clients for inode in connected_to(client.address, self.gateway.pid)]

    def sockets(self) -> set[str]:
        """The inodes of the TCP sockets that the gateway's process holds."""
        return open_sockets(self.gateway.pid) - {row[6] for row in socket_table(self.gateway.pid, "unix")}

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self.connect(self.gateway_machine).close()
        except OSError:
            return False
        return True


def gateway_on(machine: Machine, cluster: Cluster, port: int, folder: Path) -> Node:
    overrides = {"REDIS_URL": f"unix://{cluster.redis_path}", "GATEWAY_HOST": "0.0.0.0", "GATEWAY_PORT": str(port)}
    return Node("gateway", machine.command(sys.executable, "-m", "gateway"), PATIENT | overrides, folder)


def nginx_on(machine: Machine, port: int, gateway_port: int, folder: Path) -> Node:
    """The shipped configuration, and what the compose file sets in the kernel."""
    with machine.inside():
        for name, value in re.findall(r'net\.ipv4\.(\w+): "(\d+)"', (ROOT / "docker-compose.yml").read_text()):
            Path(f"/proc/sys/net/ipv4/{name}").write_text(value)
    shipped = rendered(folder, port, 53, gateway_port)
    configuration = shipped.replace(f"127.0.0.1:{port}", f"0.0.0.0:{port}").replace(
        "gateway gateway;", "gateway 127.0.0.1;"
    )
    return Node("nginx", machine.command(*nginx_command(folder, configuration)), {}, folder)


@contextmanager
def started(node: Node) -> Iterator[Node]:
    node.start()
    try:
        yield node
    finally:
        node.end()


@pytest.fixture(params=["gateway", "nginx"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Far]:
    """Clients reach the gateway directly, or nginx in front of it."""
    with ExitStack() as stack:
        gateway_machine, *clients = stack.enter_context(machines("gateway", "unplugged", "silent"))
        cluster = stack.enter_context(running(tmp_path, gateways=0, workers=1, limits=PATIENT))
        port, gateway_port = free_port(), free_port()
        gateway = stack.enter_context(started(gateway_on(gateway_machine, cluster, gateway_port, tmp_path)))
        direct = Far(cluster, gateway, gateway_port, gateway_machine, clients)
        wait_until(direct.answers, f"the gateway answers, see {gateway.log}")
        if request.param == "gateway":
            yield direct
            return
        nginx = stack.enter_context(started(nginx_on(gateway_machine, port, gateway_port, tmp_path)))
        front = Far(cluster, gateway, port, gateway_machine, clients)
        wait_until(front.answers, f"nginx answers, see {nginx.log}")
        yield front


class Visitor:
    """One connection from a client's machine, and what is asked over it."""

    def __init__(self, far: Far, client: Machine, path: str, words: str = "", headers: str = "") -> None:
        self.question = unique(words)
        self.socket = far.connect(client)
        query = f"?style=balanced&question={quote(self.question)}" if path.startswith("/api") else ""
        self.send(f"GET {path}{query} HTTP/1.1\r\nHost: far\r\n{headers}\r\n".encode())

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self) -> None:
        """Ask over a WebSocket: one text frame, masked with zeros."""
        frame = f'{{"style": "balanced", "question": "{self.question}"}}'.encode()
        self.send(bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0]) + frame)

    def read_until(self, words: bytes) -> None:
        received = b""
        while words not in received:
            data = self.socket.recv(65536)
            assert data, received
            received += data


def visit(far: Far, client: Machine, stack: ExitStack) -> list[str]:
    """Connect in every way and get into every state; the questions that were asked."""

    def come(path: str, words: str = "", headers: str = "") -> Visitor:
        visitor = Visitor(far, client, path, words, headers)
        stack.callback(visitor.socket.close)
        return visitor

    streaming = [come("/api_stream", STREAMING), come("/api_stream", STREAMING, EVENTS)]
    waiting = [come("/api_stream", WAITING), come("/api_stream", WAITING, EVENTS), come("/api", WAITING)]
    talking, idle = come("/ws_stream", STREAMING, UPGRADE), come("/ws_stream", headers=UPGRADE)
    talking.read_until(b"\r\n\r\n")
    idle.read_until(b"\r\n\r\n")
    talking.ask()
    for visitor in [*streaming, talking]:
        visitor.read_until(b"delta")
    keeping, half = come("/healthz"), come("/healthz")
    keeping.read_until(b"ok")
    half.read_until(b"ok")
    half.send(b"POST /api HTTP/1.1\r\nHost: far\r\nContent-Length: 10\r\n\r\n{")
    return [visitor.question for visitor in [*streaming, *waiting, talking]]


def test_clients_that_vanish_without_a_word_are_let_go_within_a_minute(far: Far) -> None:
    with ExitStack() as stack:
        before = far.sockets()
        exchanges = [question for client in far.clients for question in visit(far, client, stack)]
        wait_until(lambda: all(far.cluster.turns(question) for question in exchanges), "all are asked")
        staying = Visitor(far, far.gateway_machine, "/api_stream", "!first=70 hello")
        stack.callback(staying.socket.close)
        assert len(far.held()) == 18
        unplugged, silent = far.clients
        unplugged.unplug()
        silent.fall_silent()
        vanished = time.monotonic()
        wait_until(lambda: not far.held(), "the kernel has let all go", FREED)
        seconds_left = FREED - (time.monotonic() - vanished)
        wait_until(lambda: len(far.sockets() - before) == 1, "so has the gateway, but for who stays", seconds_left)
        staying.socket.settimeout(30)
        staying.read_until(b'"done": true')
