"""The content of COOKIES_DIR: its files, and the accounts that they and accounts.toml define."""

import contextlib
import math
import os
import stat
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from worker.accounts import config
from worker.accounts.account import SIGN_IN, Account, CookieAccount, ServerAccount
from worker.accounts.config import AccountOptions, AccountsConfig, Aliases, parse_config, unreadable_config
from worker.accounts.cookies import Cookie, CookieFileError, account_from_cookies
from worker.accounts.endpoints import ServerEntry, ServerLookup, resolve_server
from worker.accounts.formats import parse_cookies
from worker.settings import OPENAI, environment

# Bytes. A HAR of a long recording is large; other formats are far smaller.
MAX_FILE = 8 * 1024 * 1024
# Seconds before a sign-in's expiry from which a warning is logged.
EXPIRES_SOON = 24 * 3600.0
_IGNORED = {"README.md", config.NAME}


@dataclass(frozen=True)
class DirectoryState:
    """The usable accounts, with one sentence for each that is unusable (`problems`) or may soon be (`warnings`).

    `aliases` are other names of their models.
    """

    accounts: tuple[Account, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    aliases: Aliases = field(default_factory=Aliases)


@dataclass(frozen=True)
class CookieExport:
    """One file, with its cookies or what is wrong with it. `exposed`: its owner isn't the only one with access."""

    file: str
    cookies: tuple[Cookie, ...] = ()
    fault: str = ""
    exposed: bool = False

    @property
    def account(self) -> str:
        """The name of the file's account."""
        return Path(self.file).stem

    def account_at(self, now: float) -> CookieAccount:
        """Return the account that the file defines at `now`. CookieFileError if there is none."""
        if self.fault:
            raise CookieFileError(self.fault)
        return account_from_cookies(self.account, self.cookies, now)


@dataclass(frozen=True)
class DirectoryContents:
    """The files of the folder as they were read. Which accounts they define depends on the time: cookies expire."""

    exports: tuple[CookieExport, ...] = ()
    config: AccountsConfig = field(default_factory=AccountsConfig)
    servers: Mapping[str, ServerLookup] = field(default_factory=dict)
    exposed: tuple[str, ...] = ()
    fault: str = ""

    @property
    def reserved(self) -> dict[str, str]:
        """The names that no export may have, each with what has it: cookies in a key's place would be sent as the key.

        Where accounts.toml can't be understood, any file that isn't an export may be a key.
        """
        faulty = {
            export.account: f"the file {export.file}, which may be a key while {config.NAME} is broken"
            for export in self.exports
            if export.fault
        }
        unknown = faulty if self.config.others is None else {}
        keys = {Path(file).stem: f"the key file {file}" for file in self.config.key_files}
        return unknown | keys | dict.fromkeys(self.config.server_names, "a server")

    def state_at(self, now: float, before: DirectoryState, own: Sequence[Account] = ()) -> DirectoryState:
        """Return the accounts at `now` (Unix seconds), with `own`, those that come from elsewhere.

        Where accounts.toml is invalid an account keeps the options that it had `before`. One that had none is left
        out: it might connect without its proxy.
        """
        earlier = {account.name: account for account in before.accounts}
        accounts, problems = self._accounts(now, own)
        used: list[Account] = []
        for source, account in accounts.items():
            previous = earlier.get(account.name)
            options = self.config.options_for(account.name)
            if options is None and previous is not None:
                options = AccountOptions.from_account(previous)
            if options is None:
                problems.append(f"{source} is not used before {config.NAME} can be understood")
            else:
                used.append(options.apply(account))
        used += self._remaining_servers(before.accounts, used)
        known = {export.account for export in self.exports} | {account.name for account in used}
        valid = {name for name, entry in self.config.named.items() if entry is not None}
        absent = sorted(valid - known - self.config.servers.keys())
        problems += [f"{config.NAME} names {name!r}, but no file here has that name" for name in absent]
        warnings = [*self._exposed(), *(_expiry(file, account, now) for file, account in accounts.items())]
        return DirectoryState(
            tuple(used),
            (*problems, *self.config.problems),
            tuple(filter(None, warnings)),
            self.config.aliases_after(before.aliases),
        )

    def _remaining_servers(self, before: Collection[Account], used: Collection[Account]) -> list[Account]:
        """Return the servers that were there before and whose entries are invalid now."""
        names = {account.name for account in used}
        return [
            account
            for account in before
            if isinstance(account, ServerAccount)
            and account.name not in names
            and self.config.options_for(account.name) is None
        ]

    def next_change(self, now: float) -> float:
        """Return the next moment, in Unix seconds, when a cookie expires or will expire soon; infinity if none will."""
        expiries = (
            cookie.expires for export in self.exports for cookie in export.cookies if cookie.expires is not None
        )
        moments = (moment for expiry in expiries for moment in (expiry - EXPIRES_SOON, expiry))
        return min((moment for moment in moments if moment > now), default=math.inf)

    def _accounts(self, now: float, own: Sequence[Account]) -> tuple[dict[str, Account], list[str]]:
        """Return the accounts by their source, and what is wrong with the others."""
        accounts: dict[str, Account] = {f"{account.name} of the environment": account for account in own}
        sources = _Sources()
        for source, account in accounts.items():
            sources.add(source, account)
        problems = [self.fault] if self.fault else []
        for export in self.exports:
            try:
                account = export.account_at(now)
                sources.add_new(export.file, account)
            except CookieFileError as error:
                problems.append(f"{export.file} {error}")
            else:
                accounts[export.file] = account
        for name, lookup in self.servers.items():
            source = f"{config.NAME}, {name!r}"
            if lookup.account is None:
                problems.append(f"{source}: {lookup.fault}")
                continue
            try:
                sources.add_new(source, lookup.account)
            except CookieFileError as error:
                problems.append(f"{source}: it {error}")
            else:
                accounts[source] = lookup.account
        return accounts, problems

    def _exposed(self) -> list[str]:
        files = [*(export.file for export in self.exports if export.exposed), *self.exposed]
        return [f"{file} can be used by others than its owner: chmod 600 it" for file in files]


def load_accounts(folder: Path, now: float | None = None) -> DirectoryState:
    """Return a folder's accounts at `now`, in Unix seconds; the system's time by default."""
    return read_folder(folder).state_at(time.time() if now is None else now, DirectoryState())


def read_folder(folder: Path, server_providers: Collection[str] = (OPENAI,)) -> DirectoryContents:
    """Read the files of a folder, but no hidden ones, folders or README.md.

    `server_providers` are the providers that accounts.toml may name.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        return DirectoryContents(fault=f"{folder} can't be read as the folder of cookie exports: {error.strerror}")
    options, exposed = AccountsConfig(), False
    if folder / config.NAME in paths:
        options, exposed = _read_config(folder / config.NAME, server_providers)
    ignored = _IGNORED | options.key_files
    exports = [_read_export(path) for path in paths if path.name not in ignored and not os.path.isdir(path)]
    servers = {name: _read_server(folder, entry) for name, entry in options.servers.items()}
    open_keys = {
        entry.api_key_file for name, entry in options.servers.items() if entry.api_key_file and servers[name].exposed
    }
    return DirectoryContents(tuple(exports), options, servers, (*[config.NAME] * exposed, *sorted(open_keys)))


def _read_server(folder: Path, entry: ServerEntry) -> ServerLookup:
    """Return the entry's account, with the key from the file or the variable that it names."""
    if entry.api_key_file is None:
        return resolve_server(entry, environment(entry.api_key_env) if entry.api_key_env else None)
    try:
        data, exposed = _read(folder / entry.api_key_file)
    except CookieFileError as error:
        return ServerLookup(fault=f"{entry.api_key_file} {error}")
    return replace(resolve_server(entry, data.decode("utf-8-sig", "replace")), exposed=exposed)


def _read_export(path: Path) -> CookieExport:
    if not path.name.isprintable():
        return CookieExport(repr(path.name), fault="has a name that can't be shown: rename it")
    try:
        data, exposed = _read(path)
        return CookieExport(path.name, tuple(parse_cookies(data)), exposed=exposed)
    except CookieFileError as error:
        return CookieExport(path.name, fault=str(error))


def _read_config(path: Path, server_providers: Collection[str]) -> tuple[AccountsConfig, bool]:
    version = 0
    with contextlib.suppress(OSError):
        # From before: what is written meanwhile has a newer version.
        version = path.stat().st_mtime_ns // 1_000_000
    try:
        data, exposed = _read(path)
    except CookieFileError as error:
        return unreadable_config(str(error)), False
    return replace(parse_config(data, server_providers), version=version), exposed


def _read(path: Path) -> tuple[bytes, bool]:
    """Return a file's bytes, and whether other users than its owner may read or write it."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise CookieFileError("is not a file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise CookieFileError(f"can't be read: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise CookieFileError(f"is larger than {MAX_FILE // 1024**2} MiB")
    return data, bool(mode & (stat.S_IRWXG | stat.S_IRWXO))


class _Sources:
    """Where accounts come from, by their fingerprints and by their names."""

    def __init__(self) -> None:
        self._of_fingerprint: dict[str, str] = {}
        self._of_name: dict[str, str] = {}

    def add(self, source: str, account: Account) -> None:
        """Add an account, which may be a double."""
        self._of_fingerprint.setdefault(account.fingerprint, source)
        self._of_name.setdefault(account.name, source)

    def add_new(self, source: str, account: Account) -> None:
        """Add an account. CookieFileError if it is the same as an earlier one, or has the same name."""
        if other := self._of_fingerprint.get(account.fingerprint):
            raise CookieFileError(f"is the same account as {other}")
        if other := self._of_name.get(account.name):
            raise CookieFileError(f"would have the same name as {other}: rename it")
        self.add(source, account)


def _expiry(file: str, account: Account, now: float) -> str:
    """Return a warning if the account's sign-in expires soon; empty if it doesn't."""
    if isinstance(account, ServerAccount) or account.expires is None or account.expires - now > EXPIRES_SOON:
        return ""
    moment = datetime.fromtimestamp(account.expires, UTC)
    return f"{file} has a {SIGN_IN} cookie that expires at {moment:%Y-%m-%d %H:%M} UTC: sign in again and export anew"
