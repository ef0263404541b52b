"""Pages of other sites and other names for the service, over real sockets, with API keys and without."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from tests.support.gateway.harness import RunningGateway, running, settings
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("store_url", ["memory://"])]

KEY = "a-key-of-many-characters"
ASK = {"style": "balanced", "question": "hi"}
EVIL, APP = "https://evil.example", "https://app.example"
CROSS = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
REBOUND = {"host": "evil.example"}
PAGE_ZH, PAGE_EN = (
    "不允许其他网站的网页请求,见 CORS_ORIGINS",
    "Pages of other sites may not ask here: see CORS_ORIGINS",
)


@pytest.fixture
async def listing(store: Store) -> AsyncIterator[RunningGateway]:
    """A gateway with both lists."""
    changes = settings(cors_origins=f"{APP},null", allowed_hosts="chat.example.org")
    async with running(store, changes) as gateway:
        yield gateway


@pytest.fixture
async def locked(store: Store, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway that wants an API key."""
    path = tmp_path / "keys"
    path.write_text(f"alice {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    async with running(store, settings(api_keys_file=path)) as gateway:
        gateway.client.headers["x-api-key"] = KEY
        yield gateway


async def status_of_socket(gateway: RunningGateway, path: str, **headers: str) -> int:
    try:
        async with gateway.socket(path, additional_headers=headers):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("headers", [{"origin": EVIL}, {"origin": "null"}, CROSS])
async def test_what_another_page_asks_reaches_no_worker(gateway: RunningGateway, headers: dict[str, str]) -> None:
    for path in ("/api", "/api_stream", "/image", "/metrics", "/readyz", "/", "/nothing"):
        response = await gateway.client.get(path, params=ASK | {"keyword": "cat"}, headers=headers)
        assert (response.status_code, response.json()) == (403, {"code": 403, "message": PAGE_ZH})
        assert "access-control-allow-origin" not in response.headers
    for form in ({"data": ASK}, {"content": '{"style": "balanced", "question": "hi"}'}):
        assert (await gateway.client.post("/api", headers=headers, **form)).status_code == 403
    for path in ("/ws", "/ws_stream", "/nothing"):
        assert await status_of_socket(gateway, path, **headers) == 403
    assert gateway.worker.asked == []


async def test_its_preflight_is_refused_too(gateway: RunningGateway) -> None:
    headers = {"origin": EVIL, "access-control-request-method": "POST"}
    response = await gateway.client.options("/v1/chat/completions", headers=headers)
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_a_refusal_has_the_shape_and_the_language_of_its_api(gateway: RunningGateway) -> None:
    sent = {"origin": EVIL, "accept-language": "en"}
    assert (await gateway.client.get("/api", headers=sent)).json() == {"code": 403, "message": PAGE_EN}
    openai = (await gateway.client.post("/v1/chat/completions", headers=sent, json={})).json()["error"]
    assert (openai["type"], openai["code"]) == ("invalid_request_error", "request.origin")
    anthropic = (await gateway.client.post("/v1/messages", headers=sent, json={})).json()
    assert anthropic["error"]["type"] == "permission_error"
    renamed = await gateway.client.get("/api", headers=REBOUND)
    assert (renamed.status_code, renamed.json()) == (421, {"code": 421, "message": "不接受此主机名,见 ALLOWED_HOSTS"})
    assert (await gateway.client.get("/v1/models", headers=REBOUND)).json()["error"]["code"] == "request.host"


@pytest.mark.parametrize("port", ["", ":5000"])
async def test_a_name_that_leads_here_is_no_way_in(gateway: RunningGateway, port: str) -> None:
    own = {"host": f"evil.example{port}", "origin": f"http://evil.example{port}", "sec-fetch-site": "same-origin"}
    for path in ("/api", "/metrics", "/", "/healthz/x"):
        assert (await gateway.client.get(path, params=ASK, headers=own)).status_code == 421
    reply = await gateway.raw(
        b"GET /ws HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert reply.startswith(b"HTTP/1.1 421 ")
    assert gateway.worker.asked == []


async def test_own_pages_and_programs_are_served(gateway: RunningGateway) -> None:
    own: list[dict[str, str]] = [
        {},
        {"origin": gateway.address},
        {"sec-fetch-site": "same-origin"},
        {"host": "gateway"},
    ]
    for headers in own:
        response = await gateway.client.post("/api", data=ASK, headers=headers)
        assert response.json()["code"] == 200
        assert "access-control-allow-origin" not in response.headers
    assert await status_of_socket(gateway, "/ws", origin=gateway.address) == 101
    assert await status_of_socket(gateway, "/ws_stream") == 101


async def test_a_link_elsewhere_leads_to_the_pages(gateway: RunningGateway) -> None:
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    for path in ("/", "/docs"):
        assert (await gateway.client.get(path, headers=visit)).status_code == 200
    for path in ("/api", "/api/", "//api", "/v1/models"):
        address = f"{gateway.address}{path}"
        assert (await gateway.client.get(address, params=ASK, headers=visit)).status_code == 403
    assert gateway.worker.asked == []


@pytest.mark.parametrize("origin", [APP, "null"])
async def test_pages_of_listed_origins_ask_and_read(listing: RunningGateway, origin: str) -> None:
    headers = {"origin": origin, "sec-fetch-site": "cross-site"}
    preflight = await listing.client.options("/api", headers=headers | {"access-control-request-method": "POST"})
    assert preflight.status_code == 204
    response = await listing.client.post("/api", data=ASK, headers=headers)
    assert response.json()["code"] == 200
    for answer in (preflight, response):
        assert answer.headers["access-control-allow-origin"] == origin
        assert "origin" in answer.headers["vary"].lower()
    assert await status_of_socket(listing, "/ws", origin=origin) == 101
    assert "access-control-allow-origin" not in (await listing.client.get("/metrics", headers=headers)).headers
    assert (await listing.client.post("/api", data=ASK, headers={"origin": EVIL})).status_code == 403


async def test_a_listed_name_is_served(listing: RunningGateway) -> None:
    headers = {"host": "chat.example.org", "origin": "https://chat.example.org"}
    assert (await listing.client.post("/api", data=ASK, headers=headers)).json()["code"] == 200
    assert (await listing.client.post("/api", data=ASK, headers=REBOUND)).status_code == 421


async def test_with_api_keys_pages_of_all_origins_and_any_name_are_served(locked: RunningGateway) -> None:
    for headers in ({"origin": EVIL}, {"origin": "null"} | CROSS, CROSS, REBOUND):
        response = await locked.client.post("/api", data=ASK, headers=headers)
        assert response.json()["code"] == 200
        assert response.headers["access-control-allow-origin"] == "*"
        assert "origin" not in response.headers.get("vary", "").lower()
    assert await status_of_socket(locked, f"/ws?api_key={KEY}", origin=EVIL) == 101
    for path in ("/metrics", "/readyz", "/healthz"):
        response = await locked.client.get(path, headers={"origin": EVIL})
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers


async def test_with_api_keys_the_lists_hold_once_they_are_set(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"alice {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    changes = settings(api_keys_file=path, cors_origins=APP, allowed_hosts="chat.example.org")
    async with running(store, changes) as gateway:
        gateway.client.headers["x-api-key"] = KEY
        read = await gateway.client.post("/api", data=ASK, headers={"origin": APP})
        unread = await gateway.client.post("/api", data=ASK, headers={"origin": EVIL})
        assert [response.headers.get("access-control-allow-origin") for response in (read, unread)] == [APP, None]
        assert (await gateway.client.get("/api", params=ASK, headers=REBOUND)).status_code == 421


async def test_an_empty_setting_is_a_missing_one(store: Store) -> None:
    async with running(store, settings(cors_origins="", allowed_hosts="")) as gateway:
        assert (await gateway.client.get("/api", params=ASK)).json()["code"] == 200
        assert (await gateway.client.get("/api", params=ASK, headers={"origin": EVIL})).status_code == 403


async def test_one_line_a_minute_names_the_setting_to_change(gateway: RunningGateway) -> None:
    with capture_logs() as lines:
        for number in range(3):
            await gateway.client.get("/api", headers={"origin": f"{EVIL}:{number}"})
            await gateway.client.get("/api", headers=REBOUND)
    warnings = [line for line in lines if line["log_level"] == "warning"]
    assert [("CORS_ORIGINS" in line["event"], "ALLOWED_HOSTS" in line["event"]) for line in warnings] == [
        (True, False),
        (False, True),
    ]
    assert (warnings[0]["origin"], warnings[1]["host"]) == (f"{EVIL}:0", "evil.example")
