"""What a file is shows in its content; whatever is in it, the outcome is cookies or one sentence without a value."""

import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.accounts.formats.test_curl import CHROME_BASH, CHROME_CMD
from tests.worker.accounts.formats.test_har import entry
from tests.worker.accounts.formats.test_json_list import COOKIE_EDITOR, EDIT_THIS_COOKIE, PLAYWRIGHT
from tests.worker.accounts.formats.test_netscape import HEAD, LINES
from worker.accounts.cookies import CookieFileError
from worker.accounts.directory import load_accounts
from worker.accounts.formats import parse_cookies

NOW = 1_700_000_000.0
# Takes the place of every secret: nothing that is reported may contain it.
PLANTED = "Pl4nt3dV4lue"
SECRET = f"1{PLANTED}-x_y"
EXPORTS = {
    "Cookie-Editor": json.dumps([COOKIE_EDITOR | {"value": SECRET}], indent=4),
    "EditThisCookie": json.dumps([EDIT_THIS_COOKIE | {"value": SECRET}]),
    "names with values": json.dumps({"_U": SECRET, "MUID": PLANTED}),
    "cookies.txt": HEAD + LINES.replace("1aB-c_d", SECRET),
    "header": f"Cookie: MUID={PLANTED}; _U={SECRET}",
    "cURL, bash": CHROME_BASH.replace("1aB%2Fc", SECRET),
    "cURL, cmd": CHROME_CMD.replace("1aB^%^2Fc", SECRET),
    "Playwright": json.dumps({"cookies": [PLAYWRIGHT | {"value": SECRET}], "origins": [{"origin": PLANTED}]}),
    "HAR": json.dumps({"log": {"entries": [entry("https://www.bing.com/", f"_U={SECRET}; MUID={PLANTED}")]}}),
}


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_each_format_is_recognised_by_its_content(name: str, ending: str, encoding: str) -> None:
    text = EXPORTS[name].replace("\n", ending or "\n") + ending
    assert {cookie.name: cookie.value for cookie in parse_cookies(text.encode(encoding))}["_U"] == SECRET


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b'[{"name":', "is not JSON"),
        (b"{} x", "is not JSON"),
        (b'{"a": ' + b"[" * 100_000, "is not JSON"),
        (b'[{"x":' + b"[" * 100_000, "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"a": 1}', "is JSON, but neither a list of cookies, names with values, a Playwright state nor a HAR"),
        (b'{"log": 1}', "is JSON, but neither a list of cookies, names with values, a Playwright state nor a HAR"),
        (b'{"log": {}}', "is a HAR whose requests can't be understood"),
        (b'{"cookies": [1]}', "is not a list of cookies with name and value, as Cookie-Editor exports it"),
        (b"hello", "is in no format that is known here: cookies/README.md lists them"),
        (b"\x00\xff\x00", "is in no format that is known here: cookies/README.md lists them"),
        (b"<html>_U=1</html>", "is in no format that is known here: cookies/README.md lists them"),
    ],
)
def test_what_is_no_export_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(CookieFileError) as caught:
        parse_cookies(content)
    assert str(caught.value) == sentence


def test_a_cookie_may_have_the_name_of_a_part_of_a_har() -> None:
    parsed = parse_cookies(b'{"log": "a", "cookies": "b", "_U": "c"}')
    assert [(cookie.name, cookie.value) for cookie in parsed] == [("log", "a"), ("cookies", "b"), ("_U", "c")]


def messages_of(error: BaseException | None) -> Iterator[str]:
    """All that an exception can be made to reveal, with what led to it."""
    while error is not None:
        yield from (str(error), repr(error), repr(error.args))
        error = error.__cause__ or error.__context__


def outcome(data: bytes) -> str:
    """Return the error's sentence, or nothing for a valid export; neither contains a secret."""
    failure: CookieFileError | None = None
    try:
        assert PLANTED not in repr(parse_cookies(data))
    except CookieFileError as error:
        failure = error
    assert not any(PLANTED in text for text in messages_of(failure))
    sentence = str(failure or "")
    assert sentence == " ".join(sentence.split())
    assert len(sentence) < 200
    assert bool(sentence) == bool(failure)
    return sentence


cut = st.sampled_from(sorted(EXPORTS.values())).flatmap(
    lambda text: st.tuples(st.integers(0, len(text)), st.integers(0, len(text)), st.binary(max_size=8)).map(
        lambda parts: text.encode()[: parts[0]] + parts[2] + text.encode()[parts[1] :]
    )
)
json_of_any_kind = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([SECRET, "", "bing.com", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "value", "domain", "expires", "expirationDate", "cookies", "log", "entries", "request"]
            )
            | st.sampled_from(["url", "headers", "startedDateTime", "_U"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_random_bytes_come_to_a_sentence_or_to_cookies(data: bytes) -> None:
    outcome(data)


@given(cut)
def test_files_that_were_cut_and_patched_come_to_a_sentence_or_to_cookies(data: bytes) -> None:
    outcome(data)


@given(json_of_any_kind)
def test_any_json_comes_to_a_sentence_or_to_cookies(document: object) -> None:
    outcome(json.dumps(document).encode())


@given(
    st.sampled_from(["curl ", "curl 'https://www.bing.com/' -b ", "Cookie: ", HEAD, "{", "[{", "#HttpOnly_"]), st.text()
)
def test_any_text_after_a_known_beginning_comes_to_a_sentence_or_to_cookies(beginning: str, text: str) -> None:
    outcome(f"{beginning}{text}{PLANTED}".encode("utf-8", "replace"))


# What grows with the square of the length would take minutes, and meet the limit that each test has.
@settings(max_examples=50)
@given(
    st.sampled_from(
        ["", "curl ", 'curl "^', "curl '", "curl $'", "a=b;", "cookie:", "[", "{", '{"log":{"entries":[', HEAD]
    ),
    st.text("ab=;\t \n\\'\"$^{}[]:,#", min_size=1, max_size=4),
)
def test_no_text_takes_long(beginning: str, repeated: str) -> None:
    outcome((beginning + repeated * (200_000 // len(repeated)) + PLANTED).encode())


def test_a_huge_file_is_read_up_to_the_bound_and_refused_beyond_it(tmp_path: Path) -> None:
    cookies = [{"name": f"c{number}", "value": PLANTED * 80} for number in range(8_000)]
    export = json.dumps([*cookies, {"name": "_U", "value": SECRET}]).encode()
    (tmp_path / "fits.json").write_bytes(export.ljust(8 * 1024**2))
    (tmp_path / "huge.json").write_bytes(export.ljust(8 * 1024**2 + 1))
    contents = load_accounts(tmp_path, NOW)
    assert [account.name for account in contents.accounts] == ["fits"]
    assert contents.problems == ("huge.json is larger than 8 MiB",)


def test_no_value_is_reported_anywhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shuffled = random.Random(4)
    for number, text in enumerate(EXPORTS.values()):
        (tmp_path / f"{number} good").write_text(text.replace(SECRET, f"{SECRET}{number}"))
        (tmp_path / f"{number} cut").write_text(text[: shuffled.randrange(len(text))])
        (tmp_path / f"{number} old").write_text(text.replace("18000", "10000"))
        (tmp_path / f"{number} odd").write_text(text.replace(SECRET, f"{SECRET}\\u00e9é"))
        (tmp_path / f"{number} elsewhere").write_text(text.replace("bing.com", "bing.example"))
    (tmp_path / "accounts.toml").write_text(f'[accounts."0 good"]\nproxy = "http://u:{PLANTED}@"\n')
    first = load_accounts(tmp_path, NOW)
    (tmp_path / "accounts.toml").write_text(f'[accounts."0 good"]\nproxy = "http://u:{PLANTED}@127.0.0.1:1"\n')
    second = load_accounts(tmp_path, NOW)
    assert len(second.accounts) == len(first.accounts) + 1 >= len(EXPORTS)
    assert len(first.problems) > 2 * len(EXPORTS)
    assert PLANTED in str(second.accounts[0].proxy)
    for contents in (first, second):
        assert PLANTED not in repr(contents)
    assert PLANTED not in caplog.text
