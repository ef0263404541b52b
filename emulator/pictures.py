"""Pictures that show what they are, the same for the same prompt."""

import hashlib

from aiohttp import web


def picture_url(base: str, prompt: str, number: int) -> str:
    """Return a picture's address without its size, the same for the same prompt and number."""
    return f"{base}/th/id/OIG.{hashlib.sha256(f'{number} {prompt}'.encode()).hexdigest()[:20]}"


def draw(name: str) -> str:
    """Return an SVG whose colours and shapes come from the name."""
    seed = hashlib.sha256(name.encode()).digest()
    hue, circles = seed[0] * 360 // 256, []
    for index in range(4):
        x, y, r, turn = (seed[4 * index + offset] for offset in range(1, 5))
        colour = f"hsl({(hue + turn) % 360} 70% 60%)"
        circles.append(f'<circle cx="{x * 2}" cy="{y * 2}" r="{40 + r // 2}" fill="{colour}" fill-opacity="0.6"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="512" height="512" viewBox="0 0 512 512">'
        f'<rect width="512" height="512" fill="hsl({hue} 60% 85%)"/>{"".join(circles)}'
        '<text x="256" y="490" text-anchor="middle" font-family="sans-serif" font-size="22">stand-in picture</text>'
        "</svg>"
    )


async def serve_picture(request: web.Request) -> web.Response:
    """Answer the GET of a picture."""
    return web.Response(text=draw(request.match_info["name"]), content_type="image/svg+xml")
