import json
from pathlib import Path
from typing import Any

import pytest

from worker.cookies import load_accounts

NOW = 1_700_000_000.0


def cookie(name: str, value: Any, **more: Any) -> dict[str, Any]:
    """An entry the way Cookie-Editor exports it."""
    usual = {"domain": ".bing.com", "hostOnly": False, "httpOnly": True, "path": "/", "sameSite": "no_restriction"}
    return {**usual, "secure": True, "session": False, "storeId": None, "name": name, "value": value, **more}


def export(folder: Path, name: str, *cookies: Any) -> None:
    (folder / name).write_text(json.dumps(list(cookies)), encoding="utf-8")


def test_each_export_is_an_account_named_after_its_file(tmp_path: Path) -> None:
    export(tmp_path, "b.json", cookie("_U", "two"), cookie("MUID", "x=1&y"))
    export(tmp_path, "a.json", cookie("_U", "one", expirationDate=NOW + 1.5))
    accounts, problems = load_accounts(tmp_path, NOW)
    assert [(account.name, account.cookies) for account in accounts] == [
        ("a", {"_U": "one"}),
        ("b", {"_U": "two", "MUID": "x=1&y"}),
    ]
    assert problems == []


def test_the_system_clock_is_the_default(tmp_path: Path) -> None:
    export(tmp_path, "a.json", cookie("_U", "one", expirationDate=NOW))
    assert load_accounts(tmp_path)[0] == []


def test_other_files_and_hidden_ones_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no export")
    (tmp_path / "._a.json").write_bytes(b"\x00\x05\x16\x07")
    assert load_accounts(tmp_path, NOW) == ([], [])


def test_expired_and_unsendable_cookies_are_dropped(tmp_path: Path) -> None:
    old = cookie("OLD", "1", expirationDate=NOW)
    export(tmp_path, "a.json", cookie("_U", "one"), old, cookie("BAD", "a;b"), cookie("ALSO BAD", "1"), cookie("E", ""))
    assert load_accounts(tmp_path, NOW)[0][0].cookies == {"_U": "one", "E": ""}


def test_the_last_cookie_of_a_name_wins(tmp_path: Path) -> None:
    export(tmp_path, "a.json", cookie("_U", "one"), cookie("_U", "two"))
    assert load_accounts(tmp_path, NOW)[0][0].cookies == {"_U": "two"}


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([cookie("_U", "one")]), encoding="utf-8-sig")
    assert [account.name for account in load_accounts(tmp_path, NOW)[0]] == ["a"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.json is empty"),
        (b" \n", "a.json is empty"),
        (b'[{"name":', "a.json is not JSON"),
        (b"\xff\xfe\x00", "a.json is not JSON"),
        (b'[{"x":' + b"[" * 100_000, "a.json is not JSON"),
        (b"{}", "a.json is not a list of cookies with name and value, as Cookie-Editor exports it"),
        (b'["secret"]', "a.json is not a list of cookies with name and value, as Cookie-Editor exports it"),
        (b'[{"name": "_U"}]', "a.json is not a list of cookies with name and value, as Cookie-Editor exports it"),
        (
            b'[{"name": "_U", "value": 5}]',
            "a.json is not a list of cookies with name and value, as Cookie-Editor exports it",
        ),
        (b"[]", "a.json has no _U cookie: export it while signed in at bing.com"),
        (b'[{"name": "_U", "value": ""}]', "a.json has an empty _U cookie"),
        (b'[{"name": "_U", "value": "secret\\n"}]', "a.json has a _U cookie with characters that no header can carry"),
        (
            '[{"name": "_U", "value": "secreté"}]'.encode(),
            "a.json has a _U cookie with characters that no header can carry",
        ),
        (
            b'[{"name": "_U", "value": "secret", "expirationDate": 1}]',
            "a.json has an expired _U cookie: sign in again and export anew",
        ),
    ],
)
def test_each_fault_is_one_sentence_without_a_value(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert load_accounts(tmp_path, NOW) == ([], [sentence])


def test_a_bad_file_does_not_keep_the_others_out(tmp_path: Path) -> None:
    export(tmp_path, "b.json", cookie("_U", "two"))
    (tmp_path / "a.json").mkdir()
    accounts, problems = load_accounts(tmp_path, NOW)
    assert [account.name for account in accounts] == ["b"]
    assert problems == ["a.json can't be read: Is a directory"]


def test_the_same_account_is_taken_once(tmp_path: Path) -> None:
    export(tmp_path, "a.json", cookie("_U", "one"))
    export(tmp_path, "b.json", cookie("_U", "one"), cookie("MUID", "m"))
    accounts, problems = load_accounts(tmp_path, NOW)
    assert [account.name for account in accounts] == ["a"]
    assert problems == ["b.json is the same account as a.json"]


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    assert load_accounts(folder, NOW) == (
        [],
        [f"{folder} can't be read as the folder of cookie exports: No such file or directory"],
    )
