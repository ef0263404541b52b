import pytest

from worker.accounts.cookies import Cookie
from worker.accounts.formats.header import parse, parse_cookie_header, recognises, url_host

COOKIES = [Cookie("MUID", "0A1"), Cookie("_U", "1aB=c"), Cookie("SRCHHPGUSR", 'A=b&C="d/e"')]
VALUE = 'MUID=0A1; _U=1aB=c; SRCHHPGUSR=A=b&C="d/e"'


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        f"Cookie: {VALUE}",
        f"cookie:{VALUE};",
        f"cookie\n{VALUE}",
        f"GET /chat HTTP/1.1\nHost: www.bing.com\nCookie: {VALUE}\nAccept: */*",
    ],
)
def test_the_header_is_read_with_the_word_or_without_it(text: str) -> None:
    assert recognises(text)
    assert parse(text) == COOKIES


@pytest.mark.parametrize("text", ["hello", "=x", "a b=c", "a=b\nc=d", "my cookies", "<html>a=b</html>"])
def test_other_text_is_not_taken_for_one(text: str) -> None:
    assert not recognises(text)


def test_parts_without_a_name_are_left_out() -> None:
    assert parse_cookie_header("a=1;; b; =c;d=", "x.example") == [
        Cookie("a", "1", "x.example"),
        Cookie("d", "", "x.example"),
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://WWW.bing.com:443/x", "www.bing.com"),
        ("wss://sydney.bing.com", "sydney.bing.com"),
        ("x", ""),
        ("http://[", ""),
    ],
)
def test_the_host_of_an_address(url: str, host: str) -> None:
    assert url_host(url) == host
