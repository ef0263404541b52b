import pytest

from worker.accounts.account import CookieAccount
from worker.accounts.cookies import Cookie, CookieFileError, account_from_cookies, is_bing_domain

NOW = 1_700_000_000.0


def test_the_cookies_make_an_account() -> None:
    cookies = [Cookie("_U", "one", ".bing.com", NOW + 1.5), Cookie("MUID", "x=1&y z", "www.bing.com", NOW + 1)]
    assert account_from_cookies("a", cookies, NOW) == CookieAccount("a", {"_U": "one", "MUID": "x=1&y z"}, NOW + 1.5)


def test_what_has_no_domain_and_no_expiry_passes() -> None:
    assert account_from_cookies("a", [Cookie("_U", "one")], NOW) == CookieAccount("a", {"_U": "one"}, None)


def test_expired_and_unsendable_cookies_and_other_sites_are_left_out() -> None:
    cookies = [
        Cookie("_U", "one"),
        Cookie("OLD", "1", expires=NOW),
        Cookie("BAD", "a;b"),
        Cookie("ALSO BAD", "1"),
        Cookie("E", ""),
        Cookie("MSPAuth", "1", ".live.com"),
        Cookie("_U", "other", "notbing.com"),
    ]
    assert account_from_cookies("a", cookies, NOW).cookies == {"_U": "one", "E": ""}


def test_the_last_cookie_of_a_name_wins() -> None:
    cookies = [Cookie("_U", "one", expires=1.0), Cookie("_U", "two", expires=NOW + 1)]
    assert account_from_cookies("a", cookies, NOW) == CookieAccount("a", {"_U": "two"}, NOW + 1)


@pytest.mark.parametrize(
    ("cookies", "sentence"),
    [
        ([], "has no _U cookie: export it while signed in at www.bing.com"),
        ([Cookie("MUID", "secret")], "has no _U cookie: export it while signed in at www.bing.com"),
        (
            [Cookie("_U", "secret", "bing.com.example")],
            "holds cookies of other sites only: export them at www.bing.com",
        ),
        ([Cookie("_U", "")], "has an empty _U cookie"),
        ([Cookie("_U", "secret\n")], "has a _U cookie with characters that no header can carry"),
        ([Cookie("_U", "secret\u00e9")], "has a _U cookie with characters that no header can carry"),
        ([Cookie("_U", "secret", expires=NOW)], "has an expired _U cookie: sign in again and export anew"),
    ],
)
def test_each_fault_is_one_sentence_without_a_value(cookies: list[Cookie], sentence: str) -> None:
    with pytest.raises(CookieFileError) as caught:
        account_from_cookies("a", cookies, NOW)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("domain", "its"),
    [
        ("", True),
        (".bing.com", True),
        ("bing.com", True),
        ("WWW.Bing.com", True),
        (".www.bing.com", True),
        ("notbing.com", False),
        ("bing.com.example", False),
        ("com", False),
        (".live.com", False),
    ],
)
def test_bing_is_its_domain_and_what_is_below(domain: str, its: bool) -> None:
    assert is_bing_domain(domain) is its


def test_a_cookie_shows_no_value_when_it_is_printed() -> None:
    assert "secret" not in repr(Cookie("_U", "secret"))
