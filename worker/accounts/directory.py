"""What COOKIES_DIR holds: its files, and the accounts that they and accounts.toml make."""

import math
import os
import stat
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from worker.accounts import config
from worker.accounts.account import SIGN_IN, Account
from worker.accounts.config import AccountOptions, AccountsConfig, parse_config, unreadable_config
from worker.accounts.cookies import Cookie, CookieFileError, account_from_cookies
from worker.accounts.endpoints import ServerEntry, ServerLookup, resolve_server
from worker.accounts.formats import parse_cookies
from worker.settings import environment

# A HAR of a long recording is large; nothing else comes near.
MAX_FILE = 8 * 1024 * 1024
# From how long before its expiry a sign-in is warned of, in seconds.
EXPIRES_SOON = 24 * 3600.0
_LEFT_ALONE = {"README.md", config.NAME}


@dataclass(frozen=True)
class DirectoryState:
    """The accounts by name; a sentence for each thing that keeps one out (`problems`) or soon may (`warnings`)."""

    accounts: tuple[Account, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class CookieExport:
    """One file, with its cookies or what is wrong with it. `exposed`: others than its owner may use it."""

    file: str
    cookies: tuple[Cookie, ...] = ()
    fault: str = ""
    exposed: bool = False

    @property
    def account(self) -> str:
        """The name of the file's account."""
        return Path(self.file).stem

    def account_at(self, now: float) -> Account:
        """The account that the file makes. CookieFileError says why there is none."""
        if self.fault:
            raise CookieFileError(self.fault)
        return account_from_cookies(self.account, self.cookies, now)


@dataclass(frozen=True)
class DirectoryContents:
    """The folder as it was read. What it comes to is a matter of time, since cookies expire."""

    exports: tuple[CookieExport, ...] = ()
    said: AccountsConfig = field(default_factory=AccountsConfig)
    servers: Mapping[str, ServerLookup] = field(default_factory=dict)
    exposed: tuple[str, ...] = ()
    fault: str = ""

    def state_at(self, now: float, before: Mapping[str, Account], own: Sequence[Account] = ()) -> DirectoryState:
        """What the folder comes to at `now`, in Unix seconds, with the accounts `own` that are from elsewhere.

        Where accounts.toml can't be understood an account keeps the terms that it had `before`. One that had none is
        left out: it may be one that must not go out without its proxy.
        """
        accounts, problems = self._accounts(now, own)
        used: list[Account] = []
        for place, account in accounts.items():
            had = before.get(account.name)
            known = self.said.options_for(account.name) or (AccountOptions.from_account(had) if had else None)
            if known is None:
                problems.append(f"{place} is not used before {config.NAME} can be understood")
            else:
                used.append(known.apply(account))
        used += self._kept(before, used)
        there = {export.account for export in self.exports} | {account.name for account in used}
        understood = {name for name, entry in self.said.named.items() if entry is not None}
        absent = sorted(understood - there - self.said.servers.keys())
        problems += [f"{config.NAME} names {name!r}, but no file here has that name" for name in absent]
        warnings = [*self._exposed(), *(_expiry(file, account, now) for file, account in accounts.items())]
        return DirectoryState(tuple(used), (*problems, *self.said.problems), tuple(filter(None, warnings)))

    def _kept(self, before: Mapping[str, Account], used: Collection[Account]) -> list[Account]:
        """Servers that were there before, as long as what is said of them now can't be understood."""
        names = {account.name for account in used}
        return [
            account
            for account in before.values()
            if account.server and account.name not in names and self.said.options_for(account.name) is None
        ]

    def next_change(self, now: float) -> float:
        """When, in Unix seconds, the same files come to something else because a cookie expires, or soon will."""
        expiries = (
            cookie.expires for export in self.exports for cookie in export.cookies if cookie.expires is not None
        )
        moments = (moment for expiry in expiries for moment in (expiry - EXPIRES_SOON, expiry))
        return min((moment for moment in moments if moment > now), default=math.inf)

    def _accounts(self, now: float, own: Sequence[Account]) -> tuple[dict[str, Account], list[str]]:
        """The accounts by their place, and what keeps the others from being one."""
        accounts = {f"{account.name} of the environment": account for account in own}
        problems = [self.fault] if self.fault else []
        for export in self.exports:
            try:
                account = export.account_at(now)
                _refuse_double(account, accounts)
            except CookieFileError as error:
                problems.append(f"{export.file} {error}")
            else:
                accounts[export.file] = account
        for name, found in self.servers.items():
            place = f"{config.NAME}, {name!r}"
            try:
                account = _account_at(name, found)
                _refuse_double(account, accounts)
            except CookieFileError as error:
                problems.append(f"{place}: it {error}" if found.server else f"{place}: {error}")
            else:
                accounts[place] = account
        return accounts, problems

    def _exposed(self) -> list[str]:
        files = [*(export.file for export in self.exports if export.exposed), *self.exposed]
        return [f"{file} can be used by others than its owner: chmod 600 it" for file in files]


def load_accounts(folder: Path, now: float | None = None) -> DirectoryState:
    """What a folder holds now. `now` is in Unix seconds, the system's clock by default."""
    return read_folder(folder).state_at(time.time() if now is None else now, {})


def read_folder(folder: Path) -> DirectoryContents:
    """Read the files of a folder. Hidden ones, folders and README.md are left alone."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        return DirectoryContents(fault=f"{folder} can't be read as the folder of cookie exports: {error.strerror}")
    said, exposed = _read_terms(folder / config.NAME) if folder / config.NAME in paths else (AccountsConfig(), False)
    left_alone = _LEFT_ALONE | said.key_files
    exports = [_read_export(path) for path in paths if path.name not in left_alone and not os.path.isdir(path)]
    servers = {name: _read_server(folder, entry) for name, entry in said.servers.items()}
    open_keys = {
        entry.api_key_file for name, entry in said.servers.items() if entry.api_key_file and servers[name].exposed
    }
    return DirectoryContents(tuple(exports), said, servers, (*[config.NAME] * exposed, *sorted(open_keys)))


def _read_server(folder: Path, entry: ServerEntry) -> ServerLookup:
    """The server, with its key out of the file or the variable that the entry names."""
    if entry.api_key_file is None:
        return resolve_server(entry, environment(entry.api_key_env) if entry.api_key_env else None)
    try:
        data, exposed = _read(folder / entry.api_key_file)
    except CookieFileError as error:
        return ServerLookup(fault=f"{entry.api_key_file} {error}")
    return replace(resolve_server(entry, data.decode("utf-8-sig", "replace")), exposed=exposed)


def _account_at(name: str, found: ServerLookup) -> Account:
    if found.server is None:
        raise CookieFileError(found.fault)
    return Account(name, server=found.server)


def _read_export(path: Path) -> CookieExport:
    if not path.name.isprintable():
        return CookieExport(repr(path.name), fault="has a name that can't be shown: rename it")
    try:
        data, exposed = _read(path)
        return CookieExport(path.name, tuple(parse_cookies(data)), exposed=exposed)
    except CookieFileError as error:
        return CookieExport(path.name, fault=str(error))


def _read_terms(path: Path) -> tuple[AccountsConfig, bool]:
    try:
        data, exposed = _read(path)
    except CookieFileError as error:
        return unreadable_config(str(error)), False
    return parse_config(data), exposed


def _read(path: Path) -> tuple[bytes, bool]:
    """A file's bytes, and whether others than its owner may use it."""
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


def _refuse_double(account: Account, others: Mapping[str, Account]) -> None:
    for file, other in others.items():
        if other.fingerprint == account.fingerprint:
            raise CookieFileError(f"is the same account as {file}")
        if other.name == account.name:
            raise CookieFileError(f"would have the same name as {file}: rename it")


def _expiry(file: str, account: Account, now: float) -> str:
    """A warning that the account's sign-in expires soon; empty if it doesn't."""
    if account.expires is None or account.expires - now > EXPIRES_SOON:
        return ""
    moment = datetime.fromtimestamp(account.expires, UTC)
    return f"{file} has a {SIGN_IN} cookie that expires at {moment:%Y-%m-%d %H:%M} UTC: sign in again and export anew"
