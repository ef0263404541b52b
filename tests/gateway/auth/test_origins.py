"""Which names and which other sites' pages are served."""

import pytest
from starlette.datastructures import Headers

from gateway.auth.origins import ServedOrigins, parse_hosts, parse_origins
from wire.reasons import Reason

OWN, HOST = "http://127.0.0.1:5000", {"host": "127.0.0.1:5000"}
CLOSED = ServedOrigins()
LISTED = ServedOrigins(parse_origins("https://app.example, null"), parse_hosts("chat.example.org"))


def refusal(
    served: ServedOrigins, *, method: str = "GET", path: str = "/api", own: str = OWN, **sent: str
) -> Reason | None:
    headers = HOST | {name.replace("_", "-"): value for name, value in sent.items()}
    return served.find_refusal(method, path, Headers(headers), own)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_programs_are_served_as_they_send_none_of_the_headers(method: str) -> None:
    for path in ("/api", "/v1/chat/completions", "/metrics", "/ws"):
        assert refusal(CLOSED, method=method, path=path) is None


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": "http://127.0.0.1:5001"},
        {"origin": "http://localhost:5000"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "chrome-extension://abc"},
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
        {"origin": OWN, "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
        # What asks is no page, though a link may lead there.
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
    ],
)
@pytest.mark.parametrize("path", ["/api", "/api_stream", "/image", "/v1/models", "/metrics", "/ws", "/console/live"])
def test_pages_of_other_origins_are_refused(sent: dict[str, str], path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert refusal(CLOSED, method=method, path=path, **sent) is Reason.REQUEST_ORIGIN


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        (OWN, {"origin": OWN}),
        (OWN, {"origin": OWN, "sec_fetch_site": "same-origin"}),
        (OWN, {"sec_fetch_site": "same-origin"}),
        # Typed in, or from a bookmark.
        (OWN, {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"}),
        ("https://chat.example.org", {"origin": "https://chat.example.org"}),
        # A proxy ended TLS that TRUSTED_PROXIES doesn't name, or put a Host of its own.
        ("http://chat.example.org", {"origin": "https://chat.example.org"}),
        ("http://gateway:5000", {"origin": "https://chat.example.org", "sec_fetch_site": "same-origin"}),
    ],
)
def test_the_services_own_pages_are_served(own: str, sent: dict[str, str]) -> None:
    assert refusal(CLOSED, method="POST", own=own, **sent) is None


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "Prefetch;anonymous-client-ip"])
@pytest.mark.parametrize("site", ["none", "same-origin", "cross-site", ""])
def test_what_a_browser_fetches_ahead_asks_nothing(purpose: str, site: str) -> None:
    sent = {"sec-purpose": purpose, "sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    headers = Headers({"host": "127.0.0.1:5000", **sent})
    assert ServedOrigins().find_refusal("GET", "/api", headers, "") is Reason.REQUEST_ORIGIN
    assert ServedOrigins().find_refusal("GET", "/", headers, "") is None


def test_a_page_without_tls_is_not_the_one_with_it() -> None:
    own = "https://chat.example.org"
    assert refusal(CLOSED, own=own, origin="http://chat.example.org") is Reason.REQUEST_ORIGIN


def test_without_a_usable_host_no_page_is_the_services_own() -> None:
    assert refusal(CLOSED, own="", origin="https://") is Reason.REQUEST_ORIGIN


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_elsewhere_leads_to_the_pages_and_to_nothing_that_asks(site: str) -> None:
    for path in ("/", "/docs", "/docs/en/index.html", "/console", "/openapi.json"):
        for method in ("GET", "HEAD"):
            assert refusal(CLOSED, method=method, path=path, sec_fetch_site=site, sec_fetch_mode="navigate") is None
        assert refusal(CLOSED, path=path, sec_fetch_site=site, sec_fetch_mode="no-cors") is Reason.REQUEST_ORIGIN
        assert refusal(CLOSED, method="POST", path=path, sec_fetch_site=site, sec_fetch_mode="navigate") is not None
        assert refusal(CLOSED, path=path, origin="null", sec_fetch_site=site, sec_fetch_mode="navigate") is not None


def test_other_pages_show_pictures_whose_ids_they_know() -> None:
    assert refusal(CLOSED, path="/pictures/abc", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") is None
    assert refusal(CLOSED, path="/pictures/abc", sec_fetch_site="cross-site", origin="http://a.b") is not None


@pytest.mark.parametrize("origin", ["https://app.example", "HTTPS://App.Example", "null"])
@pytest.mark.parametrize("site", ["", "cross-site", "same-site"])
def test_pages_of_listed_origins_are_served(origin: str, site: str) -> None:
    assert refusal(LISTED, method="POST", origin=origin, sec_fetch_site=site) is None
    assert refusal(LISTED, method="POST", origin=f"{origin}:1", sec_fetch_site=site) is Reason.REQUEST_ORIGIN


@pytest.mark.parametrize(("origins", "keys"), [({"*"}, False), (None, True), ({"https://app.example"}, True)])
def test_every_page_is_served_with_a_star_and_where_it_needs_a_key(origins: set[str] | None, keys: bool) -> None:
    served = ServedOrigins(None if origins is None else frozenset(origins), keys=keys)
    for sent in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert refusal(served, method="POST", **sent) is None


def test_who_may_read_follows_the_setting_and_else_the_keys() -> None:
    assert ServedOrigins(keys=True).allows("https://a.example")
    assert not ServedOrigins(frozenset({"https://b.example"}), keys=True).allows("https://a.example")
    assert not CLOSED.allows("https://a.example")
    assert LISTED.allows("null")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:5000",
        "192.168.1.7",
        "[::1]:5000",
        "[::ffff:127.0.0.1]",
        "localhost:5000",
        "a.localhost",
        "host.docker.internal:5000",
        "gateway.chat.svc.cluster.local",
        "pi.home.arpa",
        "gateway:5000",
        "G",
        "",
    ],
)
def test_addresses_and_names_that_nobody_can_register_are_served(host: str) -> None:
    for served in (CLOSED, LISTED, ServedOrigins(hosts=frozenset({"a.example"}), keys=True)):
        assert refusal(served, host=host) is None


@pytest.mark.parametrize(
    "host", ["evil.example:5000", "127.0.0.1.evil.example", "localhost.evil.example", "ai.", "[a.b]"]
)
def test_other_names_are_refused_unless_they_are_listed(host: str) -> None:
    for served in (CLOSED, LISTED, ServedOrigins(hosts=frozenset({"a.example"}), keys=True)):
        assert refusal(served, host=host, sec_fetch_site="same-origin") is Reason.REQUEST_HOST
    assert refusal(ServedOrigins(keys=True), host=host) is None
    assert refusal(ServedOrigins(hosts=frozenset({"*"})), host=host) is None


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_checks_may_use_any_name_but_no_other_page(path: str) -> None:
    assert refusal(CLOSED, path=path, host="health.example") is None
    assert refusal(CLOSED, path=path, host="health.example", origin="https://a.example") is Reason.REQUEST_ORIGIN


@pytest.mark.parametrize("host", ["chat.example.org", "Chat.Example.org:8443"])
def test_a_listed_name_is_served_with_any_port(host: str) -> None:
    assert refusal(LISTED, host=host) is None


@pytest.mark.parametrize("text", ["", " , ", "*", "null", "https://a.b, http://[::1]:5000,app://localhost", "file://"])
def test_lists_of_origins_are_read(text: str) -> None:
    assert parse_origins(text) == {part.strip() for part in text.split(",")} - {""}


@pytest.mark.parametrize("text", ["example.org", "https://a.b/", "https://a.b/page", "https://*.a.b", "https://a b"])
def test_what_is_no_origin_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="origin such as"):
        parse_origins(text)


@pytest.mark.parametrize("text", ["https://a.b", "a.b:5000", "a.b/c", "*.a.b"])
def test_what_is_no_name_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="without a port"):
        parse_hosts(text)
