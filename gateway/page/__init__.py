"""The chat page at `/`: files that are read once, and need nothing from elsewhere.

All but the page itself have an address with their version in it, so that a browser may keep them for good. A version
that isn't ours is another gateway's, during an update: it gets our files, but not to keep.
"""

import functools
import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.security_headers import page_headers

_ROOT = Path(__file__).parent
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_PATTERNS = ("js/*.js", "css/*.css", "vendor/*.mjs", "*.svg")
_HEADERS = {
    # Pictures come from wherever the upstream says: they are shown only to someone who asked for pictures.
    **page_headers("'self' data: http: https:", "require-trusted-types-for 'script'", "trusted-types dompurify"),
    "vary": "Accept-Encoding",
}
_KEEP = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str

    @functools.cached_property
    def packed(self) -> bytes:
        """The content as gzip, packed when it is first asked for."""
        return gzip.compress(self.content, 9, mtime=0)

    def response(self, request: Request, keep: str) -> Response:
        """The file, packed if the client takes that; `keep` is its Cache-Control."""
        headers = _HEADERS | {"cache-control": keep}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.content, media_type=self.media_type, headers=headers)
        return Response(self.packed, media_type=self.media_type, headers=headers | {"content-encoding": "gzip"})


@functools.cache
def _files() -> tuple[str, dict[str, _File]]:
    """The version, and each file by its path."""
    found = {
        path.relative_to(_ROOT).as_posix(): _File(path.read_bytes(), _TYPES[path.suffix])
        for pattern in _PATTERNS
        for path in sorted(_ROOT.glob(pattern))
    }
    version = hashlib.sha256()
    for name, file in found.items():
        version.update(name.encode() + b"\0" + file.content)
    return version.hexdigest()[:16], found


@functools.cache
def _index() -> _File:
    """The page, with the addresses of its files."""
    version, files = _files()
    modules = [name for name in files if name.startswith("js/") and name != "js/theme.js"]
    preload = "\n".join(f'<link rel="modulepreload" href="/page/{version}/{name}">' for name in modules)
    html = (
        (_ROOT / "index.html").read_text().replace("<!-- modules -->", preload).replace("/page/-/", f"/page/{version}/")
    )
    return _File(html.encode(), _TYPES[".html"])


def routes() -> list[Route]:
    """The page, and its files."""
    return [Route("/", _page), Route("/page/{version}/{name:path}", _part)]


async def _page(request: Request) -> Response:
    return _index().response(request, "no-cache")


async def _part(request: Request) -> Response:
    """HTTPException 404."""
    version, files = _files()
    file = files.get(request.path_params["name"])
    if file is None:
        raise HTTPException(404)
    return file.response(request, _KEEP if request.path_params["version"] == version else "no-store")
