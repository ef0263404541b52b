"""The kernel's table of TCP connections, for what no event reports."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ESTABLISHED, CLOSE_WAIT = "01", "08"
# Of the kernel's linux/netlink.h, sock_diag.h and inet_diag.h: the protocol, a message's type, its flag, the length of
# its header, and where the inode is behind that.
_SOCK_DIAG, _BY_FAMILY, _REQUEST, _HEADER, _INODE = 4, 20, 1, 16, 68
_ANY = 0xFFFFFFFF


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


def socket_inode(local_port: int, remote_port: int) -> str:
    """Return the inode of this end of a connection over 127.0.0.1, by which /proc names the socket; '0' if it is gone.

    The kernel is asked for the one (sock_diag(7)): to read its table takes many milliseconds on a busy machine.
    """
    address = socket.inet_aton("127.0.0.1") + bytes(12)
    pair = struct.pack("!HH16s16s", local_port, remote_port, address, address) + struct.pack("=III", 0, *[_ANY] * 2)
    query = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY) + pair
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
        kernel.send(struct.pack("=IHHII", _HEADER + len(query), _BY_FAMILY, _REQUEST, 0, 0) + query)
        reply = kernel.recv(4096)
    (kind,) = struct.unpack_from("=H", reply, 4)
    return str(struct.unpack_from("=I", reply, _HEADER + _INODE)[0]) if kind == _BY_FAMILY else "0"
