import json
from typing import Any

import msgspec
import pytest

from worker.accounts.cookies import Cookie, CookieFileError
from worker.accounts.formats.har import parse


def entry(url: str, cookie: str = "", started: str = "2026-03-01T10:00:00.000Z", **request: Any) -> dict[str, Any]:
    """Build a request as browsers record it."""
    headers = [{"name": "cookie", "value": cookie}] if cookie else []
    request_ = {"method": "GET", "url": url, "httpVersion": "h3", "headers": headers, "cookies": [], **request}
    response = {"status": 200, "content": {"text": "_U=not-this; set-cookie: _U=nor-this"}}
    return {"startedDateTime": started, "time": 3.1, "request": request_, "response": response, "cache": {}}


def cookies(*entries: Any) -> list[Cookie]:
    log = {"version": "1.2", "creator": {"name": "WebInspector", "version": "537.36"}, "pages": [], "entries": entries}
    return parse(msgspec.Raw(json.dumps(log).encode()))


def values(*entries: Any) -> dict[str, str]:
    """Name and value of what counts."""
    return {cookie.name: cookie.value for cookie in cookies(*entries)}


def test_the_cookie_header_is_read() -> None:
    assert cookies(entry("https://www.bing.com/chat", "MUID=0A1; _U=1a=b")) == [
        Cookie("MUID", "0A1", "www.bing.com"),
        Cookie("_U", "1a=b", "www.bing.com"),
    ]


def test_the_list_of_cookies_says_when_they_expire_and_the_header_what_was_sent() -> None:
    listed = [
        {"name": "_U", "value": "a%20b", "expires": "1970-01-01T00:00:09.000Z", "path": "/", "domain": ".bing.com"},
        {"name": "MUID", "value": "0A1"},
    ]
    assert cookies(entry("https://www.bing.com/", "_U=a b", cookies=listed)) == [
        Cookie("_U", "a b", "www.bing.com", 9.0),
        Cookie("MUID", "0A1", "www.bing.com"),
    ]


def test_the_newest_request_wins_whatever_the_order() -> None:
    new = entry("wss://sydney.bing.com/x", "_U=1; A=new", "2026-03-01T12:30:00+02:00")
    old = entry("https://www.bing.com/", "_U=1; A=old; B=kept", "2026-03-01T10:00:00Z")
    assert values(new, old) == {"_U": "1", "A": "new", "B": "kept"}


def test_an_account_that_was_left_in_the_middle_does_not_mix_with_the_next() -> None:
    first = entry("https://www.bing.com/", "_U=first; ANON=first", "2026-03-01T10:00:00Z")
    between = entry("https://www.bing.com/", "MUID=signed-out", "2026-03-01T10:00:01Z")
    second = entry("https://www.bing.com/", "_U=second", "2026-03-01T10:00:02Z")
    assert values(first, between, second) == {"_U": "second"}


def test_other_sites_are_left_out() -> None:
    other = entry("https://login.live.com/", "_U=other", "2027-01-01T00:00:00Z")
    assert values(other, entry("https://www.bing.com/", "_U=mine"), entry("about:blank", "_U=none")) == {"_U": "mine"}


def test_without_a_sign_in_the_others_are_given() -> None:
    assert values(entry("https://www.bing.com/", "MUID=1")) == {"MUID": "1"}


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([], "is a HAR without a request to www.bing.com"),
        ([entry("https://x.example/", "_U=1")], "is a HAR without a request to www.bing.com"),
        ([entry("https://www.bing.com/")], "is a HAR without cookies: export it with sensitive data"),
        ([{"request": {}}], "is a HAR whose requests can't be understood"),
    ],
)
def test_each_fault_is_one_sentence(entries: list[Any], sentence: str) -> None:
    with pytest.raises(CookieFileError) as caught:
        cookies(*entries)
    assert str(caught.value) == sentence
