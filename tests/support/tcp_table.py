"""The kernel's table of TCP connections, for what no event reports."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ESTABLISHED, CLOSE_WAIT = "01", "08"


@dataclass(frozen=True)
class TcpConnection:
    """A connection over IPv4. `state` and `timer` are the kernel's codes; `expires` is the timer's rest in 1/100 s."""

    local_port: int
    remote_port: int
    state: str
    timer: str
    expires: int


def tcp_connections() -> Iterator[TcpConnection]:
    """Yield each connection of this machine, once for either end."""
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, _, timer, *_ = row.split()
        local_port, remote_port = (int(address.rpartition(":")[2], 16) for address in (local, remote))
        kind, _, expires = timer.partition(":")
        yield TcpConnection(local_port, remote_port, state, kind, int(expires, 16))


def is_established(local_port: int, remote_port: int) -> bool:
    """Return whether this end of a connection is open."""
    return any(
        (connection.local_port, connection.remote_port, connection.state) == (local_port, remote_port, ESTABLISHED)
        for connection in tcp_connections()
    )
