import pytest

from worker.accounts.cookies import Cookie, CookieFileError
from worker.accounts.formats.curl import parse, recognises

COOKIES = [Cookie("_U", "1aB%2Fc", "www.bing.com"), Cookie("SRCHHPGUSR", 'A=b&C="d!', "www.bing.com")]

# What browsers write for these two cookies.
CHROME_BASH = r"""curl 'https://www.bing.com/chat?q=it%27s' \
  -H 'accept: text/html;q=0.9' \
  -b $'_U=1aB%2Fc; SRCHHPGUSR=A=b&C="d\u0021' \
  -H $'user-agent: it\'s \\ "this"' \
  --data-raw '{"a":"\n"}' \
  --compressed"""
OLD_CHROME_BASH = (
    r"""curl 'https://www.bing.com/' -H 'accept: */*' -H $'cookie: _U=1aB%2Fc; SRCHHPGUSR=A=b&C="d\x21' --compressed"""
)
FIREFOX_BASH = (
    """curl 'https://www.bing.com/' --compressed -H 'User-Agent: x' -H 'Cookie: _U=1aB%2Fc; SRCHHPGUSR=A=b&C="d!'"""
)
BY_HAND = r"""$ curl -s https://www.bing.com/ --cookie "_U=1aB%2Fc; SRCHHPGUSR=A=b&C=\"d!" """
ATTACHED = (
    """curl --header='Accept: */*' -H'cookie: _U=1aB%2Fc' --cookie='SRCHHPGUSR=A=b&C="d!' https://www.bing.com/"""
)
CHROME_CMD = """curl ^"https://www.bing.com/chat?q=it^%^27s^" ^
  -H ^"accept: text/html;q=0.9^" ^
  -b ^"_U=1aB^%^2Fc; SRCHHPGUSR=A=b^&C=^\\^"d^!^" ^
  --data-raw ^"line^

line^" ^
  --compressed"""
OLD_CHROME_CMD = """curl "https://www.bing.com/" ^
  -H "accept: */*" ^
  -H "cookie: _U=1aB^%^2Fc; SRCHHPGUSR=A=b^&C=^\\^"d^!" ^
  --compressed"""
FIREFOX_CMD = '''curl.exe "https://www.bing.com/" --compressed -H "Accept: */*" \
  -H "Cookie: _U=1aB"%"2Fc; SRCHHPGUSR=A=b&C=""d!"'''.replace("\\\n  ", "")


@pytest.mark.parametrize(
    "command",
    [CHROME_BASH, OLD_CHROME_BASH, FIREFOX_BASH, BY_HAND, ATTACHED, CHROME_CMD, OLD_CHROME_CMD, FIREFOX_CMD],
    ids=["chrome", "old chrome", "firefox", "by hand", "attached", "chrome cmd", "old chrome cmd", "firefox cmd"],
)
def test_the_cookies_are_read_whatever_the_shell(command: str) -> None:
    assert recognises(command)
    assert parse(command) == COOKIES


def test_a_value_may_end_with_what_begins_a_quote_elsewhere() -> None:
    command = r"""curl 'https://www.bing.com/' -b '_U=a$' -H 'accept: $' -H 'referer: x'"""
    assert parse(command) == [Cookie("_U", "a$", "www.bing.com")]


def test_a_quote_inside_quotes_is_put_together() -> None:
    assert parse(r"""curl https://www.bing.com/ -b '_U=it'\''s'""") == [Cookie("_U", "it's", "www.bing.com")]


def test_of_several_commands_those_that_ask_bing_count() -> None:
    commands = "curl 'https://tracker.example/' -b '_U=other' ;\ncurl 'https://www.bing.com/' -b '_U=mine' ;\n"
    assert parse(commands) == [Cookie("_U", "mine", "www.bing.com")]


def test_another_sites_cookies_are_reported_as_such() -> None:
    assert parse("curl 'https://bing.com.example/' -b '_U=x'") == [Cookie("_U", "x", "bing.com.example")]


@pytest.mark.parametrize("command", ["curl 'https://www.bing.com/' -b", "curl https://www.bing.com/ -H 'accept: a=b'"])
def test_a_command_without_cookies_is_one_sentence(command: str) -> None:
    with pytest.raises(CookieFileError, match="is a cURL command without cookies: copy it while signed in"):
        parse(command)


@pytest.mark.parametrize("command", ["curl 'https://www.bing.com", 'curl "x', "curl $'x\\'", "curl \\"])
def test_a_command_that_was_cut_off_is_one_sentence(command: str) -> None:
    with pytest.raises(CookieFileError, match=r"^is a cURL command that was cut off$"):
        parse(command)


@pytest.mark.parametrize("text", ["curly hair", "curl", "# curl x", "Cookie: a=curl x"])
def test_other_text_is_not_taken_for_one(text: str) -> None:
    assert not recognises(text)
