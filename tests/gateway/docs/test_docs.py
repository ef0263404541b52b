"""The documents and the page, as they are served."""

import re
from pathlib import Path

import pytest

from gateway import docs
from gateway.docs import asyncapi, openapi
from tests.support.gateway.console_client import console
from tests.support.gateway.harness import RunningGateway, running, settings
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

DOCS = Path(docs.__file__).parent
FILES = {
    "/docs": "text/html",
    "/docs/docs.css": "text/css",
    "/docs/examples.md": "text/markdown",
} | {f"/docs/{file.name}": "text/javascript" for file in DOCS.glob("*.js")}


@pytest.mark.parametrize(("path", "media_type"), FILES.items())
async def test_each_file_is_served_under_a_strict_policy(gateway: RunningGateway, path: str, media_type: str) -> None:
    response = await gateway.client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert (await gateway.client.head(path)).content == b""


@pytest.mark.parametrize("cors_origins", ["*"])
async def test_the_documents_are_served_to_pages_of_every_origin(gateway: RunningGateway) -> None:
    for path, document in {"/openapi.json": openapi.document(), "/asyncapi.json": asyncapi.document()}.items():
        response = await gateway.client.get(path)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.json() == document


async def test_the_page_needs_nothing_from_elsewhere(gateway: RunningGateway) -> None:
    html = (await gateway.client.get("/docs")).text
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', html))
    # Where the site was built.
    assert named - {"/docs/en/", "/docs/zh/"} == {
        "data:,",
        "/",
        "/docs/docs.css",
        "/docs/docs.js",
        "/openapi.json",
        "/asyncapi.json",
        "/docs/examples.md",
    }
    assert not re.search(r"<script>|<style>|\son\w+=|\sstyle=", html)
    for path in FILES:
        text = (await gateway.client.get(path)).text
        assert path == "/docs/examples.md" or "://" not in text
        if path.endswith(".js"):
            assert set(re.findall(r'from "([^"]+)"', text)) <= set(FILES)


async def test_the_page_links_to_the_console_only_where_it_is_on(store: Store, tmp_path: Path) -> None:
    async with running(store, settings()) as gateway:
        assert 'href="/console"' not in (await gateway.client.get("/docs")).text
    async with console(store, tmp_path) as gateway:
        assert 'href="/console"' in (await gateway.client.get("/docs")).text


async def test_both_documents_can_be_downloaded(gateway: RunningGateway) -> None:
    html = (await gateway.client.get("/docs")).text
    for name in ("openapi.json", "asyncapi.json"):
        assert f'href="/{name}" download="{name}"' in html
