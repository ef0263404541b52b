"""The application: its routes, and the files that its settings name."""

from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from tests.support.gateway.harness import RunningGateway, settings
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
LONG = "问" * 10_000  # 90 kB in an address
FAULT = {"message": "The request URL is too long.", "type": "invalid_request_error", "param": None}


async def test_every_api_has_its_routes(gateway: RunningGateway) -> None:
    for path in ("/", "/docs", "/openapi.json", "/asyncapi.json", "/metrics", "/healthz", "/readyz", "/v1/models"):
        assert (await gateway.client.get(path)).status_code == 200, path


async def test_another_path_is_an_error_in_json(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/nowhere")
    assert (response.status_code, response.json()["code"]) == (404, 404)


async def test_a_socket_to_another_path_is_refused(gateway: RunningGateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.socket("/nowhere"):
            pass
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("path", ["/api/", "//api", "/v1/models/", "/nowhere/", "/docs/", "/answers/x/"])
async def test_no_address_is_redirected(gateway: RunningGateway, path: str) -> None:
    response = await gateway.client.get(gateway.address + path)
    assert (response.status_code >= 300, "location" in response.headers) == (response.status_code == 404, False)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions/",
        "//v1/chat//completions",
        "/v1/v1/chat/completions",
        "/chat/completions",
        "//chat/completions/",
    ],
)
async def test_a_chat_is_answered_at_any_address_that_clients_make_of_its_own(
    gateway: RunningGateway, path: str
) -> None:
    body = {"model": "bing-balanced", "messages": [{"role": "user", "content": "hi"}]}
    answer = await gateway.client.post(f"{gateway.address}{path}", json=body)
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"][:3]) == (200, "你好,")
    assert (await gateway.client.get(gateway.address + path)).json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("front", ["", "/v1", "/v1/v1", "//v1/"])
async def test_the_whole_openai_api_is_served_without_v1_and_with_two(gateway: RunningGateway, front: str) -> None:
    assert (await gateway.client.get(f"{gateway.address}{front}/models/")).json()["object"] == "list"
    assert (await gateway.client.get(f"{gateway.address}{front}/models/bing-precise")).json()["id"] == "bing-precise"
    created = await gateway.client.post(
        f"{gateway.address}{front}/responses", json={"model": "bing-balanced", "input": "hi"}
    )
    response = (await gateway.client.get(f"{gateway.address}{front}/responses/{created.json()['id']}/")).json()
    assert response["status"] == "completed"


async def test_an_old_client_may_put_slashes_where_it_likes(gateway: RunningGateway) -> None:
    fields = {"style": "balanced", "question": "hi"}
    for path in ("/api/", "//api", "/api//"):
        assert (await gateway.client.get(gateway.address + path, params=fields)).json()["code"] == 200
    assert '"done": true' in (await gateway.client.post(f"{gateway.address}//api_stream/", json=fields)).text
    async with gateway.socket("/ws/") as socket:
        await socket.send('{"style": "balanced", "question": "hi"}')
        assert '"code": 200' in str(await socket.recv())


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nowhere", "//v1//nowhere/", "/v1/v1/x", "/embeddings", "/audio/speech"]
)
async def test_an_unknown_path_of_the_openai_api_has_its_shape(gateway: RunningGateway, path: str) -> None:
    for method in ("GET", "POST"):
        response = await gateway.client.request(method, gateway.address + path)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_url")


async def test_a_socket_to_the_openai_api_is_refused_in_its_shape(gateway: RunningGateway) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.socket("/v1/realtime"):
            pass
    assert b"unknown_url" in refused.value.response.body


@pytest.mark.parametrize("path", ["/api", "/api/", "/v1/chat/completions", "/chat/completions", "/nowhere"])
async def test_an_address_that_is_too_long_is_refused_in_the_shape_of_its_api(
    gateway: RunningGateway, path: str
) -> None:
    for method in ("GET", "POST"):
        response = await gateway.client.request(method, f"{gateway.address}{path}?question={LONG}")
        assert response.status_code == 414
        expected = {"code": 414, "message": "请求地址过长"}
        if "chat" in path:
            expected = {"error": {**FAULT, "code": "request_url_too_long"}}
        assert response.json() == expected
        assert response.headers["access-control-allow-origin"] == "*"
        assert response.headers["x-request-id"]
    english = await gateway.client.get(f"{gateway.address}/api?question={LONG}", headers={"accept-language": "en"})
    assert english.json()["message"] == "Request address too long"


async def test_a_path_without_end_is_too_long_as_well(gateway: RunningGateway) -> None:
    assert (await gateway.get(f"/{'x' * 200_000}")).startswith(b"HTTP/1.1 414 ")


async def test_a_question_of_just_64_kib_in_the_address_is_asked(gateway: RunningGateway) -> None:
    target = "/api?style=balanced&question="
    assert b'{"code": 200' in await gateway.get(target + "x" * (65535 - len(target)))
    assert b'{"code": 414' in await gateway.get(target + "x" * (65536 - len(target)))


@pytest.mark.parametrize("name", ["api_keys_file", "admin_keys_file", "secret_file"])
async def test_a_file_that_is_no_good_ends_the_start_with_one_sentence(name: str, tmp_path: Path) -> None:
    store = Store("memory://")
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        create_app(settings(**{name: tmp_path / "missing"}), store, ActiveRequests())
    await store.close()
