"""API keys. Only their hashes are kept, so the file that lists them reveals none."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_NAME = r"[\w.@-]{1,64}"
# A model's name, or a pattern with `*`.
_MODEL = r"[^\s,#]{1,256}"
_LINE = re.compile(
    rf"(?P<name>{_NAME})\s+(?P<hash>[0-9a-f]{{64}})(?:\s+(?P<limit>[1-9]\d{{0,8}}))?"
    rf"(?:\s+models=(?P<models>{_MODEL}(?:,{_MODEL})*))?",
    re.ASCII,
)


@dataclass(frozen=True)
class ApiKey:
    """A key of the file: `limit` is how many jobs of its holder may wait or run; None is the common limit.

    `models` are the names, perhaps with `*` in them, of the models that it is good for; None is all of them.
    """

    name: str
    hash: str
    limit: int | None = None
    models: tuple[str, ...] | None = None


def create_key(name: str) -> tuple[str, ApiKey]:
    """Return a new key, and its entry in the file. Raises ValueError, with a sentence, for a bad name.

    A key is random and long, so it can't be guessed from its plain hash.
    """
    if not re.fullmatch(_NAME, name, re.ASCII):
        raise ValueError(f"{name!r} can't be a name: use 1 to 64 letters, digits, dots, hyphens, underscores or @")
    secret = secrets.token_urlsafe(32)
    return secret, ApiKey(name, hashlib.sha256(secret.encode()).hexdigest())


def load_keys(path: Path, setting: str = "API_KEYS_FILE") -> Sequence[ApiKey]:
    """Return the keys of a file that lists at least one. Raises ValueError as `read_keys` does."""
    keys = read_keys(path, setting)
    if not keys:
        raise ValueError(f"{setting}: {path} lists no key")
    return keys


def read_keys(path: Path, setting: str) -> Sequence[ApiKey]:
    """Return the keys of a file: one line each, with a name, the key's SHA-256 in hex, perhaps a limit and models.

    A `#` begins a comment. Raises ValueError with one sentence about the `setting` that names the file.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{setting}: {path} can't be read") from None
    keys = []
    for number, line in enumerate(lines, 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        match = _LINE.fullmatch(entry)
        if match is None:
            form = "a name, a SHA-256 in hex, and perhaps a limit and models=…"
            raise ValueError(f"{setting}: line {number} of {path} is not {form}")
        models = tuple(match["models"].split(",")) if match["models"] else None
        keys.append(ApiKey(match["name"], match["hash"], int(match["limit"]) if match["limit"] else None, models))
    for attribute in ("name", "hash"):
        if len({getattr(key, attribute) for key in keys}) < len(keys):
            raise ValueError(f"{setting}: {path} lists a {attribute} twice")
    return tuple(keys)


def find_key(keys: Sequence[ApiKey], sent: str) -> ApiKey | None:
    """Return the entry of the key that was sent. It takes as long for a wrong key as for a right one."""
    sent_hash = hashlib.sha256(sent.encode("utf-8", "surrogatepass")).hexdigest()
    match = None
    for key in keys:
        if hmac.compare_digest(key.hash, sent_hash):
            match = key
    return match
