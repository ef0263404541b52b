"""The chat page at `/`: files that need nothing from elsewhere.

All but the page itself have an address with their version in it.
"""

import functools
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.auth.clients import Clients
from gateway.auth.name_owner import give_cookie
from gateway.http.reasons_module import reasons_module
from gateway.http.security_headers import page_headers
from gateway.http.static import StaticFile, VersionedFiles

_ROOT = Path(__file__).parent
_PATTERNS = ("js/*.js", "css/*.css", "vendor/*.mjs", "*.svg")
# Images come from any address that the upstream names: they are shown only to someone who asked for images.
_HEADERS = page_headers("'self' data: http: https:", "require-trusted-types-for 'script'", "trusted-types dompurify")


@functools.cache
def _files() -> VersionedFiles:
    return VersionedFiles(_ROOT, _PATTERNS, _HEADERS, [("js/reasons.js", reasons_module())])


@functools.cache
def _index() -> StaticFile:
    """Return the page, with the addresses of its files."""
    files = _files()
    modules = [name for name in files.files if name.startswith("js/") and name != "js/theme.js"]
    preload = "\n".join(f'<link rel="modulepreload" href="/page/{files.version}/{name}">' for name in modules)
    html = (_ROOT / "index.html").read_text().replace("<!-- modules -->", preload)
    return StaticFile(
        html.replace("/page/-/", f"/page/{files.version}/").encode(), "text/html", _HEADERS, compress=True
    )


def routes(clients: Clients) -> list[Route]:
    """Return the routes of the page and its files. With the page, browsers get the cookie that names need."""

    async def serve_index(request: Request) -> Response:
        response = _index().response(request)
        if clients.keys is None:
            give_cookie(request, response, secure=clients.find_origin(request).startswith("https:"))
        return response

    return [Route("/", serve_index), Route("/page/{version}/{name:path}", _serve_file)]


async def _serve_file(request: Request) -> Response:
    """HTTPException 404."""
    return await _files().serve(request)
