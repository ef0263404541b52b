"""The site in its zip: addresses, caching, compression, and a policy that allows exactly what a page contains."""

import base64
import gzip
import hashlib
import io
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import httpx
import pytest
from starlette.requests import Request

from gateway.docs import site
from tests.support.gateway.harness import RunningGateway, running, settings
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

SCRIPT, STYLE = "document.body.dataset.theme = 'auto' && \"\";", "body { color: red }"
INDEX = f"""<html><head><style>{STYLE}</style></head><body style="opacity: 50%" class="a"><script>{SCRIPT}</script>
<script src="_static/a.js"></script><a href="guides/tls.html">TLS</a></body></html>"""
FILES = {
    "en/index.html": INDEX,
    "en/guides/tls.html": "<html><head></head>TLS</html>",
    "en/_static/a.js": "let a;" * 100,
    "zh/index.html": "<html><head></head>你好</html>",
    "en/secret.cfg": "no file of a page",
    "fr/index.html": "no language of ours",
    "../outside.html": "beside the zip",
}


def archive(files: dict[str, str], compression: int = ZIP_DEFLATED) -> bytes:
    with ZipFile(buffer := io.BytesIO(), "w", compression) as built:
        for name, content in files.items():
            built.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
async def reader(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningGateway]:
    """A gateway that has a site."""
    (file := tmp_path / "site.zip").write_bytes(archive(FILES))
    monkeypatch.setattr(site, "FILE", file)
    async with running(store, settings()) as gateway:
        yield gateway


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize(
    ("path", "name", "media_type"),
    [
        ("/docs/en/", "en/index.html", "text/html; charset=utf-8"),
        ("/docs/en/index.html", "en/index.html", "text/html; charset=utf-8"),
        ("/docs/zh/", "zh/index.html", "text/html; charset=utf-8"),
        ("/docs/en/guides/tls.html", "en/guides/tls.html", "text/html; charset=utf-8"),
        ("/docs/en/_static/a.js?v=1", "en/_static/a.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_a_file_is_served_at_its_address(reader: RunningGateway, path: str, name: str, media_type: str) -> None:
    response = await reader.client.get(path)
    assert (response.status_code, response.text) == (200, FILES[name])
    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert (await reader.client.head(path)).content == b""


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/docs/en", "/docs/en/index.html"),
        ("/docs//zh/", "/docs/zh/index.html"),
        ("/docs/en/guides/tls.html/", "/docs/en/guides/tls.html"),
    ],
)
async def test_links_lead_to_the_site_however_many_slashes(reader: RunningGateway, path: str, base: str) -> None:
    response = await reader.client.get(path)
    assert f'<head><base href="{base}">' in response.text
    assert "base-uri 'self'" in response.headers["content-security-policy"]
    assert response.headers["etag"] != (await reader.client.get(base)).headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        *("/docs/en/none.html", "/docs/fr/", "/docs/en/secret.cfg", "/docs/en/guides", "/docs/none"),
        *("/docs/en/../../outside.html", "/docs/%2e%2e/outside.html", "/docs/en/%2e%2e/outside.html"),
        *("/docs/en/..%2foutside.html", "/docs/en/../../../../etc/passwd", "/docs/en%00/index.html"),
    ],
)
async def test_what_is_no_file_of_the_site_is_not_found(reader: RunningGateway, path: str) -> None:
    head = await reader.raw(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert head.startswith(b"HTTP/1.1 404 "), head[:200]
    assert b'{"code": 404' in head


async def test_a_page_may_run_exactly_the_scripts_and_styles_that_it_contains(reader: RunningGateway) -> None:
    policies = [
        (await reader.client.get(path)).headers["content-security-policy"]
        for path in ("/docs/en/", "/docs/zh/", "/docs/en/_static/a.js")
    ]
    directives = dict(directive.split(" ", 1) for directive in policies[0].split("; "))
    assert directives["script-src"] == f"'self' {hashed(SCRIPT)}"
    assert directives["style-src"] == f"'self' {hashed(STYLE)}"
    assert directives["style-src-attr"] == f"'unsafe-hashes' {hashed('opacity: 50%')}"
    assert directives["default-src"] == "'none'"
    assert "unsafe-inline" not in policies[0]
    for policy in policies[1:]:
        assert "script-src 'self';" in policy


async def test_an_unchanged_file_is_not_sent_again(reader: RunningGateway) -> None:
    etags = {(await reader.client.get(path)).headers["etag"] for path in ("/docs/en/", "/docs/zh/")}
    assert len(etags) == 2
    for etag in etags:
        response = await reader.client.get("/docs/zh/", headers={"if-none-match": f'"x", {etag}'})
        assert response.status_code in (200, 304)
        assert (response.status_code == 304) == (response.headers["etag"] == etag)
        assert bool(response.content) == (response.status_code == 200)


@pytest.mark.parametrize("path", ["/docs/en/_static/a.js", "/docs/en"])
async def test_gzip_is_only_for_a_client_that_accepts_it(reader: RunningGateway, path: str) -> None:
    plain = await reader.client.get(path, headers={"accept-encoding": "identity"})
    packed = await reader.raw(
        f"GET {path} HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n".encode()
    )
    head, _, body = packed.partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(body) == plain.content


@pytest.mark.parametrize("compression", [ZIP_STORED, ZIP_DEFLATED])
async def test_gzip_is_made_of_what_the_zip_holds(store: Store, compression: int) -> None:
    built = site.Site(archive(FILES, compression))
    scope = {
        "type": "http",
        "method": "GET",
        "path_params": {"name": "en/_static/a.js"},
        "headers": [(b"accept-encoding", b"gzip")],
        "raw_path": b"/docs/en/_static/a.js",
    }
    response = await built.serve(Request(scope))
    assert zlib.decompress(response.body, wbits=31).decode() == FILES["en/_static/a.js"]


async def test_the_page_links_to_the_languages_that_are_there(reader: RunningGateway) -> None:
    html = (await reader.client.get("/docs")).text
    assert 'href="/docs/en/"' in html
    assert 'href="/docs/zh/" hreflang="zh" lang="zh"' in html


def unreadable_version() -> bytes:
    """A zip of a version that doesn't exist yet."""
    content = bytearray(archive(FILES))
    entry = content.index(b"PK\x01\x02")
    content[entry + 6] = 255
    return bytes(content)


async def test_a_site_that_cannot_be_read_does_not_end_the_start(store: Store, tmp_path: Path) -> None:
    assert site.read_site(tmp_path) is None


@pytest.mark.parametrize("content", [None, b"no zip", b"", unreadable_version(), archive(FILES)[:-30]])
async def test_without_a_site_there_is_none_and_no_link_to_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "site.zip").write_bytes(content)
    monkeypatch.setattr(site, "FILE", tmp_path / "site.zip")
    async with running(store, settings()) as gateway:
        response: httpx.Response = await gateway.client.get("/docs/en/")
        assert response.status_code == 404
        assert response.json()["code"] == 404
        assert "/docs/en" not in (await gateway.client.get("/docs")).text
