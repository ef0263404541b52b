"""The socket that a gateway listens on: its options, its address, and its end without a lost connection."""

import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Sequence

_BACKLOG = 2048
# A client that vanished is noticed within a minute, whether we send or only wait: after 15 s of silence the kernel
# sends a probe every 5 s, and sent data may stay unacknowledged for 25 s. At worst one follows the other.
SOCKET_OPTIONS: Sequence[tuple[str, str, int]] = (
    ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 15),
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 5),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 3),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 25_000),
)
# Python has no name for it.
_SO_ATTACH_FILTER = 26
# Instructions of the kernel's packet filter (code, jump if true, jump if false, operand): drop a packet whose flags,
# the byte 13 of a TCP header, have SYN without ACK; accept every other one whole.
_NO_SYN = (
    (0x30, 0, 0, 13),
    (0x54, 0, 0, 0x12),
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def listen(host: str, port: int, options: Sequence[tuple[str, str, int]] = SOCKET_OPTIONS) -> socket.socket:
    """Return a socket that listens, with `options`: of each the names of its level and of itself, and its value.

    Raises OSError if the port can't be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, because asyncio turns Nagle's delay off only for sockets that are.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _set_options(sock, options)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _set_options(sock: socket.socket, options: Sequence[tuple[str, str, int]]) -> None:
    """Set the options, which accepted connections inherit on Linux; options that a platform lacks are skipped."""
    for level, option, value in options:
        if hasattr(socket, option):
            sock.setsockopt(getattr(socket, level), getattr(socket, option), value)


def address_of(sock: socket.socket) -> str:
    """Return the address of a listening socket as a URL."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def stop_connections(sock: socket.socket) -> None:
    """Let no further connection begin, as long as the socket listens; those that have begun can still be accepted.

    Closing the socket resets every connection that the kernel has made and nobody has accepted, so nothing must arrive
    any more before that. A client whose first packet is dropped sends it again after a second, and is then refused, or
    meets the process that has taken the port over. Only Linux can do this; elsewhere nothing changes.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in _NO_SYN))
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        sock.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_NO_SYN), ctypes.addressof(program))
        )
