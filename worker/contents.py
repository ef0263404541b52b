"""What COOKIES_DIR holds: its files, and the accounts that they make."""

import math
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from worker import terms
from worker.accounts import SIGN_IN, Account
from worker.cookies import Cookie, CookieFileError, account_of
from worker.formats import cookies_in
from worker.terms import Said, Terms, not_understood, read_terms

# A HAR of a long recording is large; nothing else comes near.
MAX_FILE = 8 * 1024 * 1024
# From how long before its expiry a sign-in is warned of, in seconds.
EXPIRES_SOON = 24 * 3600.0
_LEFT_ALONE = {"README.md", terms.NAME}


@dataclass(frozen=True)
class Contents:
    """The accounts by name; a sentence for each thing that keeps one out (`problems`) or soon may (`warnings`)."""

    accounts: tuple[Account, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Export:
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
        return account_of(self.account, self.cookies, now)


@dataclass(frozen=True)
class Reading:
    """The folder as it was read. What it comes to is a matter of time, since cookies expire."""

    exports: tuple[Export, ...] = ()
    said: Said = field(default_factory=Said)
    said_exposed: bool = False
    fault: str = ""

    def contents(self, now: float, before: Mapping[str, Terms]) -> Contents:
        """What the folder comes to at `now`, in Unix seconds.

        Where accounts.toml can't be understood an account keeps the terms that it had `before`. One that had none is
        left out: it may be one that must not go out without its proxy.
        """
        accounts, problems = self._accounts(now)
        used: list[Account] = []
        for file, account in accounts.items():
            known = self.said.of(account.name) or before.get(account.name)
            if known is None:
                problems.append(f"{file} is not used before {terms.NAME} can be understood")
            else:
                used.append(known.applied_to(account))
        absent = sorted(self.said.named.keys() - {export.account for export in self.exports})
        problems += [f"{terms.NAME} names {name!r}, but no file here has that name" for name in absent]
        warnings = [*self._exposed(), *(_expiry(file, account, now) for file, account in accounts.items())]
        return Contents(tuple(used), (*problems, *self.said.problems), tuple(filter(None, warnings)))

    def next_change(self, now: float) -> float:
        """When, in Unix seconds, the same files come to something else because a cookie expires, or soon will."""
        expiries = (
            cookie.expires for export in self.exports for cookie in export.cookies if cookie.expires is not None
        )
        moments = (moment for expiry in expiries for moment in (expiry - EXPIRES_SOON, expiry))
        return min((moment for moment in moments if moment > now), default=math.inf)

    def _accounts(self, now: float) -> tuple[dict[str, Account], list[str]]:
        """The accounts by file, and what keeps the other files from being one."""
        accounts: dict[str, Account] = {}
        problems = [self.fault] if self.fault else []
        for export in self.exports:
            try:
                account = export.account_at(now)
                _refuse_double(account, accounts)
            except CookieFileError as error:
                problems.append(f"{export.file} {error}")
            else:
                accounts[export.file] = account
        return accounts, problems

    def _exposed(self) -> list[str]:
        files = [export.file for export in self.exports if export.exposed] + [terms.NAME] * self.said_exposed
        return [f"{file} can be used by others than its owner: chmod 600 it" for file in files]


def load_accounts(folder: Path, now: float | None = None) -> Contents:
    """What a folder holds now. `now` is in Unix seconds, the system's clock by default."""
    return read_folder(folder).contents(time.time() if now is None else now, {})


def read_folder(folder: Path) -> Reading:
    """Read the files of a folder. Hidden ones, folders and README.md are left alone."""
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        return Reading(fault=f"{folder} can't be read as the folder of cookie exports: {error.strerror}")
    exports = [_read_export(path) for path in paths if path.name not in _LEFT_ALONE and not os.path.isdir(path)]
    if folder / terms.NAME not in paths:
        return Reading(tuple(exports))
    said, said_exposed = _read_terms(folder / terms.NAME)
    return Reading(tuple(exports), said, said_exposed)


def _read_export(path: Path) -> Export:
    if not path.name.isprintable():
        return Export(repr(path.name), fault="has a name that can't be shown: rename it")
    try:
        data, exposed = _read(path)
        return Export(path.name, tuple(cookies_in(data)), exposed=exposed)
    except CookieFileError as error:
        return Export(path.name, fault=str(error))


def _read_terms(path: Path) -> tuple[Said, bool]:
    try:
        data, exposed = _read(path)
    except CookieFileError as error:
        return not_understood(str(error)), False
    return read_terms(data), exposed


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
