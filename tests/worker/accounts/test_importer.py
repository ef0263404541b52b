"""Adding an export to the folder."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import write_accounts
from worker.accounts.directory import MAX_FILE, load_accounts
from worker.accounts.importer import ExportError, ImportedAccount, add_export
from worker.providers import require_cookies


def export(sign_in: str, **more: Any) -> bytes:
    return json.dumps([{"name": "_U", "value": sign_in, "domain": ".bing.com", **more}]).encode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files(folder: Path) -> list[str]:
    """All that is there, hidden or not."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_an_export_becomes_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "cookies"
    added = add_export(folder, export("secret"), "alice", exact=True)
    assert added == ImportedAccount("alice", folder / "alice.json", replaced=False)
    assert (mode(folder), mode(added.file)) == (0o700, 0o600)
    assert [account.name for account in load_accounts(folder).accounts] == ["alice"]
    assert files(folder) == ["alice.json"]


def test_others_are_shut_out_of_a_folder_that_is_there(tmp_path: Path) -> None:
    write_accounts(tmp_path / "cookies", "one")
    (tmp_path / "cookies").chmod(0o755)
    add_export(tmp_path / "cookies", export("secret"), "alice", exact=True)
    assert mode(tmp_path / "cookies") == 0o700


def test_a_name_of_ones_own_takes_the_place_of_what_it_has(tmp_path: Path) -> None:
    write_accounts(tmp_path, "alice", "bob")
    (tmp_path / "alice.json").chmod(0o644)
    assert add_export(tmp_path, export("new"), "alice", exact=True).replaced
    assert mode(tmp_path / "alice.json") == 0o600
    accounts = {account.name: require_cookies(account).cookies for account in load_accounts(tmp_path).accounts}
    assert accounts == {"alice": {"_U": "new"}, "bob": {"_U": "bob"}}
    assert add_export(tmp_path, export("new", expirationDate=2e9), "alice", exact=True).replaced
    assert files(tmp_path) == ["alice.json", "bob.json"]


def test_without_one_a_name_that_is_free_is_found(tmp_path: Path) -> None:
    names = [add_export(tmp_path, export(sign_in), "alice", exact=False).account for sign_in in ("1", "2", "3")]
    assert names == ["alice", "alice-2", "alice-3"]
    (tmp_path / "bob.txt").write_text("another format")
    assert add_export(tmp_path, export("4"), "bob", exact=False).account == "bob-2"


def test_of_two_who_add_at_once_none_loses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Path.hardlink_to

    def late(self: Path, target: Path) -> None:
        monkeypatch.undo()
        write_accounts(tmp_path, "alice")
        link(self, target)

    monkeypatch.setattr(Path, "hardlink_to", late)
    assert add_export(tmp_path, export("2"), "alice", exact=False).account == "alice-2"
    assert {account.name: require_cookies(account).cookies["_U"] for account in load_accounts(tmp_path).accounts} == {
        "alice": "alice",
        "alice-2": "2",
    }


@pytest.mark.parametrize("name", ["README", "accounts"])
def test_files_of_the_folder_that_are_no_exports_stay_as_they_are(tmp_path: Path, name: str) -> None:
    for path in (tmp_path / "README.md", tmp_path / "accounts.toml"):
        path.write_text("words")
    assert add_export(tmp_path, export("secret"), name, exact=True) == ImportedAccount(
        name, tmp_path / f"{name}.json", False
    )
    assert {(tmp_path / "README.md").read_text(), (tmp_path / "accounts.toml").read_text()} == {"words"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "alice.txt is empty"),
        (b"not JSON", "alice.txt is in no format that is known here: cookies/README.md lists them"),
        (b"[]", "alice.json has no _U cookie: export it while signed in at www.bing.com"),
        (export("secret", expirationDate=1), "alice.json has an expired _U cookie: sign in again and export anew"),
        (b"[" * (MAX_FILE + 1), "alice is larger than 8 MiB"),
        (export("bob"), "these are cookies of bob, which is there already"),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_what_is_no_new_account_is_refused_and_leaves_no_trace(
    tmp_path: Path, content: bytes, sentence: str, exact: bool
) -> None:
    write_accounts(tmp_path, "bob")
    with pytest.raises(ExportError) as refused:
        add_export(tmp_path, content, "alice", exact=exact)
    assert str(refused.value) == sentence
    assert files(tmp_path) == ["bob.json"]


@pytest.mark.parametrize("name", ["", " alice", ".alice", "../alice", "a/images", "a\nb", "a\0", "a" * 65])
def test_a_name_that_can_be_no_accounts_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportError, match=r"^an account's name has 1 to 64 characters"):
        add_export(tmp_path, export("secret"), name, exact=True)
    assert files(tmp_path) == []


def test_a_folder_that_is_none_is_reported(tmp_path: Path) -> None:
    (tmp_path / "cookies").write_text("a file")
    with pytest.raises(ExportError, match="cookies can't be written: File exists"):
        add_export(tmp_path / "cookies", export("secret"), "alice", exact=True)
