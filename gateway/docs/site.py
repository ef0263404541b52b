"""The site at /docs/en/ and /docs/zh/: served from the zip that `make docs` builds, where that is there."""

import base64
import functools
import gzip
import hashlib
import html
import re
import struct
import zlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.security_headers import page_headers
from gateway.http.static import MEDIA_TYPES, NO_CACHE, accepts_gzip

FILE = Path(__file__).parent / "site.zip"
# The languages, and how the page at /docs names the site in them.
GUIDES = {"en": "Guides", "zh": "使用指南"}
_ROOT = "/docs/"
# What is larger, in bytes, is not served: the largest file, the index of the search, has a tenth of it.
_MAX_FILE = 4 * 1024 * 1024
# Magic number, deflate, no flags, no time, best compression, unknown system (RFC 1952).
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_STYLE_ATTRIBUTE = re.compile(r'\sstyle="([^"]*)"')
_LOG = structlog.get_logger()


class Site:
    """The site in memory, compressed as it is in the zip: 3 MB at most, and no file that another build replaces."""

    def __init__(self, content: bytes) -> None:
        """BadZipFile, or NotImplementedError for a kind of zip that Python doesn't read."""
        self._content = content
        self._zip = ZipFile(BytesIO(content))
        self._files = {
            info.filename: info
            for info in self._zip.infolist()
            if info.filename.split("/")[0] in GUIDES
            and PurePosixPath(info.filename).suffix in MEDIA_TYPES
            and info.file_size <= _MAX_FILE
        }
        self._headers: dict[str, dict[str, str]] = {}

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that it has."""
        return tuple(language for language in GUIDES if f"{language}/index.html" in self._files)

    async def serve(self, request: Request) -> Response:
        """Serve the file that the path's `name` names; a folder's is its index.html. HTTPException 404."""
        name = request.path_params["name"]
        file = self._files.get(name) or self._files.get(f"{name}/index.html")
        if file is None:
            raise HTTPException(404)
        base = _base(request, file.filename)
        headers = {
            "cache-control": NO_CACHE,
            "etag": f'W/"{file.CRC:08x}{file.file_size:x}{"-base" if base else ""}"',
            "vary": "Accept-Encoding",
            **self._security_headers(file),
        }
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        content = self._zip.read(file)
        if base:
            content = content.replace(b"<head>", b"<head>" + base.encode(), 1)
        if accepts_gzip(request):
            headers["content-encoding"] = "gzip"
            content = gzip.compress(content, mtime=0) if base else self._compressed(file)
        return Response(content, media_type=MEDIA_TYPES[PurePosixPath(file.filename).suffix], headers=headers)

    def _compressed(self, file: ZipInfo) -> bytes:
        """Return a file as gzip: what the zip has of it, between the header and the trailer of the other format."""
        # The lengths of name and further fields, at the end of the file's header of 30 bytes.
        name, fields = struct.unpack_from("<HH", self._content, file.header_offset + 26)
        start = file.header_offset + 30 + name + fields
        stored = self._content[start : start + file.compress_size]
        deflated = stored if file.compress_type == ZIP_DEFLATED else _deflate(stored)
        return _GZIP_HEADER + deflated + struct.pack("<II", file.CRC, file.file_size)

    def _security_headers(self, file: ZipInfo) -> dict[str, str]:
        """Return the headers of a file; those of a page allow exactly the scripts and styles that it contains."""
        if file.filename not in self._headers:
            is_page = file.filename.endswith(".html")
            self._headers[file.filename] = _page_policy(self._zip.read(file).decode()) if is_page else _policy()
        return self._headers[file.filename]


def _deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


def _base(request: Request, name: str) -> str:
    """Return the element that makes a page's links right where its address has a slash too few or too many.

    Nothing is redirected here, and slashes don't count; but a browser resolves links by the address that it asked for.
    """
    asked = request.scope.get("raw_path", b"").decode("ascii", "replace")
    is_right = asked.rpartition("/")[0] == f"{_ROOT}{name}".rpartition("/")[0]
    return "" if is_right or not name.endswith(".html") else f'<base href="{_ROOT}{name}">'


def _page_policy(page: str) -> dict[str, str]:
    return _policy(
        _SCRIPT.findall(page), _STYLE.findall(page), [html.unescape(style) for style in _STYLE_ATTRIBUTE.findall(page)]
    )


def _policy(scripts: Iterable[str] = (), styles: Iterable[str] = (), attributes: Iterable[str] = ()) -> dict[str, str]:
    return page_headers(
        "'self' data:",
        f"script-src 'self'{_hashes(scripts)}",
        f"style-src 'self'{_hashes(styles)}",
        # The hash of a style attribute counts only together with this word.
        f"style-src-attr 'unsafe-hashes'{_hashes(attributes)}",
        "base-uri 'self'",
        "form-action 'self'",
    )


def _hashes(texts: Iterable[str]) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in dict.fromkeys(texts))
    return "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


@functools.cache
def read_site(file: Path) -> Site | None:
    """Return the site of a zip; None if there is none, or none that can be read."""
    if not file.exists():
        return None
    try:
        return Site(file.read_bytes())
    except (OSError, BadZipFile, NotImplementedError) as error:
        _LOG.warning("the documentation site is not served", file=str(file), error=str(error))
        return None


def routes(site: Site | None) -> list[Route]:
    """Return the site's routes; none without one."""
    return [Route(f"{_ROOT}{{name:path}}", site.serve)] if site else []
