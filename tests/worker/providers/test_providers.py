"""The kinds of accounts that a provider asks for."""

import pytest

from worker.accounts.account import CookieAccount, ServerAccount
from worker.errors import UpstreamError
from worker.providers import require_cookies, require_server

COOKIES = CookieAccount("alice", {"_U": "x"})
SERVER = ServerAccount("local", "http://127.0.0.1:1/v1", "m")


def test_an_account_of_the_kind_is_used() -> None:
    assert require_cookies(COOKIES) is COOKIES
    assert require_server(SERVER) is SERVER


def test_an_account_of_another_kind_is_refused() -> None:
    with pytest.raises(UpstreamError) as without_cookies:
        require_cookies(SERVER)
    with pytest.raises(UpstreamError) as without_server:
        require_server(COOKIES)
    assert {without_cookies.value.reason, without_server.value.reason} == {"account.refused"}
