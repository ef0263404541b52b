"""Make PNG files of pages smaller without a loss: text on even ground is best compressed without PNG's filters."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bytes of a pixel by colour type: RGB and RGBA, of 8 bits a channel.
_PIXEL = {2: 3, 6: 4}


def shrink(file: Path) -> None:
    """Compress a screenshot anew. ValueError for a PNG that isn't RGB or RGBA of 8 bits."""
    content = file.read_bytes()
    parts = list(_chunks(content))
    header = dict(parts)[b"IHDR"]
    width, _, depth, colours = struct.unpack_from(">IIBB", header)
    if depth != 8 or colours not in _PIXEL:
        raise ValueError(f"{file}: {depth} bits of colour type {colours}")
    rows = zlib.decompress(b"".join(data for kind, data in parts if kind == b"IDAT"))
    pixels = zlib.compress(b"".join(b"\0" + row for row in _unfiltered(rows, width, _PIXEL[colours])), 9)
    smaller = _SIGNATURE + b"".join(
        _chunk(kind, data) for kind, data in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    )
    if len(smaller) < len(content):
        file.write_bytes(smaller)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _unfiltered(rows: bytes, width: int, pixel: int) -> Iterator[bytes]:
    """Yield the rows without their filters (https://www.w3.org/TR/png-3/#9Filters)."""
    length = width * pixel
    above = bytes(length)
    for start in range(0, len(rows), length + 1):
        kind, row = rows[start], bytearray(rows[start + 1 : start + 1 + length])
        for at in range(length):
            left, corner = (row[at - pixel], above[at - pixel]) if at >= pixel else (0, 0)
            row[at] = (row[at] + _predicted(kind, left, above[at], corner)) & 0xFF
        yield bytes(row)
        above = bytes(row)


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        return left if by_left <= by_up and by_left <= by_corner else up if by_up <= by_corner else corner
    return (0, left, up, (left + up) // 2)[kind]
