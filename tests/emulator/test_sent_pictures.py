import base64

import pytest

from emulator import sent_pictures
from emulator.pictures import draw_png

PNG = draw_png("a")


def data_url(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def test_a_png_shows_its_size_and_dimensions() -> None:
    picture = sent_pictures.read(data_url(PNG))
    assert (picture.media_type, picture.size, picture.width, picture.height) == ("image/png", len(PNG), 64, 64)
    assert picture.describe() == f"image/png, {len(PNG)} bytes, 64x64"


def test_an_address_is_not_fetched() -> None:
    assert sent_pictures.read("https://example.com/a.png").describe() == "at https://example.com/a.png"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data:,", "neither"),
        ("ftp://example.com/a.png", "neither"),
        (data_url(PNG, "image/bmp"), "media type"),
        (data_url(PNG, "image/jpeg"), "not an image"),
        ("data:image/png;base64,%%%", "base64"),
    ],
)
def test_what_is_no_picture_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sent_pictures.read(url)
