"""Only what can be a picture is taken for one."""

import base64

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.picture_urls import MAX_ADDRESS, check_picture_url

PNG, JPEG, GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    "url",
    [
        "https://e.org/a.png?b=c#d",
        "http://127.0.0.1:8080/a",
        "HTTPS://E.ORG/A",
        *map(data_url, (PNG, JPEG, GIF, WEBP)),
        data_url(PNG, "application/octet-stream"),
        data_url(PNG, "image/png;charset=utf-8").replace("data:", "DATA:"),
    ],
)
def test_an_address_or_a_picture_itself_is_accepted(url: str) -> None:
    check_picture_url(url, "p")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "invalid_image_url"),
        ("cat.png", "invalid_image_url"),
        ("file:///etc/passwd", "invalid_image_url"),
        ("ftp://e.org/a", "invalid_image_url"),
        ("https://", "invalid_image_url"),
        ("https://[", "invalid_image_url"),
        ("https://e.org:99999/a", "invalid_image_url"),
        ("https://e.org/a b", "invalid_image_url"),
        ("https://e.org/\n", "invalid_image_url"),
        (f"https://e.org/{'a' * MAX_ADDRESS}", "invalid_image_url"),
        ("data:image/png,abc", "invalid_base64"),
        ("data:image/png;base64,!!!!", "invalid_base64"),
        ("data:image/png;base64,iVBORw0KGg", "invalid_base64"),
        ("data:image/png;base64,é", "invalid_base64"),
        ("data:", "invalid_base64"),
        (data_url(PNG, "image/png" + ";" * 200), "invalid_base64"),
        (data_url(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "invalid_image_format"),
        (data_url(b"%PDF-1.7"), "invalid_image_format"),
        (data_url(b""), "invalid_image_format"),
    ],
)
def test_anything_else_is_refused(url: str, code: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_picture_url(url, "p")
    assert (caught.value.fault.param, caught.value.fault.code) == ("p", code)
