"""The page's own files: for anybody, with a policy that lets nothing else in."""

import re
from pathlib import Path

import pytest

import gateway.console.files
from tests.support.gateway.console_client import console
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

STATIC = Path(gateway.console.files.__file__).parent / "static"
FILES = sorted(path.name for path in STATIC.iterdir())
MEDIA_TYPES = {"text/html", "text/javascript", "text/css", "image/svg+xml"}


async def test_each_file_is_served_to_anybody_with_a_strict_policy(store: Store, tmp_path: Path) -> None:
    async with console(store, tmp_path) as gateway:
        for name in [*FILES, "reasons.js"]:
            response = await gateway.client.get("/console" if name == "index.html" else f"/console/{name}")
            assert response.status_code == 200
            policy = response.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'")
            assert "unsafe" not in policy
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["content-type"].split(";")[0] in MEDIA_TYPES


def test_nothing_is_inline_or_from_elsewhere() -> None:
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", page)
    for name in FILES:
        text = (STATIC / name).read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", text), name


def test_both_languages_say_the_same() -> None:
    english, chinese = re.findall(r"const (?:EN|ZH) = \{(.*?)\n\};", (STATIC / "words.js").read_text(), re.S)

    def names(text: str) -> list[str]:
        return sorted(re.findall(r"(?:^|[\s,{])(\w+): (?=[\"`({\w])", re.sub(r'"[^"]*"|`[^`]*`', '""', text)))

    assert len(names(english)) > 100
    assert names(english) == names(chinese)
