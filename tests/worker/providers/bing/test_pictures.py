from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import UpstreamError
from worker.providers.bing.pictures import MOST_PICTURES, check_order, check_page, find_pictures

ORDERED = "/images/create?q=a&rt=4&FORM=GENCRE&id=1-0a"


@pytest.mark.parametrize(
    ("page", "reason", "refused"),
    [
        ("<div>This prompt has been blocked</div>", "image.blocked", False),
        ("Unsafe image content detected", "image.blocked", False),
        ("Content warning", "image.blocked", False),
        ("This prompt is being reviewed", "image.reviewed", False),
        ("We&#39;re working hard to offer Image Creator in more languages", "image.unsupported_lang", False),
        ("You can’t submit any more prompts", "account.throttled", True),
        ("Please sign in to create images", "account.unauthorized", True),
        ("We can't create your images right now ", "image.busy", False),
        ("Due to high demand, we're unable to process new requests", "image.busy", False),
    ],
)
def test_a_page_that_says_why_is_an_error(page: str, reason: str, refused: bool) -> None:
    with pytest.raises(UpstreamError) as caught:
        check_page(page)
    assert (caught.value.reason, caught.value.refused, caught.value.by_question) == (reason, refused, True)


@pytest.mark.parametrize(
    "keyword",
    [
        "can't submit any more prompts",
        "You  CAN\u2019T\u200b submit\tany more prompts, a poster",
        "please sign in to create images",
        "a sea of high demand",
    ],
)
def test_a_page_that_repeats_what_was_asked_says_nothing(keyword: str) -> None:
    shown = " ".join(keyword.replace("\u200b", "").split())
    check_page(f'<img alt="{shown}" src="https://t/OIG.a">', keyword)


@pytest.mark.parametrize(
    "keyword",
    [
        "can&#39;t submit any more prompt&#115;",
        "please sign in t&#111; create images",
        "please sign in t&amp;#111; create images",
        "please sign in t<b></b>o create images",
        "&#104;igh demand",
    ],
)
def test_nor_does_one_that_repeats_its_markup(keyword: str) -> None:
    for shown in (keyword, unescape(keyword), keyword.replace("<b></b>", "")):
        check_page(f"<h1>{shown}</h1>", keyword)


def test_a_reason_beside_what_was_asked_counts() -> None:
    with pytest.raises(UpstreamError) as caught:
        check_page("<h1>high demand</h1>You can't submit any more prompts", "high demand")
    assert caught.value.reason == "account.throttled"


def test_an_accepted_order_and_an_unexplained_page_pass() -> None:
    check_order(302, ORDERED)
    check_order(302, "/images/create?q=a+signin+at+login.live.com&id=1-0a")
    check_order(200, "")
    check_page("<html>something else</html>")


@pytest.mark.parametrize(
    ("status", "location", "reason"),
    [
        (401, "", "account.unauthorized"),
        (403, "", "account.unauthorized"),
        (302, "https://login.live.com/oauth20?id=5", "account.unauthorized"),
        (302, "/fd/auth/signin?id=5", "account.unauthorized"),
        (302, "", "image.protocol"),
        (302, "/images/create?q=a", "image.protocol"),
        (302, "https://elsewhere.example/images/create?id=1", "image.protocol"),
    ],
)
def test_an_order_that_leads_nowhere_is_an_error(status: int, location: str, reason: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        check_order(status, location)
    assert caught.value.reason == reason


def test_pictures_keep_the_pages_order_and_come_once() -> None:
    page = (
        '<img src="/rp/logo.svg"><img src="https://t/OIG.b?w=270&amp;h=270"><img src="https://t/OIG.a?w=270">'
        '<img src="https://t/OIG.b?w=90"><img src="https://t/x?a=1&amp;b=2"><script src="data:x"></script>'
    )
    assert find_pictures(page) == ("https://t/OIG.b", "https://t/OIG.a", "https://t/x?a=1&b=2")


@given(st.text())
def test_any_page_has_pictures_or_none(page: str) -> None:
    assert all(address.startswith("http") for address in find_pictures(page))


def test_a_page_of_thousands_of_pictures_has_the_first_hundred() -> None:
    page = "".join(f'<img src="https://t/OIG.{number}?w=270">' for number in range(5000))
    assert find_pictures(page) == tuple(f"https://t/OIG.{number}" for number in range(MOST_PICTURES))
