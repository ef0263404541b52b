import ssl

import httpx
import pytest

from wire.reasons import Reason
from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers.http import open_browser, upstream_errors

pytestmark = pytest.mark.anyio

HOME = "https://www.bing.com/turing"


@pytest.mark.parametrize(
    ("address", "carried"),
    [
        ("https://www.bing.com/x", True),
        ("https://cn.bing.com/x", True),
        ("http://www.bing.com/x", False),
        ("https://login.live.com/x", False),
        ("https://bing.com.example/x", False),
    ],
)
async def test_cookies_never_leave_the_site(address: str, carried: bool) -> None:
    assert await carries_cookies(HOME, address) is carried


@pytest.mark.parametrize(
    ("home", "address", "carried"),
    [
        ("http://127.0.0.1:1/", "http://127.0.0.1:2/", True),
        ("http://127.0.0.1/", "http://10.0.0.1/", False),
        ("http://[::1]/", "http://[::2]/", False),
        ("http://emulator/", "http://emulator/", True),
    ],
)
async def test_an_address_without_a_name_is_its_own_site(home: str, address: str, carried: bool) -> None:
    assert await carries_cookies(home, address) is carried


async def carries_cookies(home: str, address: str) -> bool:
    account, tls = CookieAccount("a", {"_U": "1"}), ssl.create_default_context()
    browser = open_browser(account, home, {}, tls, httpx.Timeout(1), 1000)
    request = browser.build_request("GET", address)
    for hook in browser.event_hooks["request"]:
        await hook(request)
    return "cookie" in request.headers


def errors(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(errors(sub) for sub in kind.__subclasses__()))


@pytest.mark.parametrize("kind", sorted(errors(httpx.HTTPError) | {httpx.InvalidURL}, key=str))
def test_each_error_of_httpx_is_ours(kind: type[Exception]) -> None:
    arguments = {"request": None, "response": None} if kind is httpx.HTTPStatusError else {}
    with pytest.raises(UpstreamError) as caught, upstream_errors(Reason.IMAGE_TIMEOUT):
        raise kind("x", **arguments)
    expected = {
        httpx.ConnectTimeout: "timeout.connect",
        httpx.ReadTimeout: "image.timeout",
        httpx.ConnectError: "transport.connect",
        httpx.ReadError: "transport.closed",
        httpx.RemoteProtocolError: "transport.closed",
        httpx.TooManyRedirects: "upstream.protocol",
        httpx.InvalidURL: "upstream.protocol",
    }
    assert caught.value.reason == expected.get(kind, caught.value.reason)


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), upstream_errors(Reason.IMAGE_TIMEOUT):
        raise KeyError
