import json
from typing import Any

import pytest

from worker.accounts.cookies import Cookie, CookieFileError
from worker.accounts.formats.json_list import parse

# An entry as each of them writes it.
COOKIE_EDITOR = {
    "name": "_U",
    "value": "1aB-c_d",
    "domain": ".bing.com",
    "hostOnly": False,
    "path": "/",
    "secure": True,
    "httpOnly": True,
    "sameSite": "no_restriction",
    "session": False,
    "firstPartyDomain": "",
    "partitionKey": None,
    "expirationDate": 1_800_000_000.25,
    "storeId": None,
}
EDIT_THIS_COOKIE = {
    "domain": ".bing.com",
    "expirationDate": 1_800_000_000.25,
    "hostOnly": False,
    "httpOnly": True,
    "name": "_U",
    "path": "/",
    "sameSite": "unspecified",
    "secure": True,
    "session": False,
    "storeId": "0",
    "value": "1aB-c_d",
    "id": 7,
}
PLAYWRIGHT = {
    "name": "_U",
    "value": "1aB-c_d",
    "domain": ".bing.com",
    "path": "/",
    "expires": 1_800_000_000.25,
    "httpOnly": True,
    "secure": True,
    "sameSite": "None",
}


@pytest.mark.parametrize("entry", [COOKIE_EDITOR, EDIT_THIS_COOKIE, PLAYWRIGHT])
def test_each_kind_of_entry_is_a_cookie(entry: dict[str, Any]) -> None:
    assert parse(json.dumps([entry])) == [Cookie("_U", "1aB-c_d", ".bing.com", 1_800_000_000.25)]


@pytest.mark.parametrize("more", [{}, {"expirationDate": None}, {"expires": -1}, {"domain": None}])
def test_a_session_cookie_has_no_expiry(more: dict[str, Any]) -> None:
    assert parse(json.dumps([{"name": "_U", "value": "x", **more}])) == [Cookie("_U", "x")]


def test_the_lists_order_is_kept() -> None:
    entries = [{"name": "b", "value": "1"}, {"name": "a", "value": "2"}, {"name": "b", "value": "3"}]
    assert [(cookie.name, cookie.value) for cookie in parse(json.dumps(entries))] == [
        ("b", "1"),
        ("a", "2"),
        ("b", "3"),
    ]


@pytest.mark.parametrize("entries", [["x"], [{}], [{"name": "_U"}], [{"name": "_U", "value": 5}], [None], [[]]])
def test_a_list_of_something_else_is_one_sentence(entries: list[Any]) -> None:
    with pytest.raises(CookieFileError, match="is not a list of cookies with name and value"):
        parse(json.dumps(entries))
