from worker.accounts import Account


def test_the_cookie_header_holds_values_as_the_browser_had_them() -> None:
    assert Account("a", {"_U": "1", "SRCHHPGUSR": "A=b&C=d/e"}).cookie_header == "_U=1; SRCHHPGUSR=A=b&C=d/e"


def test_an_account_shows_no_cookie_when_it_is_printed() -> None:
    assert "secret" not in repr(Account("a", {"_U": "secret"}))
