"""The shipped nginx configuration that ends TLS, in a real nginx with a certificate of the test's own."""

import asyncio
import json
import re
import shlex
import ssl
import subprocess
import textwrap
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import httpx
import msgspec
import pytest

from gateway.errors import ERRORS, problem_for
from gateway.http.responses import encode_error
from gateway.openai import errors as openai_errors
from tests.deploy.conftest import ADDRESSES, START_LIMIT, accepts, nginx, nginx_command, rendered
from tests.deploy.test_nginx import DIALECTS, body_of
from tests.support.conditions import until
from tests.support.deploy.tls_proxy import configuration, make_certificate
from tests.support.deploy.upstreams import STREAM, Gateway, Names, name_server, receive_by_halves, serving
from tests.support.processes import ROOT, free_port
from wire.reasons import Reason

pytestmark = pytest.mark.anyio
HSTS = "max-age=31536000"
SECRET = "what-nobody-may-read"


@dataclass(frozen=True)
class Front:
    """nginx with TLS in front of `gateways`, and without at `plain`."""

    url: str
    plain: str
    folder: Path
    gateways: list[Gateway]

    @property
    def trust(self) -> ssl.SSLContext:
        """What trusts the certificate."""
        return ssl.create_default_context(cafile=self.folder / "fullchain.pem")


@pytest.fixture
async def front(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Front]:
    """The parameter is a line of the configuration, and what it is instead."""
    shipped, instead = getattr(request, "param", ("", ""))
    port, plain_port, gateway_port = free_port(), free_port(), free_port()
    make_certificate(tmp_path)
    upstreams = [f"{address}:{gateway_port}" for address in ADDRESSES]
    async with AsyncExitStack() as stack:
        text = configuration(tmp_path, port, plain_port, *upstreams)
        assert shipped in text
        stack.enter_context(nginx(tmp_path, text.replace(shipped, instead) if shipped else text))
        gateways = [Gateway(address) for address in ADDRESSES]
        for gateway in gateways:
            await stack.enter_async_context(serving(gateway, gateway_port))
        await until(lambda: accepts(port), f"nginx accepts connections, see {tmp_path}/error.log", limit=START_LIMIT)
        yield Front(f"https://127.0.0.1:{port}", f"http://127.0.0.1:{plain_port}", tmp_path, gateways)


@pytest.fixture
async def client(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=front.url, timeout=10, verify=front.trust, trust_env=False) as client:
        yield client


def only_request(front: Front) -> aiohttp.web.Request:
    (request,) = (request for gateway in front.gateways for request in gateway.seen)
    return request


async def test_gateways_see_the_scheme_and_the_address_of_the_client(front: Front, client: httpx.AsyncClient) -> None:
    made_up = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "http", "X-Attempt-ID": "chosen-by-a-client"}
    await client.get("/api", headers=made_up)
    headers = only_request(front).headers
    assert headers.getall("X-Forwarded-For") == ["127.0.0.1"]
    assert headers.getall("X-Forwarded-Proto") == ["https"]
    assert headers["Host"] == httpx.URL(front.url).netloc.decode()
    assert headers["X-Attempt-ID"] != "chosen-by-a-client"


async def test_what_comes_without_tls_is_sent_to_the_same_address_with_it(front: Front) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        response = await client.post(f"{front.plain}/api?question=x", headers={"Host": "chat.example.org"})
    assert (response.status_code, response.headers["location"]) == (308, "https://chat.example.org/api?question=x")
    assert front.gateways[0].seen == front.gateways[1].seen == []


def test_the_guides_command_gives_nginx_connections(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "guides" / "tls.md").read_text()
    (command,) = re.findall(r"sudo (sed -i .*) /etc/nginx/nginx\.conf", guide)
    # As packages have it, but for the places.
    shipped = (
        f"user root;\npid {tmp_path}/pid;\nevents {{\n\tworker_connections 768;\n\t# multi_accept on;\n}}\nhttp {{}}\n"
    )
    arguments = nginx_command(tmp_path, shipped)
    subprocess.run([*shlex.split(command), tmp_path / "nginx.conf"], check=True)
    changed = (tmp_path / "nginx.conf").read_text()
    assert "\tworker_connections 16384;\n" in changed
    assert subprocess.run([*arguments[:7], "-t"], capture_output=True, check=False).returncode == 0


async def test_the_proof_for_a_certificate_is_served_without_tls(front: Front) -> None:
    proof = front.folder / "certbot" / ".well-known" / "acme-challenge" / "proof"
    proof.parent.mkdir(parents=True)
    proof.write_text("proven")
    for folder in (proof, *proof.parents[:3]):
        folder.chmod(0o755)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{front.plain}/.well-known/acme-challenge/proof")).text == "proven"


@pytest.mark.parametrize("framing", ["chunked", "counted"])
async def test_text_goes_out_as_it_comes_in(front: Front, client: httpx.AsyncClient, framing: str) -> None:
    assert await receive_by_halves(client, front.gateways, framing) == STREAM


async def test_a_websocket_goes_through_with_its_subprotocol(front: Front) -> None:
    async with aiohttp.ClientSession() as session:
        address = front.url.replace("https", "wss") + "/ws?token=abc"
        async with session.ws_connect(address, protocols=["bing-chat.v2"], ssl=front.trust) as ws:
            assert ws.protocol == "bing-chat.v2"
            await ws.send_str("one")
            assert (await ws.receive(timeout=60)).data == "token=abc one"


async def test_a_request_that_a_gateway_gives_up_is_sent_to_another_as_the_same_attempt(
    front: Front, client: httpx.AsyncClient
) -> None:
    front.gateways[0].draining = True
    for _ in range(4):
        assert (await client.post("/api")).text == ADDRESSES[1]
    front.gateways[0].draining = False
    for gateway in front.gateways:
        gateway.seen.clear()
    await client.post("/die")
    attempts = [request.headers["X-Attempt-ID"] for gateway in front.gateways for request in gateway.seen]
    assert (len(attempts), len(set(attempts))) == (2, 1)


async def test_what_nginx_itself_reports_has_the_shape_of_the_api(front: Front, client: httpx.AsyncClient) -> None:
    busy = await client.get("/die")
    assert (busy.status_code, busy.content) == (503, encode_error(problem_for(Reason.QUEUE_FULL)))
    assert busy.headers["retry-after"] == "2"
    large = await client.post("/api", content=b"x" * (16 * 1024 * 1024))
    assert (large.status_code, large.content) == (413, encode_error(problem_for(Reason.REQUEST_TOO_LARGE)))
    openai = await client.post("/v1/responses", content=b"x" * (16 * 1024 * 1024))
    assert (openai.status_code, openai.json()["error"]["code"]) == (413, "request_too_large")
    for response in (busy, large, openai):
        assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("path", "dialect"), DIALECTS)
@pytest.mark.parametrize(
    ("line", "headers", "status", "reason"),
    [
        ("GET {} HTTP/1.1", "Host: a b", 400, Reason.REQUEST_FORMAT),
        ("POST {} HTTP/1.1", "Host: x\r\nTransfer-Encoding: gzip", 501, Reason.REQUEST_FORMAT),
        ("GET {} HTTP/3.0", "Host: x", 505, Reason.REQUEST_FORMAT),
        ("TRACE {} HTTP/1.1", "Host: x", 405, Reason.REQUEST_METHOD),
        (f"GET {{}}?{'x' * 100_000} HTTP/1.1", "Host: x", 414, Reason.REQUEST_ADDRESS),
        ("GET {} HTTP/1.1", f"X-Long: {'x' * 100_000}", 431, Reason.REQUEST_HEADERS),
    ],
)
async def test_what_nginx_can_not_read_is_refused_in_the_shape_of_its_api(
    front: Front, path: str, dialect: str, line: str, headers: str, status: int, reason: Reason
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(front.url).port, ssl=front.trust)
    writer.write(f"{line.format(path)}\r\n{headers}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    (length,) = re.findall(rb"Content-Length: (\d+)", head)
    body = json.loads(await reader.readexactly(int(length)))
    assert body == body_of(reason, dialect, status, body.get("request_id", ""))
    assert (b"X-Should-Retry: false" in head) == (dialect != "drop-in")
    assert f"Strict-Transport-Security: {HSTS}".encode() in head
    writer.close()


async def test_what_comes_without_tls_to_the_port_for_it_is_refused_as_json(front: Front) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        refused = await client.get(front.url.replace("https", "http") + "/api")
    assert (refused.status_code, refused.json()) == (400, {"code": 400, "message": "格式错误"})


def test_both_configurations_refuse_in_the_same_words() -> None:
    inside, outside = ((ROOT / "deploy" / name).read_text() for name in ("nginx.conf", "tls/nginx.conf"))
    words = inside[inside.index("    # nginx refuses by itself") : inside.index("    # A client, as gateways")]
    assert re.sub(r"\$(refusal|dialect|busy|should_retry)", r"$bing_chat_\1", textwrap.dedent(words)) in outside


@pytest.mark.parametrize("path", ["/api", "/refuse", "/die"])
async def test_each_response_asks_browsers_to_use_tls(front: Front, client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).headers["strict-transport-security"] == HSTS


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics"])
async def test_metrics_stay_inside(front: Front, client: httpx.AsyncClient, path: str) -> None:
    await client.get(front.url + path)
    assert only_request(front).path == "/-/metrics"


@pytest.mark.parametrize(
    "front", [("limit_conn bing_chat_clients 256;", "limit_conn bing_chat_clients 2;")], indirect=True
)
async def test_one_client_has_so_many_requests_and_sockets_at_a_time(front: Front) -> None:
    """Else its open sockets take all connections that nginx has."""
    address = front.url.replace("https", "wss") + "/ws"
    async with aiohttp.ClientSession() as session, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(session.ws_connect(address, ssl=front.trust))
        for path, body in (
            ("/api", encode_error(problem_for(Reason.REQUEST_RATE))),
            ("/v1/responses", openai_errors.fault_of_spec(ERRORS[Reason.REQUEST_RATE]).body),
        ):
            async with session.get(front.url + path, ssl=front.trust) as refused:
                assert refused.status == 429
                assert refused.headers["retry-after"] == "1"
                expected = body if isinstance(body, bytes) else msgspec.json.encode(body)
                assert json.loads(await refused.read()) == json.loads(expected)
        transport = httpx.AsyncHTTPTransport(verify=front.trust, local_address="127.0.0.9")
        async with httpx.AsyncClient(transport=transport, trust_env=False) as other:
            assert (await other.get(f"{front.url}/api")).status_code == 200


@pytest.mark.parametrize(
    ("path", "size", "waits"),
    [("/api", 299_999, True), ("/api", 300_000, False), ("/console/x", 9, False), ("/metrics", 9, False)],
)
async def test_nginx_keeps_small_bodies_only(front: Front, path: str, size: int, *, waits: bool) -> None:
    """Slow uploads would fill its disk; a small body can be sent to another gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(front.url).port, ssl=front.trust)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * (size - 1))
    await writer.drain()
    if not waits:
        await until(lambda: [gateway for gateway in front.gateways if gateway.seen], "a gateway has it")
    else:
        async with httpx.AsyncClient(verify=front.trust, trust_env=False) as client:
            await client.get(f"{front.url}/th")
        assert [request.path for gateway in front.gateways for request in gateway.seen] == ["/th"]
    writer.write(b"x")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_old_versions_of_tls_are_refused(front: Front) -> None:
    old = front.trust
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with httpx.AsyncClient(verify=old, trust_env=False) as client:
        with pytest.raises(httpx.ConnectError, match=r"(?i)protocol"):
            await client.get(front.url)


async def test_no_log_holds_what_was_asked(front: Front, client: httpx.AsyncClient) -> None:
    for path in ("/api", "/die", f"/answers/{SECRET}/stream", f"/v1/responses/{SECRET}/cancel"):
        await client.get(path, params={"question": SECRET, "api_key": SECRET})
    log = front.folder / "bing-chat.log"

    async def all_logged() -> bool:
        return log.exists() and log.read_text().count("\n") == 4

    await until(all_logged, "four lines in the log", limit=60)
    assert SECRET not in "".join(file.read_text() for file in front.folder.glob("*.log"))


async def test_behind_it_composes_nginx_reports_who_asks(tmp_path: Path) -> None:
    """Two users of one proxy are two clients, and neither may choose an address."""
    port, plain_port, inner_port, gateway_port = (free_port() for _ in range(4))
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    for folder in (outer, inner):
        folder.mkdir()
    make_certificate(outer)
    gateway = Gateway(ADDRESSES[0])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(gateway, gateway_port))
        name_port = await stack.enter_async_context(name_server(Names({"gateway": [ADDRESSES[0]]})))
        stack.enter_context(nginx(inner, rendered(inner, inner_port, name_port, gateway_port), "127.0.0.1"))
        upstream = f"127.0.0.1:{inner_port}"
        stack.enter_context(nginx(outer, configuration(outer, port, plain_port, upstream)))
        for waiting in (inner_port, port):
            await until(partial(accepts, waiting), "nginx accepts connections", limit=START_LIMIT)
        front = Front(f"https://127.0.0.1:{port}", "", outer, [gateway])
        for address in ("127.0.0.9", "127.0.0.10"):
            transport = httpx.AsyncHTTPTransport(verify=front.trust, local_address=address)
            async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
                await client.get(f"{front.url}/api", headers={"X-Forwarded-For": "10.9.8.7"})
    assert [request.headers.getall("X-Forwarded-For") for request in gateway.seen] == [["127.0.0.9"], ["127.0.0.10"]]
    assert {request.headers["X-Forwarded-Proto"] for request in gateway.seen} == {"https"}
