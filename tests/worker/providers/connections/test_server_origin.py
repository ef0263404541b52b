import httpx
import pytest

from worker.providers.connections.server_origin import ServerOrigin, locate


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://host", ServerOrigin(False, "host", 80, b"host"), b"/"),
        ("https://Host:443/a%20b?c=d", ServerOrigin(True, "host", 443, b"host"), b"/a%20b?c=d"),
        ("http://host:8000/v1", ServerOrigin(False, "host", 8000, b"host:8000"), b"/v1"),
        ("http://[::1]:8000/", ServerOrigin(False, "::1", 8000, b"[::1]:8000"), b"/"),
        ("https://bücher.example/", ServerOrigin(True, "xn--bcher-kva.example", 443, b"xn--bcher-kva.example"), b"/"),
        ("http://u%40:p%3A@host/", ServerOrigin(False, "host", 80, b"host", b"dUA6cDo="), b"/"),
    ],
)
def test_an_address_leads_to_a_host_and_a_target(url: str, origin: ServerOrigin, target: bytes) -> None:
    assert locate(httpx.URL(url)) == (origin, target)


@pytest.mark.parametrize("url", ["nowhere", "ftp://host/", "http:///v1", "//host/"])
def test_other_addresses_lead_nowhere(url: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        locate(httpx.URL(url))
