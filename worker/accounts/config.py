"""accounts.toml: options of accounts, and accounts at servers. A proxy's password never appears in a message."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import msgspec

from wire.messages import Style
from worker.accounts.account import Account, MaxTokensName, SystemMessages
from worker.accounts.endpoints import ServerEntry, find_mistakes, is_base_url
from worker.settings import OPENAI

NAME = "accounts.toml"

# Optional user and password, then host and port.
_PROXY = re.compile(
    r"(?:http|socks5)://(?:([^\s:/?#@]+):([^\s:/?#@]*)@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})/?"
)
# The type of each option, and its description for error messages.
_KINDS: dict[str, tuple[Any, str]] = {
    "weight": (Annotated[float, msgspec.Meta(gt=0, le=1000)], "a number above 0 and up to 1000"),
    "turns": (Annotated[int, msgspec.Meta(ge=1, le=10_000)], "a whole number from 1 to 10000"),
    "daily": (Annotated[int, msgspec.Meta(ge=1, le=1_000_000)], "a whole number from 1 to 1000000"),
    "answer_timeout": (Annotated[float, msgspec.Meta(gt=0, le=3600)], "seconds, above 0 and up to 3600"),
    "proxy": (str, "http:// or socks5://, then user:password@ if it wants them (%-encoded), host and port"),
}
_TEXT = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
_TEMPERATURE = Annotated[float, msgspec.Meta(ge=0, le=2)] | Literal["none"]
# The options that make an entry a server.
_SERVER_KINDS: dict[str, tuple[Any, str]] = {
    "base_url": (_TEXT, "an address that begins with http:// or https://"),
    "model": (_TEXT, "a model's name"),
    "image_model": (_TEXT, "a model's name"),
    "api_key_file": (_TEXT, "a file's name"),
    "api_key_env": (_TEXT, "an environment variable's name"),
    "provider": (_TEXT, "a provider's name"),
    "temperature": (
        _TEMPERATURE | dict[Style, _TEMPERATURE],
        'a number from 0 to 2, "none", or a table of those for the styles balanced, creative and precise',
    ),
    "stream_options": (bool, "true or false"),
    "stream": (bool, "true or false"),
    "think_tags": (bool, "true or false"),
    "system": (SystemMessages, '"told" or "first"'),
    "developer": (bool, "true or false"),
    "max_tokens": (MaxTokensName, '"max_tokens" or "max_completion_tokens"'),
}
_ALL_KINDS = _KINDS | _SERVER_KINDS


@dataclass(frozen=True)
class AccountOptions:
    """The options of an account; worker.accounts.account describes them."""

    weight: float = 1.0
    turns: int | None = None
    daily: int | None = None
    proxy: str | None = field(default=None, repr=False)
    answer_timeout: float | None = None

    @classmethod
    def from_account(cls, account: Account) -> "AccountOptions":
        """Return the account's options."""
        return cls(account.weight, account.turns, account.daily, account.proxy, account.answer_timeout)

    def apply(self, account: Account) -> Account:
        """Return the account with these options."""
        return replace(
            account,
            weight=self.weight,
            turns=self.turns,
            daily=self.daily,
            proxy=self.proxy,
            answer_timeout=self.answer_timeout,
        )


@dataclass(frozen=True)
class AccountsConfig:
    """The content of accounts.toml: options of accounts by name, and those of all `others`; None if they are invalid.

    `servers` are the entries that define an account by themselves.
    """

    named: Mapping[str, AccountOptions | None] = field(default_factory=dict)
    others: AccountOptions | None = AccountOptions()
    problems: tuple[str, ...] = ()
    servers: Mapping[str, ServerEntry] = field(default_factory=dict)

    @property
    def key_files(self) -> frozenset[str]:
        """The files that hold servers' keys."""
        return frozenset(entry.api_key_file for entry in self.servers.values() if entry.api_key_file)

    def options_for(self, account: str) -> AccountOptions | None:
        """Return the options of the account of that name; None if they are invalid."""
        return self.named.get(account, self.others)


def parse_config(data: bytes, server_providers: Collection[str] = (OPENAI,)) -> AccountsConfig:
    """Parse the file, with a sentence for each mistake; a mistake in one entry doesn't affect the others.

    `server_providers` are the values that `provider` may have.
    """
    try:
        document = tomllib.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        position = re.search(r"line \d+, column \d+", str(error))
        return unreadable_config(f"is not TOML{f' ({position[0]})' if position else ''}")
    entries = document.get("accounts", {})
    if document.keys() - {"accounts"} or not isinstance(entries, dict):
        return unreadable_config("must have nothing but entries that begin with [accounts.NAME]")
    named: dict[str, AccountOptions | None] = {}
    servers: dict[str, ServerEntry] = {}
    problems: list[str] = []
    for name, entry in entries.items():
        mistakes = _mistakes(entry, server_providers)
        problems += [f"{NAME}, {name!r}: {mistake}" for mistake in mistakes]
        named[name] = None if mistakes else AccountOptions(**_part(entry, _KINDS))
        if not mistakes and "base_url" in entry:
            servers[name] = ServerEntry(name, **_part(entry, _SERVER_KINDS))
    return AccountsConfig(named, problems=tuple(problems), servers=servers)


def _part(entry: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key in kinds}


def unreadable_config(fault: str) -> AccountsConfig:
    """Return the config of a file that can't be parsed: every account's options are unknown."""
    return AccountsConfig(others=None, problems=(f"{NAME} {fault}",))


def _mistakes(entry: object, server_providers: Collection[str]) -> list[str]:
    if not isinstance(entry, dict):
        return ["it must be an entry of its own, [accounts.NAME]"]
    unknown = sorted(entry.keys() - _ALL_KINDS)
    wrong = [key for key in _ALL_KINDS if key in entry and not _fits(key, entry[key])]
    return [
        *(f"there is no setting {key!r}, only {', '.join(_ALL_KINDS)}" for key in unknown),
        *(f"{key} must be {_ALL_KINDS[key][1]}" for key in wrong),
        *(find_mistakes(entry, server_providers) if entry.keys() & _SERVER_KINDS else []),
    ]


def _fits(key: str, value: object) -> bool:
    try:
        converted = msgspec.convert(value, _ALL_KINDS[key][0])
    except msgspec.ValidationError:
        return False
    if key == "base_url":
        return is_base_url(converted)
    return key != "proxy" or _is_proxy(converted)


def _is_proxy(address: str) -> bool:
    match = _PROXY.fullmatch(address)
    if match is None or not 0 < int(match[3]) < 65536:
        return False
    user, password = (unquote(part or "") for part in match.group(1, 2))
    # The limits of basic authentication and of SOCKS5.
    return (
        all(part.isascii() and part.isprintable() and len(part) < 256 for part in (user, password)) and ":" not in user
    )
