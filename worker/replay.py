"""What was said in a conversation, told to another one that goes on with it."""

from wire.sessions import Exchange

_HEAD = "The conversation so far, which you are to go on with:"


def retold(exchanges: tuple[Exchange, ...]) -> str:
    """One text that tells all of it; empty for nothing."""
    if not exchanges:
        return ""
    said = (f"User: {one.question}\nAssistant: {one.answer}" for one in exchanges)
    return "\n\n".join([_HEAD, *said])
