"""API keys. Only their hashes are kept, so the file that lists them reveals none."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_NAME = r"[\w.@-]{1,64}"
# A model's name, or a pattern with `*`.
_MODEL = r"[^\s,#]{1,256}"
_COUNT = r"[1-9]\d{0,8}"
_LINE = re.compile(
    rf"(?P<name>{_NAME})\s+(?P<hash>[0-9a-f]{{64}})(?:\s+(?P<limit>{_COUNT}))?(?P<parts>(?:\s+[a-z]+=\S+)*)", re.ASCII
)
# The named parts of a line, each at most once and in any order.
_PARTS = {
    "models": re.compile(rf"{_MODEL}(?:,{_MODEL})*"),
    "weight": re.compile(r"[1-9]\d?|100", re.ASCII),
    "daily": re.compile(_COUNT, re.ASCII),
}
MAX_COUNT, MAX_WEIGHT = 999_999_999, 100


@dataclass(frozen=True)
class ApiKey:
    """A key of the file: `limit` is how many jobs of its holder may wait or run; None is the common limit.

    `models` are the names, perhaps with `*` in them, of the models that it is good for; None is all of them. Where
    holders wait for a worker, each gets turns by its `weight`. `daily` is how many questions it may ask a day; None is
    the common limit.
    """

    name: str
    hash: str
    limit: int | None = None
    models: tuple[str, ...] | None = None
    weight: int = 1
    daily: int | None = None

    @property
    def line(self) -> str:
        """The key's line in the file."""
        parts = [
            self.name,
            self.hash,
            "" if self.limit is None else str(self.limit),
            "" if self.models is None else f"models={','.join(self.models)}",
            "" if self.weight == 1 else f"weight={self.weight}",
            "" if self.daily is None else f"daily={self.daily}",
        ]
        return " ".join(filter(None, parts))


def create_key(
    name: str,
    *,
    limit: int | None = None,
    models: tuple[str, ...] | None = None,
    weight: int = 1,
    daily: int | None = None,
) -> tuple[str, ApiKey]:
    """Return a new key, and its entry in the file. Raises ValueError, with a sentence, for a bad name, also of a model.

    A key is random and long, so it can't be guessed from its plain hash.
    """
    if not re.fullmatch(_NAME, name, re.ASCII):
        raise ValueError(f"{name!r} can't be a name: use 1 to 64 letters, digits, dots, hyphens, underscores or @")
    if models is not None and not _PARTS["models"].fullmatch(",".join(models)):
        raise ValueError(f"{','.join(models)!r} can't be models: use names with commas between them")
    secret = secrets.token_urlsafe(32)
    return secret, ApiKey(name, hashlib.sha256(secret.encode()).hexdigest(), limit, models, weight, daily)


def load_keys(path: Path, setting: str = "API_KEYS_FILE") -> Sequence[ApiKey]:
    """Return the keys of a file that lists at least one. Raises ValueError as `read_keys` does."""
    keys = read_keys(path, setting)
    if not keys:
        raise ValueError(f"{setting}: {path} lists no key")
    return keys


def read_keys(path: Path, setting: str) -> Sequence[ApiKey]:
    """Return the keys of a file: one line each, with a name, the key's SHA-256 in hex, perhaps a limit and named parts.

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
        key = _parse_line(entry)
        if key is None:
            form = "a name, a SHA-256 in hex, and perhaps a limit, models=…, weight=1…100 and daily=…"
            raise ValueError(f"{setting}: line {number} of {path} is not {form}")
        keys.append(key)
    for attribute in ("name", "hash"):
        if len({getattr(key, attribute) for key in keys}) < len(keys):
            raise ValueError(f"{setting}: {path} lists a {attribute} twice")
    return tuple(keys)


def _parse_line(line: str) -> ApiKey | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    named = [part.partition("=")[::2] for part in match["parts"].split()]
    parts = dict(named)
    if len(parts) < len(named) or not all(name in _PARTS and _PARTS[name].fullmatch(parts[name]) for name in parts):
        return None
    return ApiKey(
        match["name"],
        match["hash"],
        int(match["limit"]) if match["limit"] else None,
        tuple(parts["models"].split(",")) if "models" in parts else None,
        int(parts.get("weight", "1")),
        int(parts["daily"]) if "daily" in parts else None,
    )


def hash_key(sent: str) -> str:
    """Return the SHA-256 of a key in hex, as its line has it."""
    return hashlib.sha256(sent.encode("utf-8", "surrogatepass")).hexdigest()


def find_again(keys: Iterable[ApiKey], name: str, known_hash: str) -> ApiKey | None:
    """Return the entry, as it is now, of a key that was found before: quickly, since nobody is guessing here.

    Under another name it would be another client's.
    """
    return next((key for key in keys if key.hash == known_hash and key.name == name), None)


def find_key(keys: Iterable[ApiKey], sent: str) -> ApiKey | None:
    """Return the entry of the key that was sent. It takes as long for a wrong key as for a right one."""
    sent_hash = hash_key(sent)
    match = None
    for key in keys:
        if hmac.compare_digest(key.hash, sent_hash):
            match = key
    return match
