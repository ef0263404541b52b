"""accounts.toml: options of accounts, and accounts at servers. A proxy's password never appears in a message."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, get_args
from urllib.parse import unquote

import msgspec

from wire.messages import Style
from wire.model_table import STYLES
from wire.needs import Ability
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
_BOOLEAN = (bool, "true or false")
# A model's name, as clients and logs get it.
_MODEL = re.compile(r"[^\s\x00-\x1f\x7f]{1,256}")
_MOST_MODELS, _LONGEST_CHAIN = 1000, 16
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
    "stream_options": _BOOLEAN,
    "stream": _BOOLEAN,
    "think_tags": _BOOLEAN,
    "system": (SystemMessages, '"told" or "first"'),
    "developer": _BOOLEAN,
    "max_tokens": (MaxTokensName, '"max_tokens" or "max_completion_tokens"'),
    "models": (Literal["all"] | list[str], '"all", or a list of models\' names'),
    **dict.fromkeys(get_args(Ability), _BOOLEAN),
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
class Aliases:
    """Other names of models, each with its chain of models, as of the file's `version`: its modification in Unix ms."""

    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: int = field(default=0, compare=False)


@dataclass(frozen=True)
class AccountsConfig:
    """The content of accounts.toml: options of accounts by name, and those of all `others`; None if they are invalid.

    `servers` are the entries that define an account by themselves. `server_names` and `key_files`, the files that hold
    servers' keys, are also those of entries with mistakes. `aliases` are other names of models, each with its chain;
    None for one that is invalid. They are None if the file can't be understood.
    """

    named: Mapping[str, AccountOptions | None] = field(default_factory=dict)
    others: AccountOptions | None = AccountOptions()
    problems: tuple[str, ...] = ()
    servers: Mapping[str, ServerEntry] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...] | None] | None = field(default_factory=dict)
    version: int = 0
    server_names: frozenset[str] = frozenset()
    key_files: frozenset[str] = frozenset()

    def aliases_after(self, before: Aliases) -> Aliases:
        """Return the aliases; one that is invalid keeps the chain that it had `before`."""
        if self.aliases is None:
            return before
        chains = {name: chain or before.chains.get(name) for name, chain in self.aliases.items()}
        return Aliases({name: chain for name, chain in chains.items() if chain is not None}, self.version)

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
    entries, aliases = document.get("accounts", {}), document.get("aliases", {})
    if document.keys() - {"accounts", "aliases"} or not isinstance(entries, dict) or not isinstance(aliases, dict):
        return unreadable_config("must have nothing but entries that begin with [accounts.NAME], and [aliases]")
    named: dict[str, AccountOptions | None] = {}
    servers: dict[str, ServerEntry] = {}
    chains = {name: _chain(name, value) for name, value in aliases.items()}
    problems = [f"{NAME}, alias {name!r} {_ALIAS_FAULT}" for name, chain in chains.items() if chain is None]
    for name, entry in entries.items():
        mistakes = _mistakes(entry, server_providers)
        problems += [f"{NAME}, {name!r}: {mistake}" for mistake in mistakes]
        named[name] = None if mistakes else AccountOptions(**_part(entry, _KINDS))
        if not mistakes and "base_url" in entry:
            servers[name] = ServerEntry(name, **_part(entry, _SERVER_KINDS))
    own = {name: entry for name, entry in entries.items() if isinstance(entry, dict) and entry.keys() & _SERVER_KINDS}
    key_files = (entry.get("api_key_file") for entry in own.values())
    return AccountsConfig(
        named,
        problems=tuple(problems),
        servers=servers,
        aliases=chains,
        server_names=frozenset(own),
        key_files=frozenset(file for file in key_files if isinstance(file, str)),
    )


_ALIAS_FAULT = "must be a name without spaces, none of bing-…, for a model's name or a list of up to 16 of them"


def _chain(name: str, value: object) -> tuple[str, ...] | None:
    """Return the models of an alias; None if it is invalid."""
    chain = [value] if isinstance(value, str) else value
    if name in STYLES or not isinstance(chain, list) or not 0 < len(chain) <= _LONGEST_CHAIN:
        return None
    return tuple(chain) if all(map(_is_model, (name, *chain))) else None


def _is_model(name: object) -> bool:
    return isinstance(name, str) and _MODEL.fullmatch(name) is not None


def _part(entry: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key in kinds}


def unreadable_config(fault: str) -> AccountsConfig:
    """Return the config of a file that can't be parsed: every account's options are unknown."""
    return AccountsConfig(others=None, problems=(f"{NAME} {fault}",), aliases=None)


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
    if key == "models":
        return converted == "all" or (len(converted) <= _MOST_MODELS and all(map(_is_model, converted)))
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
