"""The documents and the page, as they are served."""

import re

import pytest

from gateway.docs import asyncapi, openapi
from tests.support.gateway.harness import RunningGateway

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

FILES = {
    "/docs": "text/html",
    "/docs/docs.js": "text/javascript",
    "/docs/schema.js": "text/javascript",
    "/docs/markdown.js": "text/javascript",
    "/docs/docs.css": "text/css",
    "/docs/examples.md": "text/markdown",
}


@pytest.mark.parametrize(("path", "media_type"), FILES.items())
async def test_each_file_is_served_under_a_strict_policy(gateway: RunningGateway, path: str, media_type: str) -> None:
    response = await gateway.client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert (await gateway.client.head(path)).content == b""


async def test_the_documents_are_served_to_pages_of_every_origin(gateway: RunningGateway) -> None:
    for path, document in {"/openapi.json": openapi.document(), "/asyncapi.json": asyncapi.document()}.items():
        response = await gateway.client.get(path)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.json() == document


async def test_the_page_needs_nothing_from_elsewhere(gateway: RunningGateway) -> None:
    html = (await gateway.client.get("/docs")).text
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', html))
    assert named == {
        "data:,",
        "/docs/docs.css",
        "/docs/docs.js",
        "/openapi.json",
        "/asyncapi.json",
        "/docs/examples.md",
    }
    assert not re.search(r"<script>|<style>|\son\w+=|\sstyle=", html)
    for path in FILES:
        if path != "/docs/examples.md":
            assert "://" not in (await gateway.client.get(path)).text
    for path in ("/docs/docs.js", "/docs/schema.js"):
        modules = set(re.findall(r'from "([^"]+)"', (await gateway.client.get(path)).text))
        assert modules <= set(FILES)
