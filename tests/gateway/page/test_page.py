"""The page at /."""

import gzip
import json
import re

import httpx
import pytest

from gateway.errors import ERRORS
from tests.support.gateway.harness import RunningGateway

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

# With everything, in bytes as they are sent.
HEAVIEST = 300_000


async def parts(gateway: RunningGateway) -> dict[str, httpx.Response]:
    """Every file that the page can ask for, by its address."""
    html = (await gateway.client.get("/")).text
    matches = set(re.findall(r'(?:src|href)="(/page/[^"]+)"', html))
    waiting, found = list(matches), {}
    while waiting:
        address = waiting.pop()
        found[address] = await gateway.client.get(address)
        assert found[address].status_code == 200, address
        for name in re.findall(r'(?:from |import\()"(\.[^"]+)"', found[address].text):
            new = str(httpx.URL(address).join(name))
            if new not in matches:
                matches.add(new)
                waiting.append(new)
    return found


async def test_each_file_is_served_under_a_strict_policy(gateway: RunningGateway) -> None:
    kinds = {
        "js": "text/javascript",
        "mjs": "text/javascript",
        "css": "text/css",
        "svg": "image/svg+xml",
        "/": "text/html",
    }
    for address, response in ({"/": await gateway.client.get("/")} | await parts(gateway)).items():
        assert response.headers["content-type"].split(";")[0] == kinds[address.rpartition(".")[2]]
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert (await gateway.client.head(address)).content == b""


async def test_the_page_needs_nothing_from_elsewhere(gateway: RunningGateway) -> None:
    html = (await gateway.client.get("/")).text
    assert not re.search(r"<script>|<style>|\son\w+=|\sstyle=", html)
    for address, response in ({"/": await gateway.client.get("/")} | await parts(gateway)).items():
        if "/vendor/" not in address:
            matches = re.findall(r"\w+://[\w.]+", response.text)
            assert set(matches) <= {"http://www.w3.org"}, address


async def test_the_page_and_all_its_files_weigh_less_than_300_kb(gateway: RunningGateway) -> None:
    files = {"/": await gateway.client.get("/")} | await parts(gateway)
    assert any("highlight" in address for address in files)
    assert all(response.headers["content-encoding"] == "gzip" for response in files.values())
    assert sum(int(response.headers["content-length"]) for response in files.values()) < HEAVIEST


async def test_the_page_has_the_sentence_of_each_reason_in_both_languages(gateway: RunningGateway) -> None:
    files = await parts(gateway)
    (source,) = [response.text for address, response in files.items() if address.endswith("js/reasons.js")]
    sentences = json.loads(source.removeprefix("export const REASONS = ").rstrip(";\n"))
    assert sentences["en"] == {reason: spec.en for reason, spec in ERRORS.items() if "{" not in spec.en}
    assert sentences["zh"] == {reason: spec.zh for reason, spec in ERRORS.items() if "{" not in spec.zh}


async def test_a_client_that_takes_no_gzip_gets_plain_files(gateway: RunningGateway) -> None:
    plain = await gateway.client.get("/", headers={"accept-encoding": "identity"})
    packed = await gateway.raw(b"GET / HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n")
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.partition(b"\r\n\r\n")[2]) == plain.content


async def test_files_are_kept_for_good_under_their_version_and_not_at_all_under_another(
    gateway: RunningGateway,
) -> None:
    html = (await gateway.client.get("/")).text
    match = re.search(r'src="/page/(\w+)/js/theme.js"', html)
    assert match is not None
    ours = await gateway.client.get(f"/page/{match[1]}/js/theme.js")
    other = await gateway.client.get("/page/0000/js/theme.js")
    assert "immutable" in ours.headers["cache-control"]
    assert other.headers["cache-control"] == "no-store"
    assert other.content == ours.content
    assert (await gateway.client.get("/")).headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    "name", ["js/none.js", "__init__.py", "js/../__init__.py", "js/%2e%2e/__init__.py", "vendor/fetch.sh"]
)
async def test_what_is_no_file_of_the_page_is_not_found(gateway: RunningGateway, name: str) -> None:
    assert (await gateway.client.get(f"/page/-/{name}")).status_code == 404
