import pytest

from worker.accounts.cookies import Cookie, CookieFileError
from worker.accounts.formats.netscape import parse, recognises

HEAD = "# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\n\n"
LINES = """\
#HttpOnly_.bing.com\tTRUE\t/\tTRUE\t1800000000\t_U\t1aB-c_d
.bing.com\tTRUE\t/\tFALSE\t0\tSRCHHPGUSR\tA=b&C=d e
www.bing.com\tFALSE\t/\tTRUE\t1800000000.5\tEMPTY\t
"""
COOKIES = [
    Cookie("_U", "1aB-c_d", ".bing.com", 1_800_000_000.0),
    Cookie("SRCHHPGUSR", "A=b&C=d e", ".bing.com"),
    Cookie("EMPTY", "", "www.bing.com", 1_800_000_000.5),
]


@pytest.mark.parametrize("text", [HEAD + LINES, LINES, LINES.strip(), LINES.replace("\t", "    ")])
def test_each_line_is_a_cookie(text: str) -> None:
    assert recognises(text)
    assert parse(text) == COOKIES


def test_a_file_without_cookies_has_none() -> None:
    assert recognises(HEAD.strip())
    assert parse(HEAD.strip()) == []


@pytest.mark.parametrize("line", [".bing.com\tTRUE\t/", ".bing.com\tTRUE\t/\tTRUE\tsoon\t_U\tsecret", "secret"])
def test_a_faulty_line_is_named_by_its_number_alone(line: str) -> None:
    with pytest.raises(CookieFileError) as caught:
        parse(HEAD + line)
    assert str(caught.value) == "is a cookies.txt whose line 4 doesn't have the seven fields of a cookie"


@pytest.mark.parametrize("text", ["TRUE", "a=b", "# a comment", "one TRUE thing FALSE"])
def test_other_text_is_not_taken_for_one(text: str) -> None:
    assert not recognises(text)
