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


SERVER = '[accounts.vendor]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\napi_key_file = "secret.key"\n'


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A folder with a server and its key."""
    (tmp_path / "accounts.toml").write_text(SERVER)
    (tmp_path / "secret.key").write_text("sk-1")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("vendor", "vendor is the name of a server: give the account another one"),
        ("secret", "secret is the name of the key file secret.key: give the account another one"),
        ("openai", "openai is the name of a server: give the account another one"),
    ],
)
def test_cookies_never_take_the_place_of_a_server_or_of_its_key(served: Path, name: str, sentence: str) -> None:
    """They would be sent to the server as its key."""
    with pytest.raises(ExportError) as refused:
        add_export(served, export("secret"), name, exact=True, reserved={"openai": "a server"})
    assert str(refused.value) == sentence
    assert (served / "secret.key").read_text() == "sk-1"
    assert files(served) == ["accounts.toml", "secret.key"]


@pytest.mark.parametrize("name", ["vendor", "secret", "openai"])
def test_such_a_name_is_not_free_either(served: Path, name: str) -> None:
    added = add_export(served, export("secret"), name, exact=False, reserved={"openai": "a server"})
    assert added.account == f"{name}-2"
    assert files(served) == sorted(["accounts.toml", "secret.key", f"{name}-2.json"])


@pytest.mark.parametrize("name", ["vendor", "secret"])
def test_a_key_file_that_is_still_missing_has_its_name(served: Path, name: str) -> None:
    (served / "secret.key").unlink()
    with pytest.raises(ExportError, match=f"^{name} is the name of "):
        add_export(served, export("secret"), name, exact=True)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (SERVER + "turns = 0\n", "secret is the name of the key file secret.key: give"),
        (SERVER + 'provider = "another"\n', "secret is the name of the key file secret.key: give"),
        (
            SERVER + "[accounts",
            "secret is the name of the file secret.key, which may be a key while accounts.toml is broken: give",
        ),
    ],
)
def test_a_mistake_in_accounts_toml_exposes_no_key_file(served: Path, config: str, sentence: str) -> None:
    (served / "accounts.toml").write_text(config)
    with pytest.raises(ExportError, match=f"^{sentence} the account another one$"):
        add_export(served, export("secret"), "secret", exact=True)
    assert (served / "secret.key").read_text() == "sk-1"
    assert add_export(served, export("one"), "alice", exact=True).replaced is False
    assert add_export(served, export("two"), "alice", exact=True).replaced is True


def test_the_options_of_an_account_do_not_make_its_name_a_servers(tmp_path: Path) -> None:
    write_accounts(tmp_path, "alice")
    (tmp_path / "accounts.toml").write_text("[accounts.alice]\nweight = 2\n[accounts.bob]\nturns = 1\n")
    assert add_export(tmp_path, export("new"), "alice", exact=True).replaced
    assert add_export(tmp_path, export("bob"), "bob", exact=False).account == "bob"


@pytest.mark.parametrize("name", ["", " alice", ".alice", "../alice", "a/images", "a\nb", "a\0", "a" * 65])
def test_a_name_that_can_be_no_accounts_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportError, match=r"^an account's name has 1 to 64 characters"):
        add_export(tmp_path, export("secret"), name, exact=True)
    assert files(tmp_path) == []


def test_a_folder_that_is_none_is_reported(tmp_path: Path) -> None:
    (tmp_path / "cookies").write_text("a file")
    with pytest.raises(ExportError, match="cookies can't be written: File exists"):
        add_export(tmp_path / "cookies", export("secret"), "alice", exact=True)
