from worker.accounts.account import Account


def test_the_cookie_header_holds_values_as_the_browser_had_them() -> None:
    assert Account("a", {"_U": "1", "SRCHHPGUSR": "A=b&C=d/e"}).cookie_header == "_U=1; SRCHHPGUSR=A=b&C=d/e"


def test_an_account_shows_no_cookie_and_no_proxy_when_it_is_printed() -> None:
    assert "secret" not in repr(Account("a", {"_U": "secret"}, proxy="http://u:secret@127.0.0.1:1"))


def test_the_fingerprint_changes_with_the_sign_in_alone() -> None:
    fingerprint = Account("a", {"_U": "secret"}).fingerprint
    assert fingerprint == "2bb80d537b1da3e3"
    assert Account("b", {"_U": "secret", "MUID": "1"}).fingerprint == fingerprint
    assert Account("a", {"_U": "other"}).fingerprint != fingerprint
