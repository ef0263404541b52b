"""/api and /image over real connections: exact bytes, codes and headers."""

import asyncio
import json
import uuid

import httpx
import pytest

from gateway.answering.timings import Timings
from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, body_of, closing_gate, running, settings
from wire.jobs import Jobs
from wire.messages import Chat, Delta, Failed, Final, Image
from wire.pictures import PictureStore, new_picture_id, picture_path
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hi"}


def code(response: httpx.Response) -> tuple[int, int, str]:
    """Status, code and message of an error; it holds nothing else."""
    body = response.json()
    assert list(body) == ["code", "message"]
    return response.status_code, body["code"], body["message"]


async def test_an_answer_has_exactly_these_bytes(gateway: RunningGateway) -> None:
    response = await gateway.get("/api?style=balanced&question=hi")
    token = json.loads(body_of(response))["data"]["token"]
    assert body_of(response).decode() == (
        '{"code": 200, "message": "success", "data": {"answer": "你好,wor\\"ld", '
        '"urls": [{"title": "标题", "url": "https://example.org/?a=1&b=2"}], "reset": false, '
        f'"token": "{token}"}}}}'
    )
    assert uuid.UUID(token).version == 4
    assert b"\r\ncontent-type: application/json\r\n" in response
    assert b"\r\ncache-control: no-store\r\n" in response


async def test_a_token_continues_its_conversation(gateway: RunningGateway) -> None:
    first = (await gateway.client.get("/api", params=ASK)).json()["data"]["token"]
    second = (await gateway.client.post("/api", json=ASK | {"style": "precise", "token": first})).json()["data"][
        "token"
    ]
    assert second == first
    assert [token for token, _ in gateway.worker.asked] == [first, first]


async def test_each_question_without_a_token_begins_a_conversation(gateway: RunningGateway) -> None:
    await gateway.client.get("/api", params=ASK)
    await gateway.client.get("/api", params=ASK | {"token": ""})
    assert len({token for token, _ in gateway.worker.asked}) == 2


@pytest.mark.parametrize("token", ["5d5d9d7c-1111-4222-8333-444455556666", "{s0}", "x" * 1000])
async def test_a_token_that_is_not_alive_is_refused(gateway: RunningGateway, token: str) -> None:
    response = await gateway.client.get("/api", params=ASK | {"token": token})
    assert code(response) == (200, 120, "token不存在")
    assert "x-answer-id" not in response.headers


async def test_pictures_are_a_list(gateway: RunningGateway) -> None:
    gateway.worker.scripts["cat"] = [Final("", images=("https://i/1", "https://i/2"))]
    response = await gateway.client.get("/image", params={"keyword": "cat"})
    assert response.text == '{"code": 200, "message": "success", "data": ["https://i/1", "https://i/2"]}'
    posted = await gateway.client.post("/image", json={"keyword": "cat"})
    assert posted.json() == response.json()
    assert [work for _, work in gateway.worker.asked] == [
        Image("cat", request=reply.headers["x-request-id"]) for reply in (response, posted)
    ]


async def test_a_picture_that_is_kept_here_has_an_absolute_address(gateway: RunningGateway) -> None:
    id_ = new_picture_id()
    await PictureStore(gateway.store).write(id_, b"GIF89a", 60)
    gateway.worker.scripts["cat"] = [Final("", images=(picture_path(id_), "https://i/2"))]
    response = await gateway.client.get("/image", params={"keyword": "cat"})
    ours, elsewhere = response.json()["data"]
    assert (ours, elsewhere) == (f"{gateway.address}/pictures/{id_}", "https://i/2")
    assert (await gateway.client.get(ours)).content == b"GIF89a"
    progress = await gateway.client.get(f"/answers/{response.headers['x-answer-id']}")
    assert progress.json()["data"]["images"] == [ours, elsewhere]


@pytest.mark.parametrize(
    ("trusted", "headers", "origin"),
    [
        ("127.0.0.1", {"Host": "chat.example.org", "X-Forwarded-Proto": "https"}, "https://chat.example.org"),
        (None, {"Host": "chat.example.org", "X-Forwarded-Proto": "https"}, "http://chat.example.org"),
        ("127.0.0.1", {"Host": "chat.example.org:8080"}, "http://chat.example.org:8080"),
        ("127.0.0.1", {"Host": "a/b"}, ""),
    ],
)
async def test_the_address_begins_as_the_client_knows_the_service(
    store: Store, trusted: str | None, headers: dict[str, str], origin: str
) -> None:
    path = picture_path(new_picture_id())
    async with running(store, settings(trusted_proxies=trusted, allowed_hosts="chat.example.org")) as gateway:
        gateway.worker.scripts["cat"] = [Final("", images=(path,))]
        response = await gateway.client.get("/image", params={"keyword": "cat"}, headers=headers)
        assert response.json()["data"] == [origin + path]


async def test_a_picture_that_fails_is_reported(gateway: RunningGateway) -> None:
    gateway.worker.scripts["cat"] = [Failed("image.blocked")]
    assert code(await gateway.client.get("/image", params={"keyword": "cat"})) == (500, 500, "图片描述被屏蔽")


async def test_failures_before_the_first_byte_have_their_status(gateway: RunningGateway) -> None:
    gateway.worker.scripts["fail"] = [Delta("lost"), Failed("internal")]
    response = await gateway.client.get("/api", params=ASK | {"question": "fail"})
    assert code(response) == (500, 500, "未知错误")
    assert response.headers["x-answer-id"]


async def test_an_empty_pool_is_reported_in_a_200_that_says_when_to_come_back(gateway: RunningGateway) -> None:
    gateway.worker.scripts["much"] = [Failed("account.throttled", retry_after=7200)]
    response = await gateway.client.get("/api", params=ASK | {"question": "much"})
    assert code(response) == (200, 120, "已上限,24小时后尝试")
    assert response.headers["retry-after"] == "7200"


async def test_a_stopped_answer_is_a_success_that_resets(gateway: RunningGateway) -> None:
    gateway.worker.scripts["stop"] = [Delta("so"), Final("so", reset=True, stopped=True)]
    body = (await gateway.client.get("/api", params=ASK | {"question": "stop"})).json()
    assert (body["code"], body["data"]["answer"], body["data"]["reset"]) == (200, "so", True)


@pytest.mark.parametrize("path", ["/api", "/api_stream", "/image"])
async def test_head_and_options_ask_nothing(gateway: RunningGateway, path: str) -> None:
    target = f"{path}?style=balanced&question=hi&keyword=cat"
    head, options = await gateway.client.head(target), await gateway.client.options(target)
    assert (head.status_code, head.content) == (200, b"")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    expected = "text/event-stream; charset=utf-8" if path == "/api_stream" else "application/json"
    assert head.headers["content-type"] == expected
    # Whatever those had asked would be ahead of this question.
    await gateway.client.get("/api", params=ASK | {"question": "after"})
    assert [work.question for _, work in gateway.worker.asked if isinstance(work, Chat)] == ["after"]


@pytest.mark.parametrize("path", ["/api", "/api_stream", "/image"])
async def test_a_pictures_address_that_points_here_asks_nothing(gateway: RunningGateway, path: str) -> None:
    query = {"style": "balanced", "question": "spent", "keyword": "spent"}
    shown = await gateway.client.get(path, params=query, headers={"sec-fetch-dest": "image"})
    assert shown.status_code == 404
    assert gateway.worker.asked == []
    for asked in ({"sec-fetch-dest": "empty"}, {"sec-fetch-dest": "document"}, {"accept": "image/*"}):
        assert (await gateway.client.get(path, params=query, headers=asked)).status_code == 200
    assert len(gateway.worker.asked) == 3


async def test_a_wrong_method_is_reported(gateway: RunningGateway) -> None:
    response = await gateway.client.delete("/api")
    assert code(response) == (405, 405, "请求方法错误")
    assert sorted(response.headers["allow"].split(", ")) == ["GET", "HEAD", "OPTIONS", "POST"]


@pytest.mark.parametrize("kind", ["announced", "chunked", "multipart"])
async def test_a_body_above_the_limit_is_reported(store: Store, kind: str) -> None:
    async def chunks() -> "object":
        for _ in range(20):
            yield b"x" * 100

    async with running(store, settings(max_message=1000)) as gateway:
        match kind:
            case "announced":
                response = await gateway.client.post("/api", content=b"x" * 1001)
            case "chunked":
                response = await gateway.client.post("/api", content=chunks())  # type: ignore[arg-type]
            case _:
                response = await gateway.client.post("/api", files={"question": (None, "x" * 1000)})
        assert code(response) == (413, 413, "请求内容过大")
        fits = json.dumps(ASK | {"question": "x" * 940})
        assert (await gateway.client.post("/api", content=fits)).json()["code"] == 200


@pytest.mark.parametrize("path", ["/api", "/api_stream", "/image"])
async def test_a_question_above_the_limit_is_refused_and_not_asked(store: Store, path: str) -> None:
    name = "keyword" if path == "/image" else "question"
    async with running(store, settings(question_limit=4)) as gateway:
        for fields in (ASK | {name: "a猫b"}, ASK | {name: "abcde"}):
            refused = await gateway.client.post(path, json=fields, headers={"accept-language": "en"})
            assert code(refused) == (200, 110, "The question is too long, at most 4 bytes are taken")
        assert (await gateway.client.post(path, json=ASK | {name: "a猫"})).status_code == 200
        assert len(gateway.worker.asked) == 1
        metrics = (await gateway.client.get("/metrics")).text
        assert 'bing_refusals_total{reason="request.toolong"} 2.0' in metrics


async def test_a_question_of_32_kib_is_taken_by_default_and_no_longer_one(gateway: RunningGateway) -> None:
    assert (await gateway.client.post("/api", json=ASK | {"question": "x" * 32768})).json()["code"] == 200
    assert code(await gateway.client.post("/api", json=ASK | {"question": "x" * 32769}))[:2] == (200, 110)


async def test_a_body_that_never_comes_is_given_up(store: Store) -> None:
    async with running(store, worker=False, timings=Timings(body_limit=0.05)) as gateway:
        response = await gateway.raw(b"POST /api HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\n{")
    assert response.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body_of(response)) == {"code": 408, "message": "请求超时"}


async def test_a_client_that_leaves_within_its_body_is_no_error(gateway: RunningGateway) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"POST /api HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await gateway.client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("cors_origins", ["*"])
@pytest.mark.parametrize("target", ["/api?style=balanced&question=hi", "/api", "/nothing", "/openapi.json", "/"])
async def test_pages_of_any_origin_may_read_everything(gateway: RunningGateway, target: str) -> None:
    headers = (await gateway.client.get(target, headers={"origin": "https://page.example"})).headers
    assert headers["access-control-allow-origin"] == "*"
    assert (
        headers["access-control-expose-headers"]
        == "X-Answer-ID, X-Provider, X-Ignored-Parameters, X-Request-ID, X-Should-Retry, Retry-After, "
        "Request-ID"
    )
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("cors_origins", ["*"])
async def test_a_preflight_is_answered(gateway: RunningGateway) -> None:
    wanted = {"origin": "https://page.example", "access-control-request-method": "POST"}
    response = await gateway.client.options("/api", headers=wanted)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "POST" in response.headers["access-control-allow-methods"]
    for name in ["Authorization", "X-API-Key", "Idempotency-Key", "Last-Event-ID", "Content-Type", "X-Conversation-ID"]:
        assert name in response.headers["access-control-allow-headers"]


async def test_a_request_keeps_a_sound_id_of_its_own(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/api", params=ASK, headers={"x-request-id": "my-1.a:b_c"})
    assert response.headers["x-request-id"] == "my-1.a:b_c"
    assert gateway.worker.asked[0][1].request == "my-1.a:b_c"


@pytest.mark.parametrize("sent", ["", "with space", "x" * 65])
async def test_another_id_is_replaced(gateway: RunningGateway, sent: str) -> None:
    first = await gateway.client.get("/nothing", headers={"x-request-id": sent})
    second = await gateway.client.get("/nothing")
    assert first.headers["x-request-id"] not in (sent, second.headers["x-request-id"])


async def test_a_full_queue_says_when_to_come_back(store: Store) -> None:
    async with running(store, settings(queue_limit=1), worker=False) as gateway:
        await Jobs(store, GatewaySettings()).submit("s0-first", Chat("balanced", "first"), "token", create=True)
        for path in ["/api", "/api_stream"]:
            refused = await gateway.client.get(path, params=ASK)
            assert code(refused) == (503, 503, "服务繁忙,请稍后再试")
            assert int(refused.headers["retry-after"]) > 0
            assert "x-answer-id" not in refused.headers


async def test_a_waiting_client_gets_an_error_when_its_gateway_is_cut(store: Store) -> None:
    async with running(store, worker=False) as gateway:
        waiting = asyncio.create_task(gateway.client.get("/api", params=ASK))
        await until(lambda: bool(gateway.active_requests._running))
        gateway.active_requests.abort()
        assert code(await waiting) == (503, 503, "服务繁忙,请稍后再试")


async def test_a_question_that_nobody_takes_ends_unspent(store: Store) -> None:
    async with running(store, settings(queue_timeout=0.1), worker=False) as gateway:
        response = await gateway.client.get("/api", params=ASK)
        assert code(response) == (503, 503, "服务繁忙,请稍后再试")
        assert int(response.headers["retry-after"]) > 0


async def test_an_answer_that_never_ends_meets_the_deadline(store: Store) -> None:
    config = settings(queue_timeout=0.3, answer_timeout=0.1)
    async with running(store, config, timings=Timings(answer_margin=0.1)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["hang"] = [Delta("a"), gate, Final("a")]
            response = await gateway.client.get("/api", params=ASK | {"question": "hang"})
            assert code(response) == (500, 500, "回答超时,请重新提问")


@pytest.mark.parametrize("cors_origins", ["*"])
async def test_an_unforeseen_error_is_a_500_without_details(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Jobs, "submit", broken)
    for path in ["/api", "/api_stream"]:
        response = await gateway.client.get(path, params=ASK)
        assert code(response) == (500, 500, "未知错误")
        assert response.headers["access-control-allow-origin"] == "*"


async def test_a_client_that_left_stops_nothing(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
        with pytest.raises(httpx.ReadTimeout):
            await gateway.client.get("/api", params=ASK | {"question": "slow"}, timeout=0.3)
        await until(lambda: len(gateway.worker.asked) == 1)
        token = gateway.worker.asked[0][0]
        gateway.active_requests.drain()  # returns at once when no turn is left: the relay has ended with its client
        async with asyncio.timeout(2):
            await gateway.active_requests.wait_drained(60)
    await Jobs(gateway.store, GatewaySettings()).submit("s0-next", Chat("balanced", "next"), token, create=False)
    await until(lambda: len(gateway.worker.asked) == 2)


@pytest.mark.parametrize("store_url", ["redis://127.0.0.1:1/0"])
async def test_without_redis_everything_is_refused_within_two_seconds(store: Store) -> None:
    async with running(store, settings(cors_origins="*"), worker=False) as gateway, asyncio.timeout(6):
        for path in ["/api", "/api_stream", "/image"]:
            response = await gateway.client.get(path, params=ASK | {"keyword": "cat"}, timeout=2)
            assert code(response) == (503, 503, "服务繁忙,请稍后再试")
            assert response.headers["retry-after"] == "2"
            assert response.headers["access-control-allow-origin"] == "*"


async def test_who_answers_is_reported_in_a_header(gateway: RunningGateway) -> None:
    gateway.worker.scripts["who"] = [Delta("a", provider="edgegpt"), Final("ab", provider="edgegpt")]
    gateway.worker.scripts["cat"] = [Final("", images=("x",), provider="bingimage")]
    for path in ("/api", "/api_stream"):
        response = await gateway.client.get(path, params=ASK | {"question": "who"})
        assert response.headers["x-provider"] == "edgegpt"
        assert "edgegpt" not in response.text
        assert "x-provider" not in (await gateway.client.get(path, params=ASK)).headers
    assert (await gateway.client.get("/image", params={"keyword": "cat"})).headers["x-provider"] == "bingimage"


async def test_a_naive_client_waits_a_moment_for_the_headers_and_an_event_source_does_not(store: Store) -> None:
    async with running(store, timings=Timings(drop_in_first_event=60.0)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["who"] = [gate, Final("a", provider="p")]
            fields = ASK | {"question": "who"}
            events = {"accept": "text/event-stream"}
            async with gateway.client.stream("GET", "/api_stream", params=fields, headers=events) as response:
                assert "x-provider" not in response.headers
                naive = asyncio.create_task(gateway.client.get("/api_stream", params=fields))
                await until(lambda: gateway.active_requests.running == 2)
                gate.set()
                assert (await naive).headers["x-provider"] == "p"
