"""From what clients send to requests."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import parse_options_header

from gateway.errors import QuestionLengthError, RefusedError
from gateway.http.fields import Fields
from gateway.legacy import params
from wire.reasons import Reason

GOOD = {"style": "balanced", "question": "hi"}
LIMIT = 100


def parse_question(fields: Fields) -> params.QuestionParams:
    """Parse a question of up to LIMIT bytes."""
    return params.parse_question(fields, LIMIT)


def parse_keyword(fields: Fields) -> str:
    """Parse a keyword of up to LIMIT bytes."""
    return params.parse_keyword(fields, LIMIT)


def refused(reason: Reason) -> pytest.RaisesExc[RefusedError]:
    return pytest.RaisesExc(RefusedError, check=lambda error: error.reason == reason)


def test_a_question_has_style_text_and_perhaps_a_token() -> None:
    assert parse_question(GOOD) == params.QuestionParams("balanced", "hi", None)
    assert parse_question(GOOD | {"token": "abc-1"}) == params.QuestionParams("balanced", "hi", "abc-1")


@pytest.mark.parametrize("style", ["balanced", "creative", "precise"])
def test_the_three_styles_are_known(style: str) -> None:
    assert parse_question(GOOD | {"style": style}).style == style


@pytest.mark.parametrize("fields", [{}, {"style": "balanced"}, {"question": "hi"}, GOOD | {"question": ""}])
def test_a_missing_or_empty_parameter_is_refused(fields: Fields) -> None:
    with refused(Reason.REQUEST_EMPTY):
        parse_question(fields)


@pytest.mark.parametrize("blank", [" ", "\n\t", "\u3000"])
def test_whitespace_counts_as_empty(blank: str) -> None:
    with refused(Reason.REQUEST_EMPTY):
        parse_question(GOOD | {"question": blank})
    with refused(Reason.REQUEST_EMPTY):
        parse_keyword({"keyword": blank})


@pytest.mark.parametrize("style", ["Balanced", "balanced ", "chat", "0"])
def test_another_style_is_refused(style: str) -> None:
    with refused(Reason.REQUEST_STYLE):
        parse_question(GOOD | {"style": style})


def test_an_empty_token_is_no_token() -> None:
    assert parse_question(GOOD | {"token": ""}).token is None


@pytest.mark.parametrize("token", ["a" * 65, "with space", "{s0}", "a:b", "ä", "a\n"])
def test_what_can_not_be_a_token_is_refused(token: str) -> None:
    with refused(Reason.TOKEN_UNKNOWN):
        parse_question(GOOD | {"token": token})


def test_the_order_of_checks_is_object_empty_style_token() -> None:
    with refused(Reason.REQUEST_FORMAT):
        params.parse_message('[{"style": "x"}]')
    with refused(Reason.REQUEST_EMPTY):
        parse_question({"style": "x", "question": "", "token": "{"})
    with refused(Reason.REQUEST_STYLE):
        parse_question({"style": "x", "question": "q", "token": "{"})


def test_the_length_is_checked_behind_the_style_and_before_the_token() -> None:
    long = "x" * (LIMIT + 1)
    with refused(Reason.REQUEST_STYLE):
        parse_question({"style": "x", "question": long, "token": "{"})
    with pytest.raises(QuestionLengthError):
        parse_question(GOOD | {"question": long, "token": "{"})


@given(st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc"]), min_size=1, max_size=60))
def test_a_question_has_at_most_so_many_bytes_of_utf8(text: str) -> None:
    size = len(text.encode())
    if not text.strip():
        return
    assert params.parse_question(GOOD | {"question": text}, size).question == text
    with pytest.raises(QuestionLengthError) as too_long:
        params.parse_question(GOOD | {"question": text}, size - 1)
    assert too_long.value.limit == size - 1


def test_a_keyword_has_the_same_limit() -> None:
    assert parse_keyword({"keyword": "c" * LIMIT}) == "c" * LIMIT
    with pytest.raises(QuestionLengthError):
        parse_keyword({"keyword": "c" * (LIMIT - 2) + "猫"})


@pytest.mark.parametrize("keyword", ["cat", "Zebra 条纹"])
def test_a_keyword_that_begins_with_a_latin_letter_is_taken(keyword: str) -> None:
    assert parse_keyword({"keyword": keyword}) == keyword


@pytest.mark.parametrize("keyword", ["猫", "1 cat", " cat", "écran", "Ａ", "-cat"])
def test_any_other_first_character_is_refused(keyword: str) -> None:
    with refused(Reason.REQUEST_KEYWORD):
        parse_keyword({"keyword": keyword})


def test_a_missing_keyword_is_refused() -> None:
    with refused(Reason.REQUEST_EMPTY):
        parse_keyword({})


MULTIPART = "multipart/form-data; boundary=b"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps(GOOD)),
        ("application/json; charset=utf-8", "\ufeff" + json.dumps(GOOD)),
        ("application/ld+json", json.dumps(GOOD)),
        ("", json.dumps(GOOD)),
        ("text/plain;charset=UTF-8", "  " + json.dumps(GOOD)),
        (FORM, json.dumps(GOOD)),
        (FORM, "style=balanced&question=hi"),
        (FORM, "style=balanced&question=hi\r\n"),
        ("", "style=balanced&question=hi"),
        (
            "multipart/form-data; boundary=b",
            '--b\r\nContent-Disposition: form-data; name="style"\r\n\r\nbalanced\r\n'
            '--b\r\nContent-Disposition: form-data; name="question"\r\n\r\nhi\r\n--b--\r\n',
        ),
    ],
)
def test_a_body_is_read_by_its_type_or_its_looks(content_type: str, body: str) -> None:
    assert params.parse_body(body.encode(), content_type) == GOOD


def test_a_form_may_hold_raw_utf8() -> None:
    assert params.parse_body("question=你好".encode(), FORM) == {"question": "你好"}


def test_of_a_long_content_type_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes to read one grows with its square."""
    read = []

    def parse(content_type: str) -> tuple[bytes, dict[bytes, bytes]]:
        read.append(content_type)
        return parse_options_header(content_type)

    monkeypatch.setattr(params, "parse_options_header", parse)
    assert params.parse_body(json.dumps(GOOD).encode(), "application/json" + ";" * 60_000) == GOOD
    assert [len(content_type) for content_type in read] == [1024]


@pytest.mark.parametrize("charset", ["gbk", "GB2312", '"gb18030"'])
def test_a_form_is_read_in_the_set_that_it_names(charset: str) -> None:
    percent, raw = b"question=%C4%E3%BA%C3&style=balanced", b"question=" + "你好".encode("gbk")
    assert params.parse_body(percent, f"{FORM}; charset={charset}") == {"question": "你好", "style": "balanced"}
    assert params.parse_body(raw, f"{FORM}; charset={charset}") == {"question": "你好"}
    json_text = '{"question": "你好"}'.encode("gbk")
    assert params.parse_body(json_text, f"text/plain; charset={charset}") == {"question": "你好"}


def test_a_browsers_form_may_name_its_set_in_a_field() -> None:
    assert params.parse_body(b"_charset_=GBK&question=%C4%E3", FORM) == {"question": "你"}
    assert params.parse_form(b"question=%C4%E3&_charset_=GBK") == {"question": "你"}
    parts = [b'name="question"\r\n\r\n' + "你".encode("gbk"), b'name="_charset_"\r\n\r\ngbk']
    assert params.parse_body(multipart(*parts), "multipart/form-data; boundary=b") == {"question": "你"}


def test_a_part_may_name_its_own_set() -> None:
    parts = [
        b'name="question"\r\nContent-Type: text/plain; charset=GBK\r\n\r\n' + "你好".encode("gbk"),
        b'name="style"\r\n\r\nbalanced',
    ]
    found = params.parse_body(multipart(*parts), "multipart/form-data; boundary=b")
    assert found == {"question": "你好", "style": "balanced"}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"question=%C4%E3%BA%C3"),
        (FORM, b"question=\xc4\xe3\xba\xc3"),
        (f"{FORM}; charset=utf-8", b"question=%C4%E3"),
        (f"{FORM}; charset=klingon", "question=你".encode()),
        (f"{FORM}; charset=gbk", b"question=%ff%ff"),
        ("application/json; charset=klingon", '{"question": "你"}'.encode("gbk")),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="question"\r\n\r\n\xc4\xe3\r\n--b--\r\n',
        ),
    ],
)
def test_what_the_named_set_does_not_have_is_refused(content_type: str, body: bytes) -> None:
    with refused(Reason.REQUEST_FORMAT):
        params.parse_body(body, content_type)


def test_fields_that_nobody_reads_may_be_in_any_set() -> None:
    assert params.parse_body(b"question=hi&submit=%C4%E3", FORM) == {"question": "hi"}


def multipart(*parts: bytes) -> bytes:
    """A form of these parts, with the boundary `b`."""
    return b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--b--\r\n"


@pytest.mark.parametrize("more", [b"", b'; filename="f"'])
def test_a_form_of_many_small_parts_is_read_no_further_than_its_first_hundred(more: bytes) -> None:
    part = b'name="question"' + more + b"\r\n\r\nx"
    assert params.parse_body(multipart(*[part] * params.MAX_FORM_PARTS), MULTIPART) == (
        {} if more else {"question": "x"}
    )
    begun: list[bytes] = []

    class Part(bytes):
        """The bytes of a form, which note what is read of them."""

        def __getitem__(self, place: Any) -> Any:
            begun.append(b"")
            return super().__getitem__(place)

    with pytest.raises(RefusedError):
        params.parse_body(Part(multipart(*[part] * 20_000)), MULTIPART)
    assert len(begun) < 200 * params.MAX_FORM_PARTS


def test_an_uploaded_file_is_no_parameter() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="question"; filename="f"\r\n\r\nhi\r\n--b--\r\n'
    assert params.parse_body(part, "multipart/form-data; boundary=b") == {}


def test_multipart_text_is_utf8_and_an_empty_part_is_empty() -> None:
    part = '--b\r\nContent-Disposition: form-data; name="question"\r\n\r\n你好\r\n'
    none = '--b\r\nContent-Disposition: form-data; name="style"\r\n\r\n\r\n--b--\r\n'
    fields = params.parse_body((part + none).encode(), "multipart/form-data; boundary=b")
    assert fields == {"question": "你好", "style": ""}


@pytest.mark.parametrize("content_type", ["", FORM, "text/plain"])
def test_an_empty_body_has_no_fields(content_type: str) -> None:
    assert params.parse_body(b" \r\n", content_type) == {}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"null"),
        ("application/json", b'["balanced"]'),
        ("application/json", b'{"style": '),
        ("application/json", b"\xff\xfe\xfa"),
        ("application/json", b"[" * 200_000),
        ("application/json", b'{"question": {"a": 1}}'),
        ("application/json", b'{"question": ["a"]}'),
        ("application/json", b'{"question": true}'),
        ("application/json", b'{"token": 1' + b"0" * 10_000 + b"}"),
        ("", b"hello"),
        ("text/plain", b'"hello"'),
        (FORM, b"[1]"),
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary=b", b"nonsense"),
    ],
)
def test_what_is_no_object_is_refused(content_type: str, body: bytes) -> None:
    with refused(Reason.REQUEST_FORMAT):
        params.parse_body(body, content_type)


def test_null_is_empty_and_a_number_is_its_digits() -> None:
    assert params.parse_message('{"style": null, "question": 42, "token": 1.5}') == {
        "style": "",
        "question": "42",
        "token": "1.5",
    }


def test_fields_that_nobody_asked_for_may_be_anything() -> None:
    assert params.parse_message('{"question": "q", "extra": [{}]}') == {"question": "q"}


def test_surrogates_are_joined_or_replaced() -> None:
    question = params.parse_message(r'{"question": "\ud83d\ude00 \ud83d"}')["question"]
    assert question == "😀 \ufffd"


@given(st.text())
def test_any_text_makes_fields_or_a_refusal(text: str) -> None:
    try:
        fields = params.parse_message(text)
    except RefusedError as error:
        assert error.reason == Reason.REQUEST_FORMAT  # noqa: PT017 - both outcomes are right
    else:
        assert all(isinstance(value, str) for value in fields.values())


@given(st.binary(), st.sampled_from(["", FORM, "application/json", "multipart/form-data; boundary=b", "text/plain"]))
def test_any_body_makes_fields_or_a_refusal(body: bytes, content_type: str) -> None:
    try:
        fields = params.parse_body(body, content_type)
    except RefusedError as error:
        assert error.reason == Reason.REQUEST_FORMAT  # noqa: PT017 - both outcomes are right
    else:
        for value in fields.values():
            value.encode()
