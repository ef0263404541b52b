"""Servers that speak the OpenAI API, as accounts.toml names them, and their keys."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from worker.accounts.account import Account, Server
from worker.settings import OPENAI, WorkerSettings

# A header can carry it: visible ASCII in one line.
_KEY = re.compile(r"[!-~]{1,4096}")
_NO_KEY = "holds no key: one line of visible ASCII characters is wanted"


@dataclass(frozen=True)
class ServerEntry:
    """An entry that is a server: how it is asked, and where its key is, in a file or in an environment variable."""

    base_url: str
    model: str
    image_model: str | None = None
    api_key_file: str | None = None
    api_key_env: str | None = None

    def with_key(self, key: str) -> Server:
        """The server, asked with that key."""
        return Server(self.base_url, self.model, key, self.image_model)


@dataclass(frozen=True)
class ServerLookup:
    """A server of accounts.toml, or what is wrong with its key. `exposed`: others than its owner may read that."""

    server: Server | None = None
    fault: str = field(default="", kw_only=True)
    exposed: bool = field(default=False, kw_only=True)


def is_base_url(value: str) -> bool:
    """Whether it may be a base_url."""
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and value.isprintable()
    except ValueError:
        return False


def parse_key(text: str) -> str | None:
    """The key that a file or variable holds; None if it can't be one."""
    key = text.strip()
    return key if _KEY.fullmatch(key) else None


def resolve_server(entry: ServerEntry, text: str | None) -> ServerLookup:
    """The server with its key out of `text`: what the file or the variable holds; None if there is no such variable."""
    if entry.api_key_file is None and entry.api_key_env is None:
        return ServerLookup(entry.with_key(""))
    where = entry.api_key_file or f"the variable {entry.api_key_env}"
    if text is None:
        return ServerLookup(fault=f"{where} isn't set")
    key = parse_key(text)
    return ServerLookup(entry.with_key(key)) if key else ServerLookup(fault=f"{where} {_NO_KEY}")


def find_mistakes(entry: Mapping[str, object]) -> list[str]:
    """What is wrong with an entry's server, beyond the kinds of its settings."""
    if "base_url" not in entry:
        return ["a server needs base_url"]
    if "model" not in entry:
        return ["a server needs model"]
    if "api_key_file" in entry and "api_key_env" in entry:
        return ["only one of api_key_file and api_key_env may be there"]
    return []


def environment_accounts(settings: WorkerSettings) -> tuple[Account, ...]:
    """The account at the server that the environment names, if it names one."""
    if settings.openai_base_url is None or settings.openai_model is None:
        return ()
    key = settings.openai_api_key.get_secret_value().strip() if settings.openai_api_key else ""
    server = Server(settings.openai_base_url, settings.openai_model, key, settings.openai_image_model)
    return (Account(OPENAI, server=server),)
