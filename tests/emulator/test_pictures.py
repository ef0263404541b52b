import zlib
from xml.etree import ElementTree

from emulator import pictures


def test_a_prompt_and_number_have_one_address() -> None:
    first = pictures.picture_url("http://x", "a cat", 1)
    assert first == pictures.picture_url("http://x", "a cat", 1)
    assert first.startswith("http://x/th/id/OIG.")
    assert len({first, pictures.picture_url("http://x", "a cat", 2), pictures.picture_url("http://x", "a dog", 1)}) == 3


def test_a_picture_is_an_svg_drawn_from_its_name() -> None:
    assert ElementTree.fromstring(pictures.draw("a")).tag == "{http://www.w3.org/2000/svg}svg"
    assert pictures.draw("a") == pictures.draw("a") != pictures.draw("b")


def test_a_png_is_whole_and_drawn_from_its_name() -> None:
    png = pictures.draw_png("a")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    length = int.from_bytes(png[33:37])
    content, checksum = png[37 : 41 + length], png[41 + length : 45 + length]
    assert zlib.crc32(content) == int.from_bytes(checksum)
    assert len(zlib.decompress(content[4:])) == 64 * (1 + 3 * 64)
    assert png == pictures.draw_png("a") != pictures.draw_png("b")
