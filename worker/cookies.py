"""Cookie exports: from the files of a folder to accounts. A cookie's value never appears in a message."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from worker.accounts import Account

# The cookie that signs an account in.
SIGN_IN = "_U"
# What a Cookie header can carry: visible ASCII without what ends a value.
_CARRIED = frozenset(map(chr, range(0x21, 0x7F))) - {";"}


class _Cookie(msgspec.Struct, rename="camel"):
    """One entry of a Cookie-Editor export; `expiration_date` is in Unix seconds, missing for a session cookie."""

    name: str
    value: str
    expiration_date: float | None = None


_entries = msgspec.json.Decoder(list[_Cookie])


class CookieFileError(ValueError):
    """One sentence on what is wrong with an export, without its file's name."""


def load_accounts(folder: Path, now: float | None = None) -> tuple[list[Account], list[str]]:
    """The accounts in `folder`, by name, and a sentence for each file that gives none.

    `now` is in Unix seconds, the system's clock by default. Files of other kinds and hidden ones are left alone.
    """
    moment = time.time() if now is None else now
    accounts: list[Account] = []
    problems: list[str] = []
    owners: dict[str, str] = {}
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in _READERS and not path.name.startswith("."))
    except OSError as error:
        return [], [f"{folder} can't be read as the folder of cookie exports: {error.strerror}"]
    for path in files:
        try:
            cookies = _READERS[path.suffix](_read(path), moment)
            first = owners.setdefault(cookies[SIGN_IN], path.name)
            if first != path.name:
                raise CookieFileError(f"is the same account as {first}")
        except CookieFileError as error:
            problems.append(f"{path.name} {error}")
        else:
            accounts.append(Account(path.stem, cookies))
    return accounts, problems


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf").strip()
    except OSError as error:
        raise CookieFileError(f"can't be read: {error.strerror}") from error
    if not data:
        raise CookieFileError("is empty")
    return data


def _cookie_editor(data: bytes, now: float) -> dict[str, str]:
    """The usable cookies of a Cookie-Editor JSON export. A later entry of the same name wins."""
    try:
        entries = _entries.decode(data)
    except msgspec.ValidationError as error:
        raise CookieFileError("is not a list of cookies with name and value, as Cookie-Editor exports it") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CookieFileError("is not JSON") from error
    faults = {entry.name: _fault(entry, now) for entry in entries}
    if fault := faults.get(SIGN_IN, f"has no {SIGN_IN} cookie: export it while signed in at bing.com"):
        raise CookieFileError(fault)
    return {entry.name: entry.value for entry in entries if not faults[entry.name]}


def _fault(cookie: _Cookie, now: float) -> str:
    """What keeps a cookie from being sent; empty if nothing does."""
    if cookie.expiration_date is not None and cookie.expiration_date <= now:
        return f"has an expired {cookie.name} cookie: sign in again and export anew"
    if not cookie.value and cookie.name == SIGN_IN:
        return f"has an empty {cookie.name} cookie"
    if not _CARRIED.issuperset(cookie.name) or not (_CARRIED | {" "}).issuperset(cookie.value):
        return f"has a {SIGN_IN} cookie with characters that no header can carry"
    return ""


_READERS: dict[str, Callable[[bytes, float], dict[str, str]]] = {".json": _cookie_editor}
