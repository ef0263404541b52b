"""The page at /."""

import re

import pytest

from tests.gateway.scripted import RunningGateway

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

FILES = {"/": "text/html", "/page.js": "text/javascript", "/page.css": "text/css"}


@pytest.mark.parametrize(("path", "media_type"), FILES.items())
async def test_each_file_is_served_under_a_strict_policy(gateway: RunningGateway, path: str, media_type: str) -> None:
    response = await gateway.client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert (await gateway.client.head(path)).content == b""


async def test_the_page_needs_nothing_from_elsewhere(gateway: RunningGateway) -> None:
    html = (await gateway.client.get("/")).text
    assert set(re.findall(r'(?:src|href)="([^"]+)"', html)) == {"data:,", "/page.css", "/page.js"}
    assert not re.search(r"<script>|<style>|\son\w+=|\sstyle=", html)
    for path in FILES:
        assert "://" not in (await gateway.client.get(path)).text
