"""What is saved of a session with each terminal event."""

import msgspec


class SessionState(msgspec.Struct, frozen=True):
    """The account that a conversation belongs to, and the provider's own state of it."""

    account: str
    state: bytes


def encode(saved: SessionState) -> bytes:
    """JSON, without secrets of the account."""
    return msgspec.json.encode(saved)


def decode(data: bytes) -> SessionState | None:
    """The saved session; None if it is none that this version knows, so that a fresh one begins."""
    try:
        return msgspec.json.decode(data, type=SessionState)
    except msgspec.DecodeError:
        return None
