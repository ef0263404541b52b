"""What a WebSocket's handshake may say of itself: the library that answers it reads all of it. Pure."""

from collections.abc import Iterable

# Characters of a name with its port (RFC 1035, 2.3.4), and bytes of the lists of subprotocols and extensions together.
_LONGEST_HOST = 253 + len(":65535")
_LONGEST_LISTS = 1024
_LISTS = frozenset({b"sec-websocket-protocol", b"sec-websocket-extensions", b"connection", b"upgrade"})


def find_handshake_fault(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the status that refuses a handshake with these headers: of a name that is none 421, else 431."""
    lists = 0
    for name, value in headers:
        if name == b"host" and not _is_host(value):
            return 421
        if name in _LISTS:
            lists += len(value)
            if lists > _LONGEST_LISTS or not value.isascii():
                return 431
    return None


def _is_host(value: bytes) -> bool:
    """Return whether a name is one to wsproto, which decodes it as IDNA: a long one takes a third of a second."""
    if len(value) > _LONGEST_HOST:
        return False
    try:
        value.decode("idna")
    except UnicodeError:
        return False
    return True
