"""accounts.toml: the terms on which accounts are used. A proxy's password never appears in a message."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec

from worker.accounts import Account

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


@dataclass(frozen=True)
class Terms:
    """What may be said of an account; see worker.accounts.Account."""

    weight: float = 1.0
    turns: int | None = None
    daily: int | None = None
    proxy: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, account: Account) -> "Terms":
        """The terms on which an account is used."""
        return cls(account.weight, account.turns, account.daily, account.proxy)

    def applied_to(self, account: Account) -> Account:
        """The account on these terms."""
        return replace(account, weight=self.weight, turns=self.turns, daily=self.daily, proxy=self.proxy)


@dataclass(frozen=True)
class Said:
    """What accounts.toml says: of accounts by name, and of all `others`. None is what can't be understood."""

    named: Mapping[str, Terms | None] = field(default_factory=dict)
    others: Terms | None = Terms()
    problems: tuple[str, ...] = ()

    def of(self, account: str) -> Terms | None:
        """The terms of the account of that name; None if they can't be known."""
        return self.named.get(account, self.others)


def read_terms(data: bytes) -> Said:
    """What the file says, with a sentence for each mistake. One in an entry leaves the other entries alone."""
    try:
        document = tomllib.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        place = re.search(r"line \d+, column \d+", str(error))
        return not_understood(f"is not TOML{f' ({place[0]})' if place else ''}")
    entries = document.get("accounts", {})
    if document.keys() - {"accounts"} or not isinstance(entries, dict):
        return not_understood("must have nothing but entries that begin with [accounts.NAME]")
    named: dict[str, Terms | None] = {}
    problems: list[str] = []
    for name, entry in entries.items():
        mistakes = _mistakes(entry)
        problems += [f"{NAME}, {name!r}: {mistake}" for mistake in mistakes]
        named[name] = None if mistakes else Terms(**entry)
    return Said(named, problems=tuple(problems))


def not_understood(fault: str) -> Said:
    """What is known when the whole file can't be understood: nothing, of no account."""
    return Said(others=None, problems=(f"{NAME} {fault}",))


def _mistakes(entry: object) -> list[str]:
    if not isinstance(entry, dict):
        return ["it must be an entry of its own, [accounts.NAME]"]
    unknown = sorted(entry.keys() - _KINDS)
    wrong = [key for key in _KINDS if key in entry and not _fits(key, entry[key])]
    return [
        *(f"there is no setting {key!r}, only {', '.join(_KINDS)}" for key in unknown),
        *(f"{key} must be {_KINDS[key][1]}" for key in wrong),
    ]


def _fits(key: str, value: object) -> bool:
    try:
        converted = msgspec.convert(value, _KINDS[key][0])
    except msgspec.ValidationError:
        return False
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
