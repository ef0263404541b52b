"""Add cookie exports to the folder. A cookie's value never appears in a message."""

import itertools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.account import Account
from worker.accounts.directory import MAX_FILE, DirectoryState, load_accounts, read_folder

_LONGEST_NAME = 64
_NO_EXPORTS = {"README.md", "accounts.toml"}


class ExportError(ValueError):
    """One sentence about why an export is rejected."""


@dataclass(frozen=True)
class ImportedAccount:
    """The account whose file was written; `replaced`: it had one already."""

    account: str
    file: Path
    replaced: bool


def add_export(
    folder: Path, export: bytes, name: str, *, exact: bool, reserved: Mapping[str, str] | None = None
) -> ImportedAccount:
    """Write an export into the folder, readable by its owner only, if a worker can use it; ExportError if not.

    `exact`: as the account of exactly this name, replacing its file. Otherwise under the first free name of `name`,
    `name-2`, `name-3` … A server's name is never free, nor is a key file's. `reserved` are those of the environment,
    each with what has it.
    """
    _check(export, name)
    try:
        _restrict_access(folder)
        with _draft(folder, export, name) as draft:
            contents = read_folder(folder)
            names = contents.reserved | dict(reserved or {})
            others = contents.state_at(time.time(), DirectoryState()).accounts
            if exact:
                _refuse_reserved(name, names)
            _refuse_double(_account(draft), others, except_name=name if exact else "")
            return _replace_file(folder, draft, name) if exact else _add_file(folder, draft, name, names)
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


def _restrict_access(folder: Path) -> None:
    """Create the folder if it is missing, and let only its owner access it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if stat.S_IMODE(status.st_mode) & 0o077 and status.st_uid == os.geteuid():
        folder.chmod(0o700)


@contextmanager
def _draft(folder: Path, export: bytes, name: str) -> Iterator[Path]:
    """Write the export to a file of its final name in a hidden folder."""
    hidden = Path(tempfile.mkdtemp(prefix=".adding-", dir=folder))
    try:
        draft = hidden / f"{name}{_suffix(export)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(export)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _suffix(export: bytes) -> str:
    return ".json" if export.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{") else ".txt"


def _account(draft: Path) -> Account:
    state = load_accounts(draft.parent)
    if not state.accounts:
        raise ExportError(state.problems[0] if state.problems else f"{draft.name} is not an export of cookies")
    return state.accounts[0]


def _refuse_reserved(name: str, reserved: Mapping[str, str]) -> None:
    if name in reserved:
        raise ExportError(f"{name} is the name of {reserved[name]}: give the account another one")


def _refuse_double(account: Account, others: Iterable[Account], except_name: str) -> None:
    for other in others:
        if other.fingerprint == account.fingerprint and other.name != except_name:
            raise ExportError(f"these are cookies of {other.name}, which is there already")


def _replace_file(folder: Path, draft: Path, name: str) -> ImportedAccount:
    existing = [path for path in sorted(folder.iterdir()) if path.stem == name and path.name not in _NO_EXPORTS]
    file = existing[0] if existing else folder / draft.name
    draft.replace(file)
    return ImportedAccount(name, file, bool(existing))


def _add_file(folder: Path, draft: Path, name: str, reserved: Collection[str]) -> ImportedAccount:
    """Link the draft under the first free name. Linking fails where a file exists: concurrent imports are safe."""
    for free in itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2))):
        if free in reserved or any(path.stem == free for path in folder.iterdir()):
            continue
        file = folder / f"{free}{draft.suffix}"
        try:
            file.hardlink_to(draft)
        except FileExistsError:
            continue
        return ImportedAccount(free, file, replaced=False)
    raise AssertionError("numbers end")
