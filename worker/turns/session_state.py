"""The session that is saved with each terminal event."""

import msgspec


class SessionState(msgspec.Struct, frozen=True):
    """The account that a conversation belongs to, and the provider's own state of it."""

    account: str
    state: bytes


def encode(session: SessionState) -> bytes:
    """Return the session as JSON, without secrets of the account."""
    return msgspec.json.encode(session)


def decode(data: bytes) -> SessionState | None:
    """Return the saved session; None if this version can't read it, so that a fresh one starts."""
    try:
        return msgspec.json.decode(data, type=SessionState)
    except msgspec.DecodeError:
        return None
