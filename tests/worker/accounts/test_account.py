from worker.accounts.account import CookieAccount, ServerAccount
from worker.settings import WorkerSettings


def test_the_cookie_header_holds_values_as_the_browser_had_them() -> None:
    assert CookieAccount("a", {"_U": "1", "SRCHHPGUSR": "A=b&C=d/e"}).cookie_header == "_U=1; SRCHHPGUSR=A=b&C=d/e"


def test_an_account_shows_no_cookie_and_no_proxy_when_it_is_printed() -> None:
    assert "secret" not in repr(CookieAccount("a", {"_U": "secret"}, proxy="http://u:secret@127.0.0.1:1"))


def test_the_fingerprint_changes_with_the_sign_in_alone() -> None:
    fingerprint = CookieAccount("a", {"_U": "secret"}).fingerprint
    assert fingerprint == "2bb80d537b1da3e3"
    assert CookieAccount("b", {"_U": "secret", "MUID": "1"}).fingerprint == fingerprint
    assert CookieAccount("a", {"_U": "other"}).fingerprint != fingerprint


def test_a_server_shows_no_key_and_its_fingerprint_changes_with_it() -> None:
    """The digest is fixed: another one would make a new version reset the accounts that an older one still uses."""
    local = ServerAccount("local", "http://127.0.0.1:1/v1", "m", "secret", "p")
    assert local.fingerprint == "3270d8b653905f4b"
    assert ServerAccount("other", "http://127.0.0.1:1/v1", "m", "secret", "p").fingerprint == local.fingerprint
    assert ServerAccount("local", "http://127.0.0.1:1/v1", "m", "other", "p").fingerprint != local.fingerprint
    assert "secret" not in repr(local)


def test_a_server_makes_images_if_it_has_a_model_for_them() -> None:
    assert CookieAccount("a", {"_U": "x"}).makes_images
    assert ServerAccount("a", "http://127.0.0.1:1/v1", "m", image_model="p").makes_images
    assert not ServerAccount("a", "http://127.0.0.1:1/v1", "m").makes_images


def test_servers_may_take_longer_for_an_answer_unless_a_limit_is_set() -> None:
    bing, server = CookieAccount("a", {"_U": "x"}), ServerAccount("b", "http://127.0.0.1:1/v1", "m")
    limits = [
        [account.answer_limit(settings) for account in (bing, server)]
        for settings in (WorkerSettings(), WorkerSettings(answer_timeout=300), WorkerSettings(answer_timeout=5))
    ]
    assert limits == [[300, 900], [300, 300], [5, 5]]
    assert CookieAccount("a", {"_U": "x"}, answer_timeout=7).answer_limit(WorkerSettings()) == 7
    assert ServerAccount("b", "http://127.0.0.1:1/v1", "m", answer_timeout=1200).answer_limit(WorkerSettings()) == 1200
