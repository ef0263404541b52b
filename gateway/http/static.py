"""Serves the files of the gateway's pages: read once, from memory."""

import functools
import gzip
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

NO_CACHE = "no-cache"
_IMMUTABLE = "public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".md": "text/markdown",
    ".png": "image/png",
    ".txt": "text/plain",
}


# `gzip`, but not `gzip;q=0`, which forbids it (RFC 9110, 12.5.3).
_GZIP = re.compile(r"(?:^|[\s,])gzip\s*(?:;(?!\s*q=0(?:\.0*)?\s*(?:,|$))|,|$)", re.IGNORECASE)


def accepts_gzip(request: Request) -> bool:
    """Return whether the client accepts a response as gzip."""
    return bool(_GZIP.search(request.headers.get("accept-encoding", "")))


@dataclass(frozen=True)
class StaticFile:
    """A file in memory. `compress`: it is sent as gzip to a client that accepts that."""

    content: bytes
    media_type: str
    headers: Mapping[str, str]
    compress: bool = False

    @classmethod
    def read(cls, path: Path, headers: Mapping[str, str], *, compress: bool = False) -> "StaticFile":
        """Read a file; its suffix determines the media type."""
        return cls(path.read_bytes(), MEDIA_TYPES[path.suffix], headers, compress)

    @functools.cached_property
    def compressed(self) -> bytes:
        """The content as gzip, compressed on first use."""
        return gzip.compress(self.content, 9, mtime=0)

    def response(self, request: Request, cache_control: str = NO_CACHE) -> Response:
        """Return the file."""
        headers = {"cache-control": cache_control, **self.headers}
        content = self.content
        if self.compress:
            headers["vary"] = "Accept-Encoding"
            if accepts_gzip(request):
                headers["content-encoding"], content = "gzip", self.compressed
        return Response(content, media_type=self.media_type, headers=headers)

    def route(self, path: str) -> Route:
        """Return the route that serves the file at `path`."""

        async def serve_file(request: Request) -> Response:
            return self.response(request)

        return Route(path, serve_file)


class VersionedFiles:
    """Files under a path that contains their version, so that a browser may keep them for good.

    A version that isn't ours belongs to another gateway, during an update: it gets our files, but must not keep them.
    `generated` are the names and contents of further ones that are in no folder.
    """

    def __init__(
        self,
        root: Path,
        patterns: Iterable[str],
        headers: Mapping[str, str],
        generated: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        self.files = {
            path.relative_to(root).as_posix(): StaticFile.read(path, headers, compress=True)
            for pattern in patterns
            for path in sorted(root.glob(pattern))
        }
        for name, content in generated:
            self.files[name] = StaticFile(content, MEDIA_TYPES[PurePath(name).suffix], headers, compress=True)
        digest = hashlib.sha256()
        for name, file in self.files.items():
            digest.update(name.encode() + b"\0" + file.content)
        self.version = digest.hexdigest()[:16]

    async def serve(self, request: Request) -> Response:
        """Serve the file that the path's `version` and `name` name. HTTPException 404."""
        file = self.files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        return file.response(request, _IMMUTABLE if request.path_params["version"] == self.version else "no-store")
