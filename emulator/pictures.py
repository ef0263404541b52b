"""Pictures that show what they are, the same for the same prompt."""

import hashlib
import struct
import zlib
from itertools import starmap

from aiohttp import web

_SIDE = 64  # pixels of a PNG


def picture_url(base: str, prompt: str, number: int) -> str:
    """Return a picture's address without its size, the same for the same prompt and number."""
    return f"{base}/th/id/OIG.{hashlib.sha256(f'{number} {prompt}'.encode()).hexdigest()[:20]}"


def draw(name: str) -> str:
    """Return an SVG whose colours and shapes come from the name."""
    seed = hashlib.sha256(name.encode()).digest()
    hue, circles = seed[0] * 360 // 256, []
    for index in range(4):
        x, y, radius, turn = (seed[4 * index + offset] for offset in range(1, 5))
        colour = f"hsl({(hue + turn) % 360} 70% 60%)"
        circles.append(f'<circle cx="{x * 2}" cy="{y * 2}" r="{40 + radius // 2}" fill="{colour}" fill-opacity="0.6"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="512" height="512" viewBox="0 0 512 512">'
        f'<rect width="512" height="512" fill="hsl({hue} 60% 85%)"/>{"".join(circles)}'
        '<text x="256" y="490" text-anchor="middle" font-family="sans-serif" font-size="22">stand-in picture</text>'
        "</svg>"
    )


def draw_png(name: str) -> bytes:
    """Return a small PNG whose colour comes from the name."""
    red, green, blue = hashlib.sha256(name.encode()).digest()[:3]
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes((red, green, blue)) * _SIDE) * _SIDE)
    return b"\x89PNG\r\n\x1a\n" + b"".join(starmap(_chunk, ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


async def serve_picture(request: web.Request) -> web.Response:
    """Answer the GET of a picture."""
    return web.Response(text=draw(request.match_info["name"]), content_type="image/svg+xml")
