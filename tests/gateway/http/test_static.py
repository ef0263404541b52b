"""Files from memory: media types, caching, compression and versions."""

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.http.static import StaticFile, VersionedFiles

pytestmark = pytest.mark.anyio

HEADERS = {"x-content-type-options": "nosniff"}


def client(*routes: Route) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=list(routes))), base_url="http://gateway")


@pytest.mark.parametrize(
    ("name", "media_type"),
    {
        "a.html": "text/html; charset=utf-8",
        "a.mjs": "text/javascript; charset=utf-8",
        "a.js": "text/javascript; charset=utf-8",
        "a.css": "text/css; charset=utf-8",
        "a.md": "text/markdown; charset=utf-8",
        "a.svg": "image/svg+xml",
    }.items(),
)
async def test_a_file_has_the_media_type_of_its_suffix(tmp_path: Path, name: str, media_type: str) -> None:
    (tmp_path / name).write_text("content")
    async with client(StaticFile.read(tmp_path / name, HEADERS).route("/file")) as browser:
        response = await browser.get("/file")
    assert response.text == "content"
    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "vary" not in response.headers


async def test_gzip_is_only_for_a_client_that_accepts_it() -> None:
    file = StaticFile(b"content" * 100, "text/css", HEADERS, compress=True)
    async with client(file.route("/file")) as browser:
        compressed = await browser.get("/file", headers={"accept-encoding": "br, gzip"})
        plain = await browser.get("/file", headers={"accept-encoding": "br"})
    assert compressed.headers["content-encoding"] == "gzip"
    assert int(compressed.headers["content-length"]) == len(gzip.compress(file.content, 9, mtime=0))
    assert "content-encoding" not in plain.headers
    assert compressed.content == plain.content == file.content
    assert compressed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        *(
            (one, True)
            for one in ("gzip", "GZIP", "br,gzip", "gzip;q=1.0, *;q=0", "br;q=0, gzip ; q=0.5", "gzip;q=0.01")
        ),
        *((one, False) for one in ("", "identity", "gzip;q=0", "br, gzip; q=0.000", "GZIP;Q=0,br", "x-gzip-like")),
    ],
)
async def test_gzip_is_accepted_by_its_name_unless_its_weight_is_0(accepted: str, packed: bool) -> None:
    file = StaticFile(b"content", "text/css", HEADERS, compress=True)
    async with client(file.route("/file")) as browser:
        response = await browser.get("/file", headers={"accept-encoding": accepted})
    assert (response.headers.get("content-encoding") == "gzip") == packed
    assert response.content == file.content


async def test_a_version_that_is_not_ours_must_not_be_kept(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "js/a.js").write_text("one")
    (tmp_path / "secret.txt").write_text("none of the patterns")
    files = VersionedFiles(tmp_path, ["js/*.js"], HEADERS)
    async with client(Route("/{version}/{name:path}", files.serve)) as browser:
        ours, other = await browser.get(f"/{files.version}/js/a.js"), await browser.get("/0000/js/a.js")
        assert ours.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert other.headers["cache-control"] == "no-store"
        assert ours.content == other.content == b"one"
        assert (await browser.get(f"/{files.version}/secret.txt")).status_code == 404


async def test_a_generated_file_is_served_like_the_others(tmp_path: Path) -> None:
    files = VersionedFiles(tmp_path, ["*.js"], HEADERS, [("js/made.js", b"made")])
    async with client(Route("/{version}/{name:path}", files.serve)) as browser:
        response = await browser.get(f"/{files.version}/js/made.js")
    assert (response.content, response.headers["content-type"]) == (b"made", "text/javascript; charset=utf-8")
    assert files.version != VersionedFiles(tmp_path, ["*.js"], HEADERS).version


def test_the_version_changes_with_a_name_or_a_content(tmp_path: Path) -> None:
    def version() -> str:
        return VersionedFiles(tmp_path, ["*.js"], HEADERS).version

    (tmp_path / "a.js").write_text("one")
    first = version()
    assert version() == first
    (tmp_path / "a.js").write_text("two")
    second = version()
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    assert len({first, second, version()}) == 3
