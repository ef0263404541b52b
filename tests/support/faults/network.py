"""The lines over which processes reach servers, and what a test does to them: a split, one reader left behind."""

from collections.abc import Iterable
from functools import partial

from tests.support.faults.node import Node
from tests.support.processes import open_sockets
from tests.support.tcp_proxy import ProxyThread, TcpProxy
from tests.support.tcp_table import socket_inode

_CLOSED = "0"


class Network:
    """Lines to servers, each of which knows by the kernel's tables which process is at its other end."""

    def __init__(self, proxy_thread: ProxyThread) -> None:
        self._proxy_thread = proxy_thread
        self._lines: list[tuple[TcpProxy, Node]] = []
        self._side: tuple[Node, ...] = ()
        self._behind: set[tuple[Node, TcpProxy]] = set()

    def add(self, node: Node, port: int) -> TcpProxy:
        """Return a new line to a port of this process."""
        line = self._proxy_thread.proxy(port)
        self._lines.append((line, node))
        return line

    def split(self, *side: Node) -> None:
        """Separate these processes from all others; they still reach each other. It replaces an earlier split.

        Nothing arrives any more, and nobody is informed; what is on its way arrives after `heal`.
        """
        self._side = side
        self._apply()

    def hold(self, reader: Node, line: TcpProxy) -> None:
        """Let nothing pass on this process's connections over this line, until `heal`."""
        self._behind.add((reader, line))
        self._apply()

    def heal(self) -> None:
        """Let everything pass. Connections that were begun over a held line are reset."""
        self._side = ()
        self._behind.clear()
        for line, _ in self._lines:
            line.heal()

    def _apply(self) -> None:
        for line, node in self._lines:
            self._proxy_thread.do(partial(line.hold, partial(self._held, line, node)))

    def _held(self, line: TcpProxy, node: Node, ports: set[int]) -> set[int]:
        """Which of these clients of a line, named by the ports that they connect from, it doesn't serve."""
        inodes = {port: socket_inode(port, line.port) for port in ports}
        # A copy, since a test may hold another line meanwhile.
        held_here = [reader for reader, held in self._behind.copy() if held is line]
        side, behind = self._sockets(self._side), self._sockets(held_here)
        inside = node in self._side
        # Who has closed already can't be asked which side it is on; nobody waits for what it sent.
        return {
            port for port in ports if (inode := inodes[port]) == _CLOSED or (inode in side) != inside or inode in behind
        }

    def _sockets(self, nodes: Iterable[Node]) -> set[str]:
        return {inode for node in nodes if node.running for inode in open_sockets(node.pid)}
