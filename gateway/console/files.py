"""The console's page: files that are read once, need nothing from elsewhere and hold no secret."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.security_headers import page_headers

_ROOT = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_HEADERS = {
    "cache-control": "no-cache",
    **page_headers("'self'", "require-trusted-types-for 'script'", "trusted-types 'none'"),
}


def routes() -> list[Route]:
    """One route for each file."""
    return [_route(path) for path in sorted(_ROOT.iterdir()) if path.suffix in _TYPES]


def _route(path: Path) -> Route:
    content, media_type = path.read_bytes(), _TYPES[path.suffix]

    async def file(_: Request) -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return Route("/console" if path.name == "index.html" else f"/console/{path.name}", file)
