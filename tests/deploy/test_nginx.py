"""The shipped nginx configuration, in a real nginx."""

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
import anyio
import httpx
import msgspec
import pytest

from gateway.anthropic import errors as anthropic_errors
from gateway.errors import ERRORS, problem_for
from gateway.http.middleware import _CORS
from gateway.http.paths import OPENAI_NAMES
from gateway.http.responses import encode_error
from gateway.openai import errors as openai_errors
from gateway.settings import GatewaySettings
from tests.deploy.conftest import ADDRESSES, Front
from tests.support.conditions import until
from tests.support.deploy.upstreams import STREAM, receive_by_halves
from tests.support.processes import ROOT
from wire.reasons import Reason

pytestmark = pytest.mark.anyio
LIMIT = 60.0
SECRET = "what-nobody-may-read"
MAX_BODY = GatewaySettings().max_body
# The largest body that nginx keeps.
KEPT = 299_999


def assert_busy(response: httpx.Response) -> None:
    """The response of a gateway that has no room, as nginx sends it."""
    assert response.status_code == 503
    assert response.content == encode_error(problem_for(Reason.QUEUE_FULL))
    assert response.headers["retry-after"] == "2"
    assert_like_a_gateways(response)


def assert_like_a_gateways(response: httpx.Response) -> None:
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["access-control-allow-origin"] == "*"
    for name, value in _CORS.items():
        assert response.headers[name] == value


@pytest.mark.parametrize("framing", ["chunked", "counted"])  # a buffering nginx holds back only the latter
async def test_text_goes_out_as_it_comes_in(front: Front, client: httpx.AsyncClient, framing: str) -> None:
    assert await receive_by_halves(client, front.gateways, framing) == STREAM


async def test_a_websocket_is_upgraded_with_its_query_and_subprotocol(front: Front) -> None:
    async with aiohttp.ClientSession() as session:
        address = f"{front.url}/ws?token=abc"
        async with session.ws_connect(address, protocols=["bing-chat.v2", "key.k"], autoping=False) as ws:
            assert ws.protocol == "bing-chat.v2"
            await ws.send_str("one")
            assert (await ws.receive(timeout=LIMIT)).data == "token=abc one"
            await ws.ping(b"still there")
            assert (await ws.receive(timeout=LIMIT)).type is aiohttp.WSMsgType.PONG


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_over_which_a_gateway_dies_is_sent_to_another_as_the_same_attempt(
    front: Front, client: httpx.AsyncClient, method: str
) -> None:
    """The second gateway can see by the id whether the first one has asked already."""
    assert_busy(await client.request(method, "/die"))
    assert front.paths == ["/die", "/die"]
    assert len(attempts(front)) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_that_a_gateway_refuses_is_sent_to_another(
    front: Front, client: httpx.AsyncClient, method: str
) -> None:
    front.gateways[0].draining = True
    for _ in range(6):
        assert (await client.request(method, "/api", params={"n": "1"})).text == ADDRESSES[1]
    assert front.gateways[0].seen
    assert len(attempts(front)) == 6


@pytest.mark.parametrize("size", [KEPT, KEPT + 1])
async def test_a_body_is_sent_to_another_gateway_unless_it_is_large(
    front: Front, client: httpx.AsyncClient, size: int
) -> None:
    front.gateways[0].draining = True
    responses = [await client.post("/v1/responses", content=b"x" * size) for _ in range(20)]
    assert front.gateways[0].bodies
    assert {response.status_code for response in responses} == ({200} if size == KEPT else {200, 503})
    assert {response.headers["retry-after"] for response in responses if response.status_code == 503} <= {"1"}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_body_reaches_a_gateway_that_can_be_reached(
    front: Front, client: httpx.AsyncClient, chunked: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"x" * KEPT

    await front.services[0].aclose()
    for _ in range(6):
        sent = client.post("/v1/responses", content=chunks() if chunked else b"x" * 8 * KEPT)
        assert (await sent).text == ADDRESSES[1]
    assert front.gateways[1].bodies == [8 * KEPT] * 6


@pytest.mark.parametrize("path", ["/v1/responses", "/console/accounts", "/metrics", "/th/id/x"])
async def test_no_upload_is_on_nginx_disk(front: Front, path: str) -> None:
    """Some slow ones would fill it, and then nobody could send a body."""
    async with AsyncExitStack() as stack:
        for size in (KEPT, MAX_BODY):
            stream = await stack.enter_async_context(await anyio.connect_tcp("127.0.0.1", front.port))
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
            await stream.send(head.encode() + b"x" * (size - 1))
        files = partial(open_files, front.folder / "client_body")
        await until(lambda: files() or any(gateway.seen for gateway in front.gateways), "one body arrives", limit=LIMIT)
        assert files() == []


def open_files(folder: Path) -> list[str]:
    """What processes have open in a folder: nginx takes the name of a file away as soon as it has it open."""
    links = []
    for file in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # of somebody else's, or closed
            links.append(os.readlink(file))
    return [link for link in links if link.startswith(f"{folder}/")]


async def test_a_large_body_on_its_way_has_what_any_request_has(front: Front, client: httpx.AsyncClient) -> None:
    front.names.addresses["gateway"] = []
    refused = await client.post("/v1/responses", content=b"x" * MAX_BODY)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    front.names.addresses["gateway"] = list(ADDRESSES)
    async with httpx.AsyncClient(trust_env=False) as other:
        asked = await other.post(front.url + "/api", content=b"x" * MAX_BODY, headers={"Expect": "100-continue"})
    assert asked.status_code == 200
    (request,) = (request for gateway in front.gateways for request in gateway.seen)
    assert request.headers.getall("X-Forwarded-For") == ["127.0.0.1"]
    assert len(attempts(front)) == 1


async def test_what_all_gateways_refuse_is_the_last_ones_response(front: Front, client: httpx.AsyncClient) -> None:
    for gateway in front.gateways:
        gateway.draining = True
    response = await client.get("/api")
    assert (response.status_code, response.text) == (503, "going down")
    assert response.headers["retry-after"] == "1"


async def test_an_attempt_has_an_id_that_no_client_can_choose(front: Front, client: httpx.AsyncClient) -> None:
    for _ in range(3):
        await client.get("/api", headers={"X-Attempt-ID": "chosen-by-a-client"})
    assert len(attempts(front)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", attempt) for attempt in attempts(front))


def attempts(front: Front) -> set[str]:
    """The ids of the attempts that reached any gateway."""
    return {request.headers["X-Attempt-ID"] for gateway in front.gateways for request in gateway.seen}


async def test_an_operators_action_that_reached_a_gateway_is_sent_to_no_other(
    front: Front, client: httpx.AsyncClient
) -> None:
    assert_busy(await client.post("/console/die"))
    assert front.paths == ["/console/die"]


async def test_a_gateway_that_can_not_be_reached_loses_no_request(front: Front, client: httpx.AsyncClient) -> None:
    await front.services[0].aclose()
    for _ in range(20):
        assert (await client.post("/api")).text == ADDRESSES[1]
    assert front.gateways[0].seen == []


async def test_a_gateway_that_died_is_out_as_soon_as_its_name_is(front: Front, client: httpx.AsyncClient) -> None:
    async def all_go_well() -> bool:
        return all([(await client.get("/api")).status_code == 200 for _ in range(20)])

    assert await all_go_well()
    await front.services[0].aclose()
    front.names.addresses["gateway"] = [ADDRESSES[1]]
    died = time.monotonic()
    await until(all_go_well, "every request answered by the other gateway", limit=LIMIT)
    assert time.monotonic() - died < 4


async def test_a_gateway_that_is_added_gets_its_share(front: Front, client: httpx.AsyncClient) -> None:
    front.names.addresses["gateway"] = [ADDRESSES[0]]

    async def both_answer() -> bool:
        return {(await client.get("/api")).text for _ in range(20)} == set(ADDRESSES)

    async def one_answers() -> bool:
        return {(await client.get("/api")).text for _ in range(20)} == {ADDRESSES[0]}

    await until(one_answers, "only the first gateway asked", limit=LIMIT)
    front.names.addresses["gateway"] = list(ADDRESSES)
    await until(both_answer, "the second gateway asked too", limit=LIMIT)


async def test_without_any_gateway_a_client_gets_retry_after(front: Front, client: httpx.AsyncClient) -> None:
    front.names.addresses.clear()
    assert_busy(await client.get("/api"))


async def test_a_gateway_that_takes_no_connection_is_given_up_soon(front: Front, client: httpx.AsyncClient) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.4", front.gateway_port))
        full.listen(0)
        front.names.addresses["gateway"] = ["127.0.0.4"]
        waiting = [socket.socket() for _ in range(2)]
        for filler in waiting:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        started = time.monotonic()
        assert_busy(await client.get("/api"))
        assert time.monotonic() - started < 5
        for filler in waiting:
            filler.close()


async def test_a_gateways_own_error_passes_as_it_is(front: Front, client: httpx.AsyncClient) -> None:
    response = await client.get("/refuse")
    assert (response.status_code, response.text) == (502, "the gateway's own words")
    assert response.headers["x-accel-buffering"] == "no"  # for another proxy in front


async def test_a_body_just_above_the_limit_is_the_gateways_to_refuse(front: Front, client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/responses", content=b"x" * (MAX_BODY + 1))).status_code == 200
    assert [size for gateway in front.gateways for size in gateway.bodies] == [MAX_BODY + 1]


@pytest.mark.parametrize(("language", "english"), [("", False), ("zh-CN,en;q=0.5", False), ("en-GB,en;q=0.9", True)])
@pytest.mark.parametrize("path", ["/api", "/th/id/x"])
async def test_a_body_far_above_the_limit_is_refused_in_the_gateways_words(
    front: Front, client: httpx.AsyncClient, path: str, language: str, english: bool
) -> None:
    response = await client.post(path, content=b"x" * (MAX_BODY * 2), headers={"Accept-Language": language})
    assert response.status_code == 413
    assert response.content == encode_error(problem_for(Reason.REQUEST_TOO_LARGE, english))
    assert_like_a_gateways(response)
    assert front.paths == []


@pytest.mark.parametrize("path", ["/v1/responses", "//v1/responses/", "/v1/v1/responses", "/responses"])
async def test_under_v1_refusals_have_the_shape_of_the_openai_api(
    front: Front, client: httpx.AsyncClient, path: str
) -> None:
    too_large = await client.post(front.url + path, content=b"x" * (MAX_BODY * 2))
    assert (too_large.status_code, too_large.json()) == (
        413,
        msgspec.to_builtins(openai_errors.fault_of_spec(ERRORS[Reason.REQUEST_TOO_LARGE]).body),
    )
    front.names.addresses.clear()
    busy = await client.get(front.url + path.replace("responses", "models"))
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "2")
    assert busy.json()["error"] | {"code": None} == {
        "message": ERRORS[Reason.QUEUE_FULL].openai.message,
        "type": "service_unavailable",
        "param": None,
        "code": None,
    }
    for response in (too_large, busy):
        assert response.headers["x-should-retry"] == "false"
        assert_like_a_gateways(response)


async def test_a_long_question_fits_into_the_address(front: Front, client: httpx.AsyncClient) -> None:
    assert (await client.get("/api", params={"question": "问" * 5000})).status_code == 200


@pytest.mark.parametrize(
    ("path", "openai"),
    [("/api", False), ("/v1/models", True), ("//v1/models", True), ("/v1/v1/models", True), ("/models", True)],
)
async def test_an_address_without_end_is_refused_in_the_shape_of_its_api(front: Front, path: str, openai: bool) -> None:
    received = await send_raw(front, f"GET {path}?question={'x' * 100_000} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 414 ")
    fault = openai_errors.fault_of_spec(ERRORS[Reason.REQUEST_ADDRESS])
    expected = msgspec.to_builtins(fault.body) if openai else {"code": 414, "message": "请求地址过长"}
    assert json.loads(received.partition(b"\r\n\r\n")[2]) == expected
    assert (b"X-Should-Retry: false" in received) == openai


@pytest.mark.parametrize("path", ["/v1/messages", "//v1/v1/messages", "/messages/count_tokens"])
async def test_an_address_of_the_anthropic_api_is_refused_in_its_shape(front: Front, path: str) -> None:
    received = await send_raw(front, f"POST {path}?question={'x' * 100_000} HTTP/1.1\r\nHost: x\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 414 ")
    fault = openai_errors.fault_of_spec(ERRORS[Reason.REQUEST_ADDRESS])
    error = json.loads(received.partition(b"\r\n\r\n")[2])
    assert error == msgspec.to_builtins(anthropic_errors.error_of(fault, error["request_id"]))
    assert b"X-Should-Retry: false" in received


async def test_as_many_headers_as_gateways_take_fit_behind_a_long_address(front: Front) -> None:
    """All in one, or in a hundred: where they begin in the buffer of the address, one has to move to the next."""
    for count in (1, 2, 97):
        headers = f"X-Some: {'y' * (64_000 // count)}\r\n" * count
        received = await send_raw(front, f"GET /api?question={'x' * 40_000} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
        assert received.startswith(b"HTTP/1.1 200 "), count


@pytest.mark.parametrize("headers", [f"X-Long: {'x' * 100_000}\r\n", f"X-Long: {'x' * 60_000}\r\n" * 3])
async def test_headers_without_end_are_refused_before_they_are_kept(front: Front, headers: str) -> None:
    received = await send_raw(front, f"GET /api HTTP/1.1\r\n{headers}Host: x\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 431 ")
    assert received.endswith(encode_error(problem_for(Reason.REQUEST_HEADERS)))
    assert front.paths == []


DIALECTS = [("/api", "drop-in"), ("/v1/responses", "openai"), ("/v1/messages", "anthropic")]


def body_of(reason: Reason, dialect: str, status: int, request: str = "") -> object:
    """What a gateway sends for a reason."""
    fault = openai_errors.fault_of_spec(ERRORS[reason])
    if dialect == "drop-in":
        return {"code": status, "message": ERRORS[reason].zh}
    return msgspec.to_builtins(anthropic_errors.error_of(fault, request) if dialect == "anthropic" else fault.body)


@pytest.mark.parametrize(("path", "dialect"), DIALECTS)
@pytest.mark.parametrize(
    ("line", "headers", "status", "reason"),
    [
        ("GET {} HTTP/1.1", "Host: a b", 400, Reason.REQUEST_FORMAT),
        ("GET {} HTTP/1.1", "X-None: x", 400, Reason.REQUEST_FORMAT),
        ("GET {} HTTP/1.1", "Host: x\r\nContent-Length: x", 400, Reason.REQUEST_FORMAT),
        ("POST {} HTTP/1.1", "Host: x\r\nTransfer-Encoding: gzip", 501, Reason.REQUEST_FORMAT),
        ("GET {} HTTP/3.0", "Host: x", 505, Reason.REQUEST_FORMAT),
        ("TRACE {} HTTP/1.1", "Host: x", 405, Reason.REQUEST_METHOD),
    ],
)
async def test_what_nginx_can_not_read_is_refused_in_the_shape_of_its_api(
    front: Front, path: str, dialect: str, line: str, headers: str, status: int, reason: Reason
) -> None:
    received = await send_raw(front, f"{line.format(path)}\r\n{headers}\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 %d " % status)
    body = json.loads(received.partition(b"\r\n\r\n")[2])
    assert body == body_of(reason, dialect, status, body.get("request_id", ""))
    assert (b"X-Should-Retry: false" in received) == (dialect != "drop-in")
    assert front.paths == []


@pytest.mark.parametrize("path", ["//api", "/api/", "//v1//chat/completions/", "/v1/v1/models", "/chat/completions"])
async def test_an_address_reaches_the_gateway_as_it_is(front: Front, path: str) -> None:
    assert (await send_raw(front, f"POST {path} HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert front.paths == [path]


def test_the_addresses_of_the_openai_api_are_those_of_gateways() -> None:
    configuration = (ROOT / "deploy" / "nginx.conf").read_text()
    assert f"(?:{'|'.join(('v1', *OPENAI_NAMES))})(?:[/? ]|$)" in configuration


async def send_raw(front: Front, request: str) -> bytes:
    """Return the beginning of what nginx answers."""
    async with await anyio.connect_tcp("127.0.0.1", front.port) as stream:
        await stream.send(request.encode())
        with anyio.fail_after(LIMIT):
            return await stream.receive()


async def test_a_client_can_not_choose_its_address(front: Front, client: httpx.AsyncClient) -> None:
    await client.get("/api", headers={"X-Forwarded-For": "10.9.8.7", "Forwarded": "for=10.9.8.7"})
    (request,) = (request for gateway in front.gateways for request in gateway.seen)
    assert request.headers.getall("X-Forwarded-For") == ["127.0.0.1"]
    assert "Forwarded" not in request.headers


async def test_a_client_that_never_ends_its_request_is_cut_off(front: Front) -> None:
    async with await anyio.connect_tcp("127.0.0.1", front.port) as stream:
        await stream.send(b"GET /api HTTP/1.1\r\nHost: x\r\n")
        received = []
        # Cut off with a reset: nginx keeps nothing of a connection that timed out.
        with anyio.fail_after(LIMIT), contextlib.suppress(anyio.BrokenResourceError):
            received = [data async for data in stream]
    assert (received, front.paths) == ([], [])


async def test_pictures_are_the_emulators_if_there_is_one(front: Front, client: httpx.AsyncClient) -> None:
    front.names.addresses["gateway"] = [ADDRESSES[0]]
    assert (await client.get("/th/id/x")).text == ADDRESSES[0]
    front.names.addresses["emulator"] = [ADDRESSES[1]]
    assert (await client.get("/th/id/x")).text == ADDRESSES[1]


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics?a=1",
        "/metrics/",
        "/metrics%0a",
        "/%6detrics",
        "//metrics",
        "/%2fmetrics/",
        "/%2f%2fmetrics",
        "/metrics//",
        "/x/../metrics",
        "/x/..%2fmetrics",
    ],
)
async def test_metrics_are_a_path_that_does_not_exist(front: Front, path: str) -> None:
    async with await anyio.connect_tcp("127.0.0.1", front.port) as stream:
        await stream.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        with anyio.fail_after(LIMIT):
            assert b"".join([received async for received in stream]).startswith(b"HTTP/1.1 200 ")
    assert front.paths == ["/-/metrics"]  # of which a gateway says what it says of any unknown path


async def test_the_page_of_a_refusal_is_not_to_be_asked_for(front: Front, client: httpx.AsyncClient) -> None:
    assert (await client.get("/-/refused")).text in ADDRESSES


async def test_no_log_holds_what_was_asked(front: Front, client: httpx.AsyncClient) -> None:
    query, headers = {"question": SECRET, "api_key": SECRET}, {"Referer": f"http://x/?q={SECRET}", "X-API-Key": SECRET}
    await client.get("/api", params=query, headers=headers)
    await client.get("/die", params=query, headers=headers)
    await client.get(f"/answers/{SECRET}/stream", params=query, headers=headers)
    await client.get(f"/pictures/{SECRET}", params=query, headers=headers)
    await client.post(f"/v1/responses/{SECRET}/cancel", params=query, headers=headers)
    await client.post(f"{front.url}//v1//responses//{SECRET}/cancel", params=query, headers=headers)
    await client.post(f"/responses/{SECRET}/cancel", params=query, headers=headers)
    await client.post(f"/v1/v1/responses/{SECRET}/cancel", params=query, headers=headers)
    await client.get(f"{front.url}//answers//{SECRET}/stream", params=query, headers=headers)
    await client.post("/image", params=query, headers=headers, content=b"x" * (MAX_BODY * 2))
    front.names.addresses.clear()
    for service in front.services:
        await service.aclose()
    await client.get("/gone", params=query, headers=headers)

    async def all_logged() -> bool:
        return front.requests.count("\n") == 11

    await until(all_logged, "eleven lines in the log", limit=LIMIT)
    # By path: the line of a refused body is written when its connection has closed at last.
    statuses = {line["path"]: line["status"] for line in map(json.loads, front.requests.splitlines())}
    assert statuses.pop("/v1/responses/-/cancel") == statuses.pop("/pictures/-") == 200
    assert statuses == {"/api": 200, "/die": 503, "/answers/-/stream": 200, "/image": 413, "/gone": 503}
    assert SECRET not in front.requests + front.errors


async def test_health_checks_are_not_logged(front: Front, client: httpx.AsyncClient) -> None:
    await client.get("/healthz")
    await client.get("/api")

    async def logged() -> bool:
        return "/api" in front.requests

    await until(logged, "the other request in the log", limit=LIMIT)
    assert "/healthz" not in front.requests
