"""What raw replies of Redis mean."""

from collections.abc import Sequence


def hash_fields(reply: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the fields of a hash, or of an entry of a stream, by their names."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def scores(reply: Sequence[bytes]) -> dict[str, float]:
    """Return the scores of a sorted set's members, in their order; the reply is one WITHSCORES."""
    return {name.decode(): float(score) for name, score in zip(reply[::2], reply[1::2], strict=True)}
