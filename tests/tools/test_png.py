"""PNG files lose bytes and no pixel."""

import random
import struct
import zlib
from pathlib import Path

import pytest

from tools import png

WIDTH, HEIGHT = 40, 30


def picture(colours: int, filters: list[int]) -> bytes:
    """A PNG whose rows use these filters in turn; what their bytes are is left to chance."""
    dice, pixel = random.Random(7), {2: 3, 6: 4}[colours]
    rows = b"".join(bytes([filters[row % len(filters)]]) + dice.randbytes(WIDTH * pixel) for row in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, colours, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"tEXt", b"x" * 500), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return png._SIGNATURE + b"".join(png._chunk(kind, data) for kind, data in chunks)


@pytest.mark.parametrize("colours", [2, 6])
@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [0, 1, 2, 3, 4]], ids=str)
def test_a_file_becomes_smaller_and_is_stable(tmp_path: Path, colours: int, filters: list[int]) -> None:
    (file := tmp_path / "a.png").write_bytes(before := picture(colours, filters))
    png.shrink(file)
    after = file.read_bytes()
    assert len(after) < len(before)
    png.shrink(file)
    assert file.read_bytes() == after


def test_the_filters_are_undone() -> None:
    # Of one pixel of one byte: left, up, average and Paeth, each with the row above known.
    rows = bytes([0, 10, 20, 1, 1, 2, 2, 3, 4, 3, 5, 6, 4, 7, 8])
    unfiltered = [list(row) for row in png._unfiltered(rows, 2, 1)]
    assert unfiltered == [[10, 20], [1, 3], [4, 7], [7, 13], [14, 22]]


def test_another_kind_of_png_is_refused(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 3, 0, 0, 0)
    (file := tmp_path / "a.png").write_bytes(png._SIGNATURE + png._chunk(b"IHDR", header))
    with pytest.raises(ValueError, match="colour type 3"):
        png.shrink(file)


def test_no_picture_of_the_documents_is_larger_than_120_kb() -> None:
    pictures = sorted((Path(__file__).parents[2] / "docs").glob("*.png"))
    assert [picture.name for picture in pictures if picture.stat().st_size > 120_000] == []
    assert len(pictures) >= 5
