"""accounts.toml: the terms on which accounts are used. A proxy's password never appears in a message."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec

from worker.accounts.account import Account
from worker.accounts.endpoints import ServerEntry, find_mistakes, is_base_url

NAME = "accounts.toml"

# user and password, if any, then host and port.
_PROXY = re.compile(
    r"(?:http|socks5)://(?:([^\s:/?#@]+):([^\s:/?#@]*)@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})/?"
)
# What each setting may be, and in words.
_KINDS: dict[str, tuple[Any, str]] = {
    "weight": (Annotated[float, msgspec.Meta(gt=0, le=1000)], "a number above 0 and up to 1000"),
    "turns": (Annotated[int, msgspec.Meta(ge=1, le=10_000)], "a whole number from 1 to 10000"),
    "daily": (Annotated[int, msgspec.Meta(ge=1, le=1_000_000)], "a whole number from 1 to 1000000"),
    "proxy": (str, "http:// or socks5://, then user:password@ if it wants them (%-encoded), host and port"),
}
_TEXT = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
# What makes an entry a server.
_SERVER_KINDS: dict[str, tuple[Any, str]] = {
    "base_url": (_TEXT, "an address that begins with http:// or https://"),
    "model": (_TEXT, "a model's name"),
    "image_model": (_TEXT, "a model's name"),
    "api_key_file": (_TEXT, "a file's name"),
    "api_key_env": (_TEXT, "an environment variable's name"),
}
_ALL_KINDS = _KINDS | _SERVER_KINDS


@dataclass(frozen=True)
class AccountOptions:
    """What may be said of an account; see worker.accounts.account.Account."""

    weight: float = 1.0
    turns: int | None = None
    daily: int | None = None
    proxy: str | None = field(default=None, repr=False)

    @classmethod
    def from_account(cls, account: Account) -> "AccountOptions":
        """The terms on which an account is used."""
        return cls(account.weight, account.turns, account.daily, account.proxy)

    def apply(self, account: Account) -> Account:
        """The account on these terms."""
        return replace(account, weight=self.weight, turns=self.turns, daily=self.daily, proxy=self.proxy)


@dataclass(frozen=True)
class AccountsConfig:
    """What accounts.toml says: of accounts by name, and of all `others`. None is what can't be understood.

    `servers` are accounts by themselves.
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
        """The terms of the account of that name; None if they can't be known."""
        return self.named.get(account, self.others)


def parse_config(data: bytes) -> AccountsConfig:
    """What the file says, with a sentence for each mistake. One in an entry leaves the other entries alone."""
    try:
        document = tomllib.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        place = re.search(r"line \d+, column \d+", str(error))
        return unreadable_config(f"is not TOML{f' ({place[0]})' if place else ''}")
    entries = document.get("accounts", {})
    if document.keys() - {"accounts"} or not isinstance(entries, dict):
        return unreadable_config("must have nothing but entries that begin with [accounts.NAME]")
    named: dict[str, AccountOptions | None] = {}
    servers: dict[str, ServerEntry] = {}
    problems: list[str] = []
    for name, entry in entries.items():
        mistakes = _mistakes(entry)
        problems += [f"{NAME}, {name!r}: {mistake}" for mistake in mistakes]
        named[name] = None if mistakes else AccountOptions(**_part(entry, _KINDS))
        if not mistakes and "base_url" in entry:
            servers[name] = ServerEntry(**_part(entry, _SERVER_KINDS))
    return AccountsConfig(named, problems=tuple(problems), servers=servers)


def _part(entry: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key in kinds}


def unreadable_config(fault: str) -> AccountsConfig:
    """What is known when the whole file can't be understood: nothing, of no account."""
    return AccountsConfig(others=None, problems=(f"{NAME} {fault}",))


def _mistakes(entry: object) -> list[str]:
    if not isinstance(entry, dict):
        return ["it must be an entry of its own, [accounts.NAME]"]
    unknown = sorted(entry.keys() - _ALL_KINDS)
    wrong = [key for key in _ALL_KINDS if key in entry and not _fits(key, entry[key])]
    return [
        *(f"there is no setting {key!r}, only {', '.join(_ALL_KINDS)}" for key in unknown),
        *(f"{key} must be {_ALL_KINDS[key][1]}" for key in wrong),
        *(find_mistakes(entry) if entry.keys() & _SERVER_KINDS else []),
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
    found = _PROXY.fullmatch(address)
    if found is None or not 0 < int(found[3]) < 65536:
        return False
    user, password = (unquote(part or "") for part in found.group(1, 2))
    # What the header of basic authentication, and SOCKS5, can carry.
    return (
        all(part.isascii() and part.isprintable() and len(part) < 256 for part in (user, password)) and ":" not in user
    )
