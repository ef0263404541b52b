import json
import os
from pathlib import Path
from typing import Any

import pytest

import worker.accounts.account
from wire.needs import ABILITIES
from worker.accounts.account import CookieAccount, ServerAccount
from worker.accounts.config import Aliases
from worker.accounts.directory import DirectoryState, load_accounts, read_folder

NOW = 1_700_000_000.0
DAY = 24 * 3600


def cookie(name: str, value: Any, **more: Any) -> dict[str, Any]:
    """Build an entry as Cookie-Editor exports it."""
    usual = {"domain": ".bing.com", "hostOnly": False, "httpOnly": True, "path": "/", "sameSite": "no_restriction"}
    return {**usual, "secure": True, "session": False, "storeId": None, "name": name, "value": value, **more}


def write(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content, encoding="utf-8")
    (folder / name).chmod(0o600)


def export(folder: Path, name: str, *cookies: Any) -> None:
    write(folder, name, json.dumps(list(cookies)))


def names(contents: DirectoryState) -> list[str]:
    return [account.name for account in contents.accounts]


def test_each_file_is_an_account_named_after_it(tmp_path: Path) -> None:
    export(tmp_path, "b.json", cookie("_U", "two"), cookie("MUID", "x=1&y"))
    export(tmp_path, "a.json", cookie("_U", "one", expirationDate=NOW + 2 * DAY))
    write(tmp_path, "c d.cookies.txt", "_U=three")
    write(tmp_path, "e", "_U=four")
    assert load_accounts(tmp_path, NOW) == DirectoryState(
        (
            CookieAccount("a", {"_U": "one"}, NOW + 2 * DAY),
            CookieAccount("b", {"_U": "two", "MUID": "x=1&y"}),
            CookieAccount("c d.cookies", {"_U": "three"}),
            CookieAccount("e", {"_U": "four"}),
        )
    )


def test_the_system_clock_is_the_default(tmp_path: Path) -> None:
    export(tmp_path, "a.json", cookie("_U", "one", expirationDate=NOW))
    assert load_accounts(tmp_path).accounts == ()


def test_the_readme_hidden_files_and_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no export")
    (tmp_path / "._a.json").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "lost+found").mkdir()
    assert load_accounts(tmp_path, NOW) == DirectoryState()


def test_a_bad_file_is_reported_and_does_not_keep_the_others_out(tmp_path: Path) -> None:
    export(tmp_path, "d.json", cookie("_U", "two"))
    write(tmp_path, "a.json", "")
    (tmp_path / "b.json").symlink_to("nowhere")
    os.mkfifo(tmp_path / "c.json")
    write(tmp_path, "e\nf", "_U=three")
    contents = load_accounts(tmp_path, NOW)
    assert names(contents) == ["d"]
    assert contents.problems == (
        "a.json is empty",
        "b.json can't be read: No such file or directory",
        "c.json is not a file",
        "'e\\nf' has a name that can't be shown: rename it",
    )


def test_the_same_account_is_taken_once(tmp_path: Path) -> None:
    export(tmp_path, "a.json", cookie("_U", "one"))
    export(tmp_path, "b.json", cookie("_U", "one"), cookie("MUID", "m"))
    contents = load_accounts(tmp_path, NOW)
    assert names(contents) == ["a"]
    assert contents.problems == ("b.json is the same account as a.json",)


def test_two_files_never_share_a_name(tmp_path: Path) -> None:
    export(tmp_path, "a.json", cookie("_U", "one"))
    write(tmp_path, "a.txt", "_U=two")
    contents = load_accounts(tmp_path, NOW)
    assert names(contents) == ["a"]
    assert contents.problems == ("a.txt would have the same name as a.json: rename it",)


def test_an_account_is_compared_with_all_others_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest for each pair took seconds where there are thousands of exports."""
    digests: list[str] = []

    def digest(secret: str) -> str:
        digests.append(secret)
        return secret

    monkeypatch.setattr(worker.accounts.account, "_digest", digest)
    for number in range(40):
        write(tmp_path, f"{number:02}", f"_U=value-{number // 2}")
    contents = load_accounts(tmp_path, NOW)
    assert (len(contents.accounts), len(contents.problems)) == (20, 20)
    assert contents.problems[-1] == "39 is the same account as 38"
    assert len(digests) <= 2 * 40


def test_an_export_of_the_environments_account_is_refused_by_its_name(tmp_path: Path) -> None:
    own = ServerAccount("openai", "http://127.0.0.1:1/v1", "m")
    write(tmp_path, "openai", "_U=one")
    contents = read_folder(tmp_path).state_at(NOW, DirectoryState(), [own])
    assert contents.accounts == (own,)
    assert contents.problems == ("openai would have the same name as openai of the environment: rename it",)


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    sentence = f"{folder} can't be read as the folder of cookie exports: No such file or directory"
    assert load_accounts(folder, NOW) == DirectoryState(problems=(sentence,))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_use_is_warned_of_and_used(tmp_path: Path, mode: int) -> None:
    write(tmp_path, "a", "_U=one")
    (tmp_path / "a").chmod(mode)
    write(tmp_path, "accounts.toml", "")
    (tmp_path / "accounts.toml").chmod(mode)
    contents = load_accounts(tmp_path, NOW)
    assert names(contents) == ["a"]
    assert contents.warnings == (
        "a can be used by others than its owner: chmod 600 it",
        "accounts.toml can be used by others than its owner: chmod 600 it",
    )


def test_an_expiry_is_warned_of_from_a_day_before_and_reported_when_it_passes(tmp_path: Path) -> None:
    export(tmp_path, "a.json", cookie("_U", "one", expirationDate=NOW))
    reading = read_folder(tmp_path)
    assert reading.state_at(NOW - DAY - 1, DirectoryState()).warnings == ()
    soon = "a.json has a _U cookie that expires at 2023-11-14 22:13 UTC: sign in again and export anew"
    for moment in (NOW - DAY, NOW - 1):
        assert reading.state_at(moment, DirectoryState()).warnings == (soon,)
        assert names(reading.state_at(moment, DirectoryState())) == ["a"]
    assert reading.state_at(NOW, DirectoryState()) == DirectoryState(
        problems=("a.json has an expired _U cookie: sign in again and export anew",)
    )


def test_it_is_known_when_an_expiry_changes_what_the_files_come_to(tmp_path: Path) -> None:
    export(tmp_path, "a.json", cookie("_U", "one", expirationDate=NOW), cookie("MUID", "m", expirationDate=NOW - 5))
    reading = read_folder(tmp_path)
    moments = [0.0]
    while moments[-1] < float("inf"):
        moments.append(reading.next_change(moments[-1]))
    assert moments[1:-1] == [NOW - 5 - DAY, NOW - DAY, NOW - 5, NOW]


def test_accounts_toml_says_on_what_terms_an_account_is_used(tmp_path: Path) -> None:
    write(tmp_path, "alice.json", "_U=one")
    write(tmp_path, "bob.json", "_U=two")
    write(tmp_path, "accounts.toml", '[accounts.alice]\nweight = 2\nturns = 4\ndaily = 150\nproxy = "http://proxy:1"')
    assert load_accounts(tmp_path, NOW) == DirectoryState(
        (
            CookieAccount("alice", {"_U": "one"}, weight=2.0, turns=4, daily=150, proxy="http://proxy:1"),
            CookieAccount("bob", {"_U": "two"}),
        )
    )


def test_a_name_that_no_file_has_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "alice", "_U=one")
    write(tmp_path, "bob", "no export")
    write(tmp_path, "accounts.toml", "[accounts.alicf]\nweight = 2\n[accounts.bob]\nweight = 2")
    contents = load_accounts(tmp_path, NOW)
    assert names(contents) == ["alice"]
    assert contents.problems[1:] == ("accounts.toml names 'alicf', but no file here has that name",)


def test_an_account_whose_terms_cant_be_understood_waits_alone(tmp_path: Path) -> None:
    write(tmp_path, "alice", "_U=one")
    write(tmp_path, "bob", "_U=two")
    write(tmp_path, "accounts.toml", "[accounts.alice]\nweight = 0")
    contents = load_accounts(tmp_path, NOW)
    assert names(contents) == ["bob"]
    assert contents.problems == (
        "alice is not used before accounts.toml can be understood",
        "accounts.toml, 'alice': weight must be a number above 0 and up to 1000",
    )


def test_accounts_keep_the_terms_that_they_had_while_the_file_cant_be_understood(tmp_path: Path) -> None:
    write(tmp_path, "alice", "_U=one")
    write(tmp_path, "bob", "_U=two")
    write(tmp_path, "carol", "_U=three")
    write(tmp_path, "accounts.toml", "[accounts.alice")
    before = DirectoryState(
        (CookieAccount("alice", {}, proxy="http://proxy:1"), CookieAccount("bob", {})), aliases=Aliases({"x": ("m",)})
    )
    contents = read_folder(tmp_path).state_at(NOW, before)
    assert contents.aliases == before.aliases
    assert [(account.name, account.proxy) for account in contents.accounts] == [
        ("alice", "http://proxy:1"),
        ("bob", None),
    ]
    assert contents.problems == (
        "carol is not used before accounts.toml can be understood",
        "accounts.toml is not TOML",
    )


def test_an_accounts_toml_that_cant_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    write(tmp_path, "alice", "_U=one")
    (tmp_path / "accounts.toml").symlink_to("nowhere")
    contents = load_accounts(tmp_path, NOW)
    assert names(contents) == []
    assert contents.problems[1:] == ("accounts.toml can't be read: No such file or directory",)


SERVER = '[accounts.local]\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\nweight = 2\n'


def test_an_entry_with_a_base_url_is_an_account_by_itself(tmp_path: Path) -> None:
    write(tmp_path, "alice", "_U=one")
    write(tmp_path, "local.key", "s3cret\n")
    write(tmp_path, "accounts.toml", SERVER + 'api_key_file = "local.key"\nimage_model = "p"\n')
    contents = load_accounts(tmp_path, NOW)
    local = ServerAccount("local", "http://127.0.0.1:1/v1", "m", "s3cret", "p", weight=2.0)
    assert contents == DirectoryState((CookieAccount("alice", {"_U": "one"}), local))
    assert "s3cret" not in repr(contents)


def test_a_servers_key_may_be_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_KEY", "s3cret")
    write(tmp_path, "accounts.toml", SERVER + 'api_key_env = "LOCAL_KEY"\n')
    (account,) = load_accounts(tmp_path, NOW).accounts
    assert account == ServerAccount("local", "http://127.0.0.1:1/v1", "m", "s3cret", weight=2)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('api_key_file = "none.key"\n', "accounts.toml, 'local': none.key can't be read: No such file or directory"),
        ('api_key_env = "NO_SUCH_KEY"\n', "accounts.toml, 'local': the variable NO_SUCH_KEY isn't set"),
        (
            'api_key_env = "A"\napi_key_file = "b"\n',
            "accounts.toml, 'local': only one of api_key_file and api_key_env may be there",
        ),
    ],
)
def test_a_server_without_its_key_is_left_out_and_reported(tmp_path: Path, more: str, problem: str) -> None:
    write(tmp_path, "alice", "_U=one")
    write(tmp_path, "accounts.toml", SERVER + more)
    contents = load_accounts(tmp_path, NOW)
    assert (names(contents), contents.problems) == (["alice"], (problem,))


def test_a_server_that_is_there_twice_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "accounts.toml", SERVER + SERVER.replace("local", "other"))
    contents = load_accounts(tmp_path, NOW)
    assert names(contents) == ["local"]
    assert contents.problems == ("accounts.toml, 'other': it is the same account as accounts.toml, 'local'",)


def test_a_server_stays_while_what_is_said_of_it_cant_be_understood(tmp_path: Path) -> None:
    before = DirectoryState((ServerAccount("local", "http://127.0.0.1:1/v1", "m"),))
    for text, expected in [("[accounts.local", ["local"]), (SERVER + "turns = 0", ["local"]), ("", [])]:
        write(tmp_path, "accounts.toml", text)
        assert names(read_folder(tmp_path).state_at(NOW, before)) == expected


def test_the_environments_account_is_there_beside_the_folders_and_takes_its_terms(tmp_path: Path) -> None:
    own = ServerAccount("openai", "http://127.0.0.1:1/v1", "m")
    write(tmp_path, "alice", "_U=one")
    write(tmp_path, "accounts.toml", "[accounts.openai]\nturns = 2\n")
    contents = read_folder(tmp_path).state_at(NOW, DirectoryState(), [own])
    assert [(account.name, account.turns) for account in contents.accounts] == [("openai", 2), ("alice", None)]
    assert contents.problems == ()


def test_a_key_that_others_may_read_is_reported_once(tmp_path: Path) -> None:
    write(tmp_path, "shared.key", "s3cret")
    (tmp_path / "shared.key").chmod(0o644)
    key = 'api_key_file = "shared.key"\n'
    other = SERVER.replace("local", "other").replace('"m"', '"n"')
    write(tmp_path, "accounts.toml", SERVER + key + other + key)
    contents = load_accounts(tmp_path, NOW)
    assert (names(contents), contents.problems) == (["local", "other"], ())
    assert contents.warnings == ("shared.key can be used by others than its owner: chmod 600 it",)


def test_the_files_aliases_have_its_modification_as_their_version(tmp_path: Path) -> None:
    write(tmp_path, "accounts.toml", SERVER + '[aliases]\nfast = ["m", "n"]\nbad = 1\n')
    os.utime(tmp_path / "accounts.toml", ns=(0, 1_700_000_000_123_456_789))
    state = load_accounts(tmp_path, NOW)
    assert state.aliases == Aliases({"fast": ("m", "n")})
    assert state.aliases.version == 1_700_000_000_123
    assert load_accounts(tmp_path / "empty", NOW).aliases.version == 0


def test_a_servers_entry_names_its_models_and_what_they_cannot_do(tmp_path: Path) -> None:
    write(tmp_path, "accounts.toml", SERVER + 'models = ["n", "m", "n"]\ntools = false\npictures = false\n')
    (account,) = load_accounts(tmp_path, NOW).accounts
    assert (account.models, account.lists_models) == (("m", "n"), False)
    assert account.abilities == {"json", "logprobs", "sampling", "reasoning"}
    write(tmp_path, "accounts.toml", SERVER + 'models = "all"\n')
    (account,) = load_accounts(tmp_path, NOW).accounts
    assert (account.models, account.lists_models) == (("m",), True)
    assert account.abilities == ABILITIES
