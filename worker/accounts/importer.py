"""Cookie exports that are added to the folder. A cookie's value never appears in a message."""

import itertools
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.account import Account
from worker.accounts.directory import MAX_FILE, load_accounts

_LONGEST_NAME = 64
_NO_EXPORTS = {"README.md", "accounts.toml"}


class ExportError(ValueError):
    """One sentence on why an export is not taken."""


@dataclass(frozen=True)
class ImportedAccount:
    """The account that a file was written for; `replaced`: it had one already."""

    account: str
    file: Path
    replaced: bool


def add_export(folder: Path, export: bytes, name: str, *, exact: bool) -> ImportedAccount:
    """Write an export into the folder, for its owner only, if a worker can use it; ExportError if not.

    `exact`: as the account of that very name, in place of what it has now. Otherwise under the first of `name`,
    `name-2`, `name-3` … that is free.
    """
    _check(export, name)
    try:
        _close_to_others(folder)
        with _draft(folder, export, name) as draft:
            _refuse_double(_account(draft), load_accounts(folder).accounts, besides=name if exact else "")
            return _put_in_place(folder, draft, name) if exact else _put_beside(folder, draft, name)
    except OSError as error:
        raise ExportError(f"{folder} can't be written: {error.strerror}") from None


def _check(export: bytes, name: str) -> None:
    usable = name.isprintable() and "/" not in name and not name.startswith(".") and name == name.strip()
    if not (usable and 0 < len(name) <= _LONGEST_NAME):
        raise ExportError(
            f"an account's name has 1 to {_LONGEST_NAME} characters that can be shown, without '/' or a '.' in front"
        )
    if len(export) > MAX_FILE:
        raise ExportError(f"{name} is larger than {MAX_FILE // 1024**2} MiB")


def _close_to_others(folder: Path) -> None:
    """Let only its owner into the folder, and make it if there is none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if stat.S_IMODE(found.st_mode) & 0o077 and found.st_uid == os.geteuid():
        folder.chmod(0o700)


@contextmanager
def _draft(folder: Path, export: bytes, name: str) -> Iterator[Path]:
    """The export as a file in a hidden folder of its own, as it would be called."""
    hidden = Path(tempfile.mkdtemp(prefix=".adding-", dir=folder))
    try:
        draft = hidden / f"{name}{_ending(export)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(export)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _ending(export: bytes) -> str:
    return ".json" if export.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{") else ".txt"


def _account(draft: Path) -> Account:
    found = load_accounts(draft.parent)
    if not found.accounts:
        raise ExportError(found.problems[0] if found.problems else f"{draft.name} is not an export of cookies")
    return found.accounts[0]


def _refuse_double(account: Account, others: Iterable[Account], besides: str) -> None:
    for other in others:
        if other.fingerprint == account.fingerprint and other.name != besides:
            raise ExportError(f"these are cookies of {other.name}, which is there already")


def _put_in_place(folder: Path, draft: Path, name: str) -> ImportedAccount:
    held = [path for path in sorted(folder.iterdir()) if path.stem == name and path.name not in _NO_EXPORTS]
    file = held[0] if held else folder / draft.name
    draft.replace(file)
    return ImportedAccount(name, file, bool(held))


def _put_beside(folder: Path, draft: Path, name: str) -> ImportedAccount:
    """A link is refused where a file is already, so that of two who add at once none loses."""
    for free in itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2))):
        if any(path.stem == free for path in folder.iterdir()):
            continue
        file = folder / f"{free}{draft.suffix}"
        try:
            file.hardlink_to(draft)
        except FileExistsError:
            continue
        return ImportedAccount(free, file, replaced=False)
    raise AssertionError("numbers end")
