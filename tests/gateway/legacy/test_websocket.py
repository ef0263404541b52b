"""/ws and /ws_stream over real connections."""

import asyncio
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.answering.drain import ActiveRequests
from gateway.answering.idempotency import Idempotency
from gateway.answering.relay import Relay
from gateway.answering.submit import Questions
from gateway.answering.timings import Timings
from gateway.auth.clients import Clients
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.long_steps import ClientSteps, LongSteps
from gateway.http.response_room import ResponseRoom
from gateway.http.websocket import WebSocketConnection
from gateway.legacy.websocket import SocketEndpoints
from gateway.ops.metrics import first_text_histogram
from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.gateway.harness import (
    RunningGateway,
    closing_gate,
    has_tokens,
    joined,
    read_close_code,
    received,
    running,
    settings,
)
from tests.support.gateway.key_file import QUICK, asking, write
from tests.support.redis_client import redis_client
from wire import keys
from wire.answers import Answers
from wire.errors import ClientFullError, StoreUnavailableError
from wire.hmac_secret import HmacSecret
from wire.jobs import Jobs
from wire.messages import Chat, Delta, Failed, Final
from wire.redis.store import Store
from wire.sessions import Sessions

pytestmark = pytest.mark.anyio

WHOLE = '"answer": "你好,wor\\"ld", "urls": [{"title": "标题", "url": "https://example.org/?a=1&b=2"}], '


def ask(question: str = "hi", **more: object) -> str:
    return json.dumps({"style": "balanced", "question": question, **more})


async def no_tokens(store: Store) -> bool:
    return not await has_tokens(store)


async def test_ws_answers_with_one_frame_of_exactly_these_bytes(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws") as socket:
        await socket.send(ask())
        assert await socket.recv() == f'{{"code": 200, "message": "success", "data": {{{WHOLE}"reset": false}}}}'


async def test_ws_stream_answers_with_deltas_and_then_the_whole(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws_stream") as socket:
        await socket.send(ask())
        first, second, last = [await socket.recv() for _ in range(3)]
    success = '{"code": 200, "message": "success", "data": '
    assert first == success + '{"answer": "你好,", "urls": [], "done": false, "reset": false}}'
    assert second == success + '{"answer": "wor\\"ld", "urls": [], "done": false, "reset": false}}'
    assert last == success + f'{{{WHOLE}"done": true, "reset": false}}}}'


async def test_a_connection_is_one_conversation_and_another_is_another(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws_stream") as one, gateway.socket("/ws") as other:
        for socket in (one, one, other):
            await socket.send(ask())
            await received(socket)
    first, second, third = [token for token, _ in gateway.worker.asked]
    assert first == second != third


@pytest.mark.parametrize("path", ["/ws", "/ws_stream"])
async def test_a_client_that_sends_a_token_continues_with_it_and_gets_it_back(
    gateway: RunningGateway, path: str
) -> None:
    first = await gateway.client.get("/api", params={"style": "balanced", "question": "hi"})
    token = first.json()["data"]["token"]
    async with gateway.socket(path) as socket:
        await socket.send(ask(token=token))
        frames = await received(socket)
        assert {frame["data"]["token"] for frame in frames} == {token}
        await socket.send(ask())
        assert all("token" not in frame["data"] for frame in await received(socket))
    assert [job == token for job, _ in gateway.worker.asked] == [True, True, False]


@pytest.mark.parametrize("path", ["/ws", "/ws_stream"])
@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ("not json", 110, "格式错误"),
        ("", 110, "格式错误"),
        ('["hi"]', 110, "格式错误"),
        ('{"question": [1]}', 110, "格式错误"),
        pytest.param(ask(more=[1] * 50_000), 110, "格式错误", id="many values"),
        (b"\x00\xff", 110, "格式错误"),
        (b'{"style": "balanced", "question": "hi"}', 110, "格式错误"),
        ("{}", 110, "参数不能为空"),
        ('{"style": "nice", "question": ""}', 110, "参数不能为空"),
        ('{"style": "nice", "question": "q", "token": "dead"}', 110, "style不存在"),
        ('{"style": "balanced", "question": "q", "token": "dead"}', 120, "token不存在"),
    ],
)
async def test_a_socket_survives_what_it_can_not_use(
    gateway: RunningGateway, path: str, message: str | bytes, code: int, text: str
) -> None:
    async with gateway.socket(path) as socket:
        await socket.send(message)
        assert json.loads(await socket.recv()) == {"code": code, "message": text}
        await socket.send(ask())
        assert (await received(socket))[-1]["code"] == 200
    assert len(gateway.worker.asked) == 1


@pytest.mark.parametrize("path", ["/ws", "/ws_stream"])
async def test_a_socket_survives_failures(gateway: RunningGateway, path: str) -> None:
    gateway.worker.scripts["fail"] = [Failed("internal")]
    gateway.worker.scripts["much"] = [Failed("account.throttled", retry_after=60)]
    async with gateway.socket(path) as socket:
        for question, expected in [("fail", 500), ("much", 120), ("hi", 200)]:
            await socket.send(ask(question))
            frames = await received(socket)
            assert frames[-1]["code"] == expected
            if expected != 200:
                assert list(frames[0]) == ["code", "message"]


async def test_a_socket_survives_an_unforeseen_error(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    async with gateway.socket("/ws") as socket:
        with monkeypatch.context() as patch:
            patch.setattr(Jobs, "submit", broken)
            await socket.send(ask())
            assert json.loads(await socket.recv()) == {"code": 500, "message": "未知错误"}
        await socket.send(ask())
        assert (await received(socket))[-1]["code"] == 200


async def test_questions_sent_ahead_are_answered_in_order(gateway: RunningGateway) -> None:
    questions = [f"question {number}" for number in range(20)]
    for question in questions:
        gateway.worker.scripts[question] = [Delta(question), Final(question + "!")]
    async with gateway.socket("/ws_stream") as socket:
        for question in questions:
            await socket.send(ask(question))
        answers = [await received(socket) for _ in questions]
    assert [frames[-1]["data"]["answer"] for frames in answers] == [question + "!" for question in questions]
    assert [joined(frames) for frames in answers] == [question + "!" for question in questions]
    assert [work.question for _, work in gateway.worker.asked if isinstance(work, Chat)] == questions


async def test_opening_a_socket_creates_nothing(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws"), gateway.socket("/ws_stream"):
        assert not await has_tokens(gateway.store)
    assert not await has_tokens(gateway.store)


async def test_nothing_comes_that_was_not_asked_for(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws_stream") as socket:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await socket.recv()


async def test_closing_the_socket_ends_its_session(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws") as socket:
        await socket.send(ask())
        await socket.recv()
        assert await has_tokens(gateway.store)
    await until(lambda: no_tokens(gateway.store))


async def test_closing_the_socket_leaves_a_clients_own_token_alive(gateway: RunningGateway) -> None:
    api = {"style": "balanced", "question": "hi"}
    token = (await gateway.client.get("/api", params=api)).json()["data"]["token"]
    async with gateway.socket("/ws") as socket:
        await socket.send(ask(token=token))
        await socket.recv()
    assert (await gateway.client.get("/api", params={**api, "token": token})).json()["code"] == 200


async def test_a_client_that_left_stops_no_running_turn(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
        async with gateway.socket("/ws_stream") as socket:
            await socket.send(ask("slow"))
            await socket.recv()
        gateway.active_requests.drain()
        async with asyncio.timeout(2):
            await gateway.active_requests.wait_drained(60)
        assert await has_tokens(gateway.store)
        gate.set()
        await until(lambda: no_tokens(gateway.store))


async def test_a_client_that_left_asks_nothing_more(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
        async with gateway.socket("/ws") as socket:
            await socket.send(ask("slow"))
            await until(lambda: len(gateway.worker.asked) == 1)
            await socket.send(ask("second"))
        await until(lambda: not gateway.active_requests._running)
    async with gateway.socket("/ws") as socket:
        await socket.send(ask("third"))
        await socket.recv()
    assert [work.question for _, work in gateway.worker.asked if isinstance(work, Chat)] == ["slow", "third"]


async def test_a_message_above_the_limit_closes_with_1009(store: Store) -> None:
    async with running(store, settings(max_message=1000)) as gateway, gateway.socket("/ws") as socket:
        await socket.send(ask("x" * 940))
        assert (await received(socket))[-1]["code"] == 200
        await socket.send(ask("x" * 1000))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("path", ["/ws", "/ws_stream"])
async def test_a_question_above_the_limit_is_refused_and_the_socket_stays_open(store: Store, path: str) -> None:
    async with running(store, settings(question_limit=5)) as gateway, gateway.socket(path) as socket:
        await socket.send(ask("abc猫"))
        assert json.loads(await socket.recv()) == {"code": 110, "message": "问题过长,最多 5 字节"}
        await socket.send(ask("ab猫"))
        assert (await received(socket))[-1]["code"] == 200
        assert len(gateway.worker.asked) == 1


async def test_any_number_of_messages_ahead_is_answered_in_order(gateway: RunningGateway) -> None:
    """Far more than is read ahead."""
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [gate, Final("slow")]
        async with gateway.socket("/ws") as socket:
            await socket.send(ask("slow"))
            await until(lambda: bool(gateway.worker.asked))
            sending = asyncio.create_task(send_all(socket, ["{}" + " " * 5000, "[]"] * 500))
            await until(lambda: socket.transport.get_write_buffer_size() or sending.done())
            gate.set()
            replies = [json.loads(await socket.recv()) for _ in range(1001)]
            await sending
    assert replies[0]["data"]["answer"] == "slow"
    assert [reply["message"] for reply in replies[1:]] == ["参数不能为空", "格式错误"] * 500


async def send_all(socket: ClientConnection, messages: Sequence[str]) -> None:
    for message in messages:
        await socket.send(message)


async def test_a_question_that_nobody_takes_ends_in_one_frame(store: Store) -> None:
    async with running(store, settings(queue_timeout=0.1), worker=False) as gateway, gateway.socket("/ws") as socket:
        await socket.send(ask())
        assert json.loads(await socket.recv()) == {"code": 503, "message": "服务繁忙,请稍后再试"}


async def test_a_deadline_is_one_frame_and_the_socket_stays_open(store: Store) -> None:
    config = settings(queue_timeout=0.3, answer_timeout=0.1)
    async with running(store, config, timings=Timings(answer_margin=0.1)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["hang"] = [Delta("a"), gate, Final("a")]
            async with gateway.socket("/ws") as socket:
                await socket.send(ask("hang"))
                assert json.loads(await socket.recv()) == {"code": 500, "message": "回答超时,请重新提问"}
                gate.set()
                await socket.send(ask())
                assert (await received(socket))[-1]["code"] == 200


async def test_an_answer_whose_data_is_lost_ends_in_one_frame(store: Store) -> None:
    async with running(store, worker=False) as gateway, gateway.socket("/ws_stream") as socket:
        await socket.send(ask())
        await until(lambda: is_queued(store))
        await redis_client(store).flushall()
        assert json.loads(await socket.recv()) == {"code": 500, "message": "回答已丢失,请重新提问"}


async def is_queued(store: Store) -> bool:
    return bool(await redis_client(store).zcard(keys.queued_key()))


async def test_a_cut_gateway_closes_with_1012(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        async with gateway.socket("/ws_stream") as busy, gateway.socket("/ws") as idle:
            await busy.send(ask("slow"))
            await busy.recv()
            gateway.active_requests.abort()
            assert json.loads(await busy.recv()) == {"code": 503, "message": "服务繁忙,请稍后再试"}
            for socket in (busy, idle):
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1012


async def taken_in(socket: ClientConnection) -> None:
    """All messages sent so far are in the gateway's hands: it reads on only once it has taken what came before."""
    for _ in range(2):
        async with asyncio.timeout(5):
            await (await socket.ping())


async def test_large_messages_take_the_bytes_of_one_while_an_answer_is_awaited(
    gateway: RunningGateway,
) -> None:
    """One is answered, one waits for its turn, and one to be taken; as text each would take four times its bytes."""
    message = ask("slow", more="\N{GRINNING FACE}" * 80_000)
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [gate, Final("a")]
        async with gateway.socket("/ws") as socket:
            tracemalloc.start()
            for _ in range(3):
                await socket.send(message)
            await until(lambda: bool(gateway.worker.asked))
            await until(lambda: tracemalloc.get_traced_memory()[0] < 2 * len(message.encode()))
            tracemalloc.stop()
            gate.set()
            for _ in range(3):
                assert json.loads(await socket.recv())["code"] == 200


@pytest.mark.parametrize("path", ["/ws", "/ws_stream"])
async def test_in_a_drain_what_was_sent_ahead_is_answered_before_the_close_with_1012(
    gateway: RunningGateway, path: str
) -> None:
    with closing_gate() as gate:
        for question in ("first", "second", "third"):
            gateway.worker.scripts[question] = [gate, Delta("a"), Final(question)]
        async with gateway.socket(path) as socket:
            for question in ("first", "second", "third"):
                await socket.send(ask(question))
            await taken_in(socket)
            gateway.active_requests.drain()
            gate.set()
            answers = [(await received(socket))[-1]["data"]["answer"] for _ in range(3)]
            assert answers == ["first", "second", "third"]
            assert await read_close_code(socket) == 1012
    assert len(gateway.worker.asked) == 3


async def test_in_a_drain_an_idle_socket_closes_at_once_with_1012(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        async with gateway.socket("/ws_stream") as busy, gateway.socket("/ws") as idle:
            await busy.send(ask("slow"))
            await busy.recv()
            gateway.active_requests.drain()
            assert await read_close_code(idle) == 1012
            async with gateway.socket("/ws") as late:
                assert await read_close_code(late) == 1012
            gate.set()
            assert (await received(busy))[-1]["data"]["done"] is True
            assert await read_close_code(busy) == 1012


async def test_what_comes_in_a_drain_is_not_asked(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        async with gateway.socket("/ws_stream") as socket:
            await socket.send(ask("slow"))
            await socket.recv()
            gateway.active_requests.drain()
            await socket.send(ask("late"))
            await taken_in(socket)
            gate.set()
            assert (await received(socket))[-1]["data"]["done"] is True
            assert await read_close_code(socket) == 1012
    assert [work.question for _, work in gateway.worker.asked if isinstance(work, Chat)] == ["slow"]


async def test_a_drain_that_takes_too_long_gives_each_question_its_frame(store: Store) -> None:
    async with running(store, settings(drain_timeout=0.1)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [gate, Final("a")]
            async with gateway.socket("/ws") as socket:
                for _ in range(3):
                    await socket.send(ask("slow"))
                await taken_in(socket)
                gateway.active_requests.drain()
                for _ in range(3):
                    assert json.loads(await socket.recv()) == {"code": 503, "message": "服务繁忙,请稍后再试"}
                assert await read_close_code(socket) == 1012


async def test_the_frame_of_a_question_that_is_cut_off_comes_before_the_socket_is_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_last = WebSocketConnection.send_last

    async def slowly(connection: WebSocketConnection[object], frame: bytes) -> None:
        await asyncio.sleep(0.3)  # a slow frame: uvicorn looks every 0.1 s whether it should stop
        await send_last(connection, frame)

    monkeypatch.setattr(WebSocketConnection, "send_last", slowly)
    async with running(store, settings(drain_timeout=0.1)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [gate, Final("a")]
            async with gateway.socket("/ws") as socket:
                await socket.send(ask("slow"))
                await taken_in(socket)
                gateway.active_requests.drain()
                assert json.loads(await socket.recv()) == {"code": 503, "message": "服务繁忙,请稍后再试"}
                assert await read_close_code(socket) == 1012


@pytest.mark.parametrize("store_url", ["redis://127.0.0.1:1/0"])
async def test_without_redis_a_question_is_refused_within_two_seconds(store: Store) -> None:
    async with running(store, worker=False) as gateway, gateway.socket("/ws") as socket:
        async with asyncio.timeout(2):
            await socket.send(ask())
            assert json.loads(await socket.recv()) == {"code": 503, "message": "服务繁忙,请稍后再试"}


async def test_a_session_that_can_not_be_ended_is_left_to_expire(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = asyncio.Event()

    async def away(*_: object) -> None:
        tried.set()
        raise StoreUnavailableError("away")

    monkeypatch.setattr(Sessions, "end", away)
    async with gateway.socket("/ws") as socket:
        await socket.send(ask())
        await socket.recv()
    async with asyncio.timeout(5):
        await tried.wait()


@pytest.mark.parametrize("path", ["/nothing", "/api", "/"])
async def test_a_socket_to_another_path_is_reported(gateway: RunningGateway, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.socket(path):
            pass
    assert refused.value.response.status_code == 404
    assert refused.value.response.body == '{"code": 404, "message": "未找到文件"}'.encode()


async def test_an_accepted_socket_has_a_request_id(gateway: RunningGateway) -> None:
    async with gateway.socket("/ws", additional_headers={"x-request-id": "mine"}) as socket:
        assert socket.response is not None
        assert socket.response.headers["x-request-id"] == "mine"
        await socket.send(ask())
        await socket.recv()
    assert gateway.worker.asked[0][1].request == "mine"


@pytest.mark.parametrize("store_url", ["memory://"])
async def test_a_client_that_reads_nothing_is_given_up(store: Store) -> None:
    messages: list[dict[str, object]] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "no question"},
    ]
    never = asyncio.Event()

    async def receive() -> Message:
        if not messages:
            await never.wait()
        return messages.pop(0)

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            await never.wait()

    settings, timings = GatewaySettings(max_message=1000), Timings(last_send_limit=0.05)
    relay = Relay(Jobs(store, settings), Answers(store), ActiveRequests(), 1, 1, first_text_histogram(), timings)
    state = {"request_id": "r", "error_metrics": ErrorMetrics(), "english": False}
    state["steps"] = ClientSteps(LongSteps(), "client")
    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "state": state}
    questions = Questions(relay, Idempotency(HmacSecret(store)))
    sockets = SocketEndpoints(questions, Sessions(store), Clients(), settings, ResponseRoom())
    async with asyncio.timeout(5):
        await sockets.ws(WebSocket(scope, receive, send))


async def test_a_message_whose_turn_does_not_come_is_refused(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(_: ClientSteps) -> None:
        raise ClientFullError(1)

    async with gateway.socket("/ws") as socket:
        monkeypatch.setattr(ClientSteps, "wait", wait)
        await socket.send("{}")
        assert json.loads(await socket.recv())["code"] == 429


@pytest.mark.parametrize("path", ["/ws", "/ws_stream"])
async def test_a_removed_key_asks_nothing_more_and_its_socket_closes_with_1008(
    store: Store, tmp_path: Path, path: str
) -> None:
    """The answer that runs comes to its end; what was sent ahead is refused, and so is what can't be read."""
    file = write(tmp_path / "keys", "alice", "bob")
    async with running(store, settings(api_keys_file=file), timings=QUICK) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [gate, Delta("a"), Final("whole")]
            async with gateway.socket(path, additional_headers={"x-api-key": "alice"}) as socket:
                for message in (ask("slow"), ask("ahead"), "{"):
                    await socket.send(message)
                await taken_in(socket)
                await until(lambda: bool(gateway.worker.asked))
                write(file, "bob")
                await until(asking(gateway, "alice", 401))
                gate.set()
                assert (await received(socket))[-1]["data"]["answer"] == "whole"
                for _ in range(2):
                    assert json.loads(await socket.recv()) == {"code": 401, "message": "API key 缺失或无效"}
                assert await read_close_code(socket) == 1008
    assert [work.question for _, work in gateway.worker.asked if isinstance(work, Chat)] == ["slow"]
