"""API keys: who may ask. Only their hashes are kept, so the file that lists them gives none away."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"(?P<name>[\w.@-]{1,64})\s+(?P<hash>[0-9a-f]{64})(?:\s+(?P<limit>[1-9]\d{0,8}))?", re.ASCII)


@dataclass(frozen=True)
class ApiKey:
    """A key as the file names it: `limit` is how many jobs of its holder may wait or run; None is the common limit."""

    name: str
    hash: str
    limit: int | None = None


def load_keys(path: Path, setting: str = "API_KEYS_FILE") -> Sequence[ApiKey]:
    """The keys of a file: a line each, with a name, the key's SHA-256 in hex, and perhaps a limit.

    ValueError, with one sentence about the `setting` that names the file.

    A key is random and long, so a plain hash of it can't be guessed from. A `#` begins a comment.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{setting}: {path} can't be read") from None
    found = []
    for number, line in enumerate(lines, 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        parts = _LINE.fullmatch(entry)
        if parts is None:
            raise ValueError(f"{setting}: line {number} of {path} is not a name, a SHA-256 in hex, and perhaps a limit")
        found.append(ApiKey(parts["name"], parts["hash"], int(parts["limit"]) if parts["limit"] else None))
    if not found:
        raise ValueError(f"{setting}: {path} lists no key")
    for what in ("name", "hash"):
        if len({getattr(key, what) for key in found}) < len(found):
            raise ValueError(f"{setting}: {path} lists a {what} twice")
    return tuple(found)


def find_key(keys: Sequence[ApiKey], sent: str) -> ApiKey | None:
    """The entry of the key that was sent. It takes as long for a wrong key as for a right one."""
    sent_hash = hashlib.sha256(sent.encode("utf-8", "surrogatepass")).hexdigest()
    found = None
    for key in keys:
        if hmac.compare_digest(key.hash, sent_hash):
            found = key
    return found
