"""Text in the character set that its sender names."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RefusedError
from gateway.http.charsets import _CODECS, decode_text


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("utf-8", "utf-8", "你好 é 😀"),
        ("UTF8", "utf-8", "你好"),
        ("GBK", "gbk", "你好,世界"),
        ("gb2312", "gbk", "镕"),  # not in GB 2312 itself
        ("GB18030", "gb18030", "😀"),
        ("x-gbk", "gbk", "联通"),  # these bytes are UTF-8 too
        ("Big5", "big5", "你好"),
        ("Shift_JIS", "cp932", "①こんにちは"),
        ("EUC-JP", "euc_jp", "こんにちは"),
        ("iso-2022-jp", "iso2022_jp", "こんにちは"),
        ("EUC-KR", "cp949", "안녕"),
        ("windows-1251", "cp1251", "привет"),
        ("koi8-r", "koi8_r", "привет"),
        ("ISO-8859-1", "latin-1", "é"),
        ("ISO-8859-1", "utf-8", "é你"),  # libraries call UTF-8 so too
        ("windows-1252", "cp1252", "“é”"),
        ("ISO-8859-15", "iso8859-15", "€"),
        ("us-ascii", "utf-8", "你好"),
        ("utf-16", "utf-16", "你好"),
        ("utf-16be", "utf-16-be", "你好"),
        ("never-heard-of", "ascii", "hi"),
    ],
)
def test_text_is_read_in_the_set_that_is_named(charset: str, codec: str, text: str) -> None:
    assert decode_text(text.encode(codec), charset) == text


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("utf-8", "你好".encode("gbk")),
        ("gbk", b"\xff\xff"),
        ("never-heard-of", "你好".encode()),
        ("idna", "你好".encode()),
        ("hex", b"\xff"),
        ("unicode_escape", b"\xff"),
        ("\0", "é".encode()),
    ],
)
def test_what_the_set_does_not_have_or_a_set_that_is_unknown_is_refused(charset: str, data: bytes) -> None:
    with pytest.raises(RefusedError):
        decode_text(data, charset)


@given(st.binary(), st.sampled_from(sorted(_CODECS)) | st.text())
def test_any_bytes_in_any_set_are_text_or_refused(data: bytes, charset: str) -> None:
    with contextlib.suppress(RefusedError):
        decode_text(data, charset).encode("utf-8", "surrogatepass")
