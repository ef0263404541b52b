"""`bing-chat.v2` on /ws_stream over real connections."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gateway.answering.timings import Timings
from gateway.http.long_steps import ClientSteps
from tests.support.conditions import until
from tests.support.gateway.catching_up import catching_up
from tests.support.gateway.harness import (
    RunningGateway,
    Step,
    closing_gate,
    has_tokens,
    read_close_code,
    running,
    settings,
)
from tests.support.gateway.key_file import QUICK, asking, write
from tests.support.redis_client import redis_client
from wire import keys
from wire.answer_reader import LogBatch
from wire.answers import Answers
from wire.blocks import Block, Piece
from wire.errors import ClientFullError
from wire.jobs import Jobs, new_answer_id
from wire.messages import Chat, Delta, Failed, Final, Prompted, Replace, Source, TurnCount
from wire.prompt import Message, Prompt, Text
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

V2 = Subprotocol("bing-chat.v2")
BUSY = "服务繁忙,请稍后再试"
END = Final("b天d", (Source("标题", "https://e.org"),), suggestions=("why?",), turns=TurnCount(2, 30))
LONG: Sequence[Step] = [Delta("a"), Replace("b"), Delta("天"), Delta("c"), Replace("b天"), END]


def speaking(gateway: RunningGateway, *more: str, path: str = "/ws_stream", **options: Any) -> connect:
    """Return a socket that offers v2, and `more` subprotocols after it."""
    return gateway.socket(path, subprotocols=[V2, *map(Subprotocol, more)], **options)


async def say(socket: ClientConnection, kind: str, **fields: object) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def ask(socket: ClientConnection, question: str = "hi", id_: str = "q", **fields: object) -> None:
    await say(socket, "ask", id=id_, style="balanced", question=question, **fields)


async def hear(socket: ClientConnection) -> Any:
    """Return the next frame that is no place in the queue: a busy machine adds those."""
    while (frame := await hear_any(socket)).get("type") == "queued":
        pass
    return frame


async def hear_any(socket: ClientConnection) -> Any:
    async with asyncio.timeout(10):
        return json.loads(await socket.recv())


async def whole(socket: ClientConnection) -> list[Any]:
    """Frames up to the first one that ends something."""
    frames = [await hear(socket)]
    while frames[-1]["type"] not in ("final", "failed"):
        frames.append(await hear(socket))
    return frames


async def raw(socket: ClientConnection) -> list[bytes]:
    """As `whole`, byte for byte."""
    frames: list[bytes] = []
    async with asyncio.timeout(10):
        while not frames or json.loads(frames[-1])["type"] not in ("final", "failed"):
            frames.append(await socket.recv(decode=False))
    return frames


async def answered(
    gateway: RunningGateway, question: str = "hi", script: Sequence[Step] = LONG
) -> tuple[str, list[Any]]:
    """Read an answer to its end; return its id and its frames."""
    gateway.worker.scripts[question] = script
    async with speaking(gateway) as socket:
        await ask(socket, question)
        frames = await whole(socket)
    return frames[0]["answer"], frames


def refusal(frame: Any) -> tuple[int, str, int | None]:
    """Code, reason and retry_after of a refusal."""
    assert frame["type"] == "failed"
    assert not {"answer", "seq"} & set(frame)
    return frame["code"], frame["reason"], frame["retry_after"]


# Who speaks it


async def test_the_subprotocol_is_taken_on_ws_stream_only(gateway: RunningGateway) -> None:
    async with speaking(gateway) as typed, speaking(gateway, path="/ws") as old, gateway.socket("/ws_stream") as plain:
        assert (typed.subprotocol, old.subprotocol, plain.subprotocol) == (V2, None, None)
        for socket in (old, plain):
            await socket.send(json.dumps({"style": "balanced", "question": "hi"}))
            assert (await hear(socket))["code"] == 200


@pytest.mark.parametrize("store_url", ["memory://"])
async def test_a_key_may_come_beside_it_and_decides_whose_answers_it_sees(store: Store, tmp_path: Path) -> None:
    lines = [f"{name} {hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("alice", "bob")]
    (tmp_path / "keys").write_text("".join(lines))
    async with running(store, settings(api_keys_file=tmp_path / "keys")) as gateway:
        with pytest.raises(InvalidStatus) as refused:
            async with speaking(gateway):
                pass
        assert refused.value.response.status_code == 401
        async with (
            speaking(gateway, "key.alice") as alice,
            speaking(gateway, additional_headers={"x-api-key": "bob"}) as bob,
        ):
            assert alice.subprotocol == bob.subprotocol == V2
            await ask(alice)
            accepted, *_ = await whole(alice)
            for kind in ("resume", "stop"):
                await say(bob, kind, id=kind, answer=accepted["answer"])
                assert refusal(await hear(bob)) == (404, "answer.unknown", None)
            await ask(bob, token=accepted["token"])
            assert refusal(await hear(bob)) == (120, "token.unknown", None)
            await say(alice, "resume", answer=accepted["answer"])
            assert (await whole(alice))[-1]["type"] == "final"


async def test_opening_a_socket_creates_nothing(gateway: RunningGateway) -> None:
    async with speaking(gateway):
        assert not await has_tokens(gateway.store)


# Asking


async def test_a_question_is_accepted_streamed_and_answered_whole(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = LONG
    async with speaking(gateway, additional_headers={"x-request-id": "mine"}) as socket:
        await ask(socket, id_="天")
        accepted, *events = await raw(socket)
    body = json.loads(accepted)
    head = f'"id":"天","answer":"{body["answer"]}"'
    assert accepted.decode() == f'{{"type":"accepted",{head},"seq":0,"token":"{body["token"]}"}}'
    assert [event.decode() for event in events] == [
        f'{{"type":"delta",{head},"seq":1,"text":"a"}}',
        f'{{"type":"replace",{head},"seq":2,"text":"b"}}',
        f'{{"type":"delta",{head},"seq":3,"text":"天"}}',
        f'{{"type":"delta",{head},"seq":4,"text":"c"}}',
        f'{{"type":"replace",{head},"seq":5,"text":"b天"}}',
        f'{{"type":"final",{head},"seq":6,"text":"b天d","urls":[{{"title":"标题","url":"https://e.org"}}],'
        '"suggestions":["why?"],"turns":{"used":2,"limit":30},"reset":false,"stopped":false}',
    ]
    assert gateway.worker.asked == [(body["token"], Chat("balanced", "hi", request="mine"))]


async def test_a_question_may_be_to_a_model_whose_worker_has_the_transcript(gateway: RunningGateway) -> None:
    await gateway.announce("secret", "org/m")
    async with speaking(gateway, additional_headers={"x-request-id": "mine"}) as socket:
        await say(socket, "ask", id="q", question="hi", model="org/m", wait=3)
        accepted, *_ = await whole(socket)
        prompt = Prompt("chat", "org/m", (Message("user", (Text("hi"),), string=True),))
        work = Prompted("balanced", "hi", request="mine", wait=3.0, prompt=prompt)
        assert gateway.worker.asked == [(accepted["token"], work)]
        await say(socket, "ask", id="q", question="hi", model="bing-precise", style="creative")
        await whole(socket)
    assert gateway.worker.asked[1][1] == Chat("precise", "hi", request="mine")


async def test_a_model_that_is_unknown_or_away_is_refused(gateway: RunningGateway) -> None:
    await gateway.announce("gone", "away")
    await gateway.lose_account("gone")
    async with speaking(gateway, additional_headers={"accept-language": "en"}) as socket:
        await say(socket, "ask", id="q", question="hi", model="bing-precis")
        frame = await hear(socket)
        assert refusal(frame) == (404, "model.unknown", None)
        assert "bing-precis," in frame["message"]
        assert "nearest names: bing-precise" in frame["message"]
        await say(socket, "ask", id="q", question="hi", model="away")
        assert refusal(await hear(socket)) == (503, "model.away", 5)
    assert gateway.worker.asked == []


@pytest.mark.parametrize("store_url", ["memory://"])
async def test_a_key_may_ask_only_its_models(store: Store, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"alice {hashlib.sha256(b'alice').hexdigest()} models=org/*\n")
    async with running(store, settings(api_keys_file=tmp_path / "keys")) as gateway:
        await gateway.announce("secret", "org/m", "other")
        async with speaking(gateway, "key.alice") as socket:
            await say(socket, "ask", id="q", question="hi", model="other")
            assert refusal(await hear(socket)) == (404, "model.unknown", None)
            await say(socket, "ask", id="q", question="hi", model="org/m")
            assert (await whole(socket))[-1]["type"] == "final"


async def test_reasoning_and_calls_come_at_their_seq_and_can_be_resumed_from_each(gateway: RunningGateway) -> None:
    blocks = (Block("reasoning", "hm"), Block("text", "so"), Block("tool_call", "{}", "c1", "f"))
    answer, frames = await answered(
        gateway,
        script=[
            Delta("", pieces=(Piece(0, "reasoning", "hm"),)),
            Delta("s", pieces=(Piece(1, "text", "s"),)),
            Delta("o", pieces=(Piece(1, "text", "o"), Piece(2, "tool_call", "{", "c1", "f"))),
            Delta("", pieces=(Piece(2, "tool_call", "}"),)),
            Final("so", blocks=blocks),
        ],
    )
    events = frames[1:]
    kinds = [(frame["type"], frame["seq"]) for frame in events]
    assert kinds == [("pieces", 1), ("delta", 2), ("delta", 3), ("pieces", 4), ("final", 5)]
    # What a client does that knows no pieces.
    assert "".join(frame["text"] for frame in events if frame["type"] == "delta") == events[-1]["text"] == "so"
    assert (events[-1]["reasoning"], len(events[-1]["tool_calls"])) == ("hm", 1)
    for after in range(6):
        async with speaking(gateway) as socket:
            await say(socket, "resume", id="q", answer=answer, after=after)
            _, *rest = await whole(socket)
            assert rest == (events[after:] or events[-1:])


async def test_a_new_conversation_lives_on_after_the_socket(gateway: RunningGateway) -> None:
    async with speaking(gateway) as socket:
        await ask(socket)
        token = (await whole(socket))[0]["token"]
        await ask(socket)
        assert (await whole(socket))[0]["token"] != token
    await until(lambda: not gateway.active_requests._sockets)
    async with speaking(gateway) as socket:
        await ask(socket, token=token)
        frames = await whole(socket)
    assert (frames[0]["token"], frames[-1]["type"]) == (token, "final")


async def test_a_failure_is_reported_with_all_that_belongs_to_it(gateway: RunningGateway) -> None:
    _, frames = await answered(
        gateway, script=[Delta("half"), Failed("x.y", "half", retry_after=3, code=500, message="坏了")]
    )
    answer = frames[0]["answer"]
    assert frames[-1] == {
        "type": "failed",
        "id": "q",
        "answer": answer,
        "seq": 2,
        "code": 500,
        "message": "坏了",
        "reason": "x.y",
        "text": "half",
        "reset": True,
        "retry_after": 3,
    }


@pytest.mark.parametrize(
    ("message", "id_", "code", "reason"),
    [
        ("not json", None, 110, "request.format"),
        ("[" * 100_000, None, 110, "request.format"),
        (b'{"type": "ask"}', None, 110, "request.format"),
        ({"type": "hello", "id": "x"}, "x", 110, "request.format"),
        ({"type": "ask", "style": "balanced", "question": "hi"}, None, 110, "request.format"),
        ({"type": "ask", "id": "x", "style": "nice", "question": " "}, "x", 110, "request.empty"),
        ({"type": "ask", "id": "x", "style": "nice", "question": "q", "token": "t"}, "x", 110, "request.style"),
        ({"type": "ask", "id": "x", "style": "balanced", "question": "q", "token": "t"}, "x", 120, "token.unknown"),
        (
            {"type": "ask", "id": "x", "style": "balanced", "question": "q", "idempotency_key": "short"},
            "x",
            422,
            "key.length",
        ),
        ({"type": "ask", "id": "x", "style": "balanced", "question": "q" * 32769}, "x", 110, "request.toolong"),
        ({"type": "ask", "id": "x", "model": "m", "question": "q" * 32769}, "x", 110, "request.toolong"),
        ({"type": "resume", "id": "x", "answer": "none"}, "x", 404, "answer.unknown"),
        ({"type": "stop", "answer": new_answer_id()}, None, 404, "answer.unknown"),
    ],
)
async def test_a_failed_message_is_named_by_its_id_and_the_socket_stays_open(
    gateway: RunningGateway, message: Any, id_: str | None, code: int, reason: str
) -> None:
    async with speaking(gateway) as socket:
        await socket.send(json.dumps(message) if isinstance(message, dict) else message)
        frame = await hear(socket)
        assert refusal(frame) == (code, reason, None)
        assert frame.get("id") == id_
        await ask(socket)
        assert (await whole(socket))[-1]["type"] == "final"
    assert len(gateway.worker.asked) == 1


async def test_a_message_can_be_had_in_english(gateway: RunningGateway) -> None:
    async with speaking(gateway, additional_headers={"accept-language": "en"}) as socket:
        await say(socket, "stop", answer="none")
        assert (await hear(socket))["message"] == "Not found"


async def test_a_message_above_the_limit_closes_with_1009(store: Store) -> None:
    async with running(store, settings(max_message=1000)) as gateway, speaking(gateway) as socket:
        await ask(socket, "x" * 1000)
        assert await read_close_code(socket) == 1009


@pytest.mark.parametrize(("limit", "code", "reason"), [("queue", 503, "queue.full"), ("client", 429, "client.limit")])
async def test_a_full_queue_says_when_to_come_back(store: Store, limit: str, code: int, reason: str) -> None:
    config = settings(**{f"{limit}_limit": 1}, trusted_proxies="127.0.0.1")
    # One client alone doesn't fill the queue.
    other = {"x-forwarded-for": "203.0.113.2"} if limit == "queue" else {}
    async with (
        running(store, config, worker=False) as gateway,
        speaking(gateway) as first,
        speaking(gateway, additional_headers=other) as second,
    ):
        await ask(first, id_="first")
        assert (await hear(first))["type"] == "accepted"
        await ask(second, id_="second")
        frame = await hear(second)
        assert frame["id"] == "second"
        assert refusal(frame)[:2] == (code, reason)
        assert frame["retry_after"] >= 1


@pytest.mark.parametrize("store_url", ["redis://127.0.0.1:1/0"])
async def test_without_redis_a_question_is_refused(store: Store) -> None:
    async with running(store, worker=False) as gateway, speaking(gateway) as socket:
        await ask(socket)
        assert refusal(await hear(socket)) == (503, "store.unavailable", 2)


async def test_an_unforeseen_error_gives_nothing_away(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    async with speaking(gateway) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(Jobs, "submit", broken)
            await ask(socket)
            frame = await hear(socket)
        assert (refusal(frame), frame["message"]) == ((500, "internal", None), "未知错误")
        await ask(socket)
        assert (await whole(socket))[-1]["type"] == "final"


async def test_the_same_key_gets_the_same_answer_and_another_question_is_refused(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = LONG
    key = "0123456789abcdef"
    async with running(gateway.store, worker=False) as other, speaking(gateway) as first, speaking(other) as second:
        answers = []
        for socket in (first, second, second):
            await ask(socket, idempotency_key=key)
            answers.append(await whole(socket))
        assert answers[0] == answers[1] == answers[2]
        await ask(second, "another", idempotency_key=key)
        assert refusal(await hear(second)) == (422, "key.reused", None)
    assert len(gateway.worker.asked) == 1


async def test_a_tokens_questions_are_asked_in_the_order_sent(gateway: RunningGateway) -> None:
    async with speaking(gateway) as socket:
        await ask(socket)
        token = (await whole(socket))[0]["token"]
        for number in range(20):
            await ask(socket, f"question {number}", token=token)
        for _ in range(20):
            frame = await hear(socket)
            while frame["type"] != "final":
                frame = await hear(socket)
    questions = [work.question for _, work in gateway.worker.asked if isinstance(work, Chat)]
    assert questions == ["hi", *[f"question {number}" for number in range(20)]]


async def test_answers_of_different_tokens_run_side_by_side(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
        async with speaking(gateway) as socket:
            await ask(socket, "slow", "slow")
            assert [(await hear(socket))["type"] for _ in range(2)] == ["accepted", "delta"]
            await ask(socket, "hi", "quick")
            assert {frame["id"] for frame in await whole(socket)} == {"quick"}
            gate.set()
            assert (await hear(socket))["id"] == "slow"


@pytest.mark.parametrize("store_url", ["memory://"])
async def test_a_socket_follows_so_many_answers_at_once_and_no_more(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [gate, Final("a")]
        async with speaking(gateway) as socket:
            for number in range(32):
                await ask(socket, "slow", str(number))
            answers = [(await hear(socket))["answer"] for _ in range(32)]
            for kind, fields in (("ask", {"style": "precise", "question": "hi"}), ("resume", {"answer": answers[0]})):
                await say(socket, kind, id="33", **fields)
                assert refusal(await hear(socket)) == (429, "socket.limit", 1)
            await say(socket, "stop", answer=answers[0])
            frame = await hear(socket)
            assert (frame["type"], frame["answer"]) == ("final", answers[0])
            await until(lambda: len(gateway.active_requests._running) == 31)
            await say(socket, "resume", id="33", answer=answers[1])
            assert (await hear(socket))["type"] == "accepted"


async def test_a_client_follows_so_many_answers_on_all_its_sockets(store: Store) -> None:
    async with (
        running(store, settings(client_limit=1, trusted_proxies="127.0.0.1")) as gateway,
        contextlib.AsyncExitStack() as stack,
    ):

        async def enter(address: str) -> ClientConnection:
            return await stack.enter_async_context(speaking(gateway, additional_headers={"x-forwarded-for": address}))

        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
            greedy = [await enter("203.0.113.1") for _ in range(3)]
            await ask(greedy[0], "slow")
            answer = (await hear(greedy[0]))["answer"]
            for number in range(1, 64):
                await say(greedy[number // 32], "resume", id=str(number), answer=answer)
            await until(lambda: len(gateway.active_requests._running) == 64)
            await say(greedy[2], "resume", answer=answer)
            last = (await whole(greedy[2]))[-1]
            assert (last["answer"], last["code"], last["reason"]) == (answer, 429, "client.limit")
            other = await enter("203.0.113.2")
            await say(other, "resume", answer=answer)
            assert [(await hear(other))["type"] for _ in range(2)] == ["accepted", "delta"]
            await greedy[1].close()
            await until(lambda: len(gateway.active_requests._running) == 33)
            await say(greedy[2], "resume", answer=answer)
            assert [(await hear(greedy[2]))["type"] for _ in range(2)] == ["accepted", "delta"]


# Waiting


# Places in the queue are looked at more often.
IMPATIENT = Timings(first_place_after=0.02, place_every=0.02)


@pytest.fixture
async def impatient(store: Store) -> AsyncIterator[RunningGateway]:
    async with running(store, timings=IMPATIENT) as gateway:
        yield gateway


async def test_who_waits_gets_its_place_whenever_that_changes(store: Store) -> None:
    async with (
        running(store, worker=False, timings=IMPATIENT) as gateway,
        speaking(gateway) as first,
        speaking(gateway) as second,
    ):
        await ask(first, id_="first")
        accepted = await hear_any(first)
        waiting = await hear_any(first)
        assert list(waiting) == ["type", "id", "answer", "seq", "position", "wait"]
        assert (waiting["type"], waiting["id"], waiting["answer"], waiting["seq"]) == (
            "queued",
            "first",
            accepted["answer"],
            0,
        )
        assert waiting["position"] == 1
        assert waiting["wait"] >= 1
        await ask(second, id_="second")
        behind = (await hear_any(second))["answer"]
        assert (await hear_any(second))["position"] == 2
        await say(first, "stop", answer=accepted["answer"])
        assert (await whole(first))[-1]["stopped"] is True
        frame = await hear_any(second)
        while frame["position"] == 2:  # its `wait` may have grown meanwhile
            frame = await hear_any(second)
        assert frame["position"] == 1
        await gateway.client.delete(f"/answers/{behind}")
        frames = await whole(second)
        assert (frames[-1]["type"], frames[-1]["seq"]) == ("final", 1)


async def test_a_place_that_does_not_change_is_reported_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read_position = Answers.read_position

    async def counted(answers: Answers, answer: str) -> Any:
        nonlocal reads
        position = await read_position(answers, answer)
        reads += 1
        return position

    monkeypatch.setattr(Answers, "read_position", counted)
    async with running(store, worker=False, timings=IMPATIENT) as gateway, speaking(gateway) as socket:
        await ask(socket)
        answer = (await hear_any(socket))["answer"]
        await until(lambda: reads > 10)
        await say(socket, "stop", answer=answer)
        positions = []
        while (frame := await hear_any(socket))["type"] == "queued":
            positions.append((frame["position"], frame["wait"]))
        assert positions
        assert len(set(positions)) == len(positions)


async def test_once_something_has_come_nobody_looks_any_more(
    impatient: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing_gate() as begin, closing_gate() as end:
        impatient.worker.scripts["slow"] = [begin, Delta("a"), end, Final("a")]
        looked = asyncio.Event()

        async def read_position(*_: object) -> None:
            looked.set()

        monkeypatch.setattr(Answers, "read_position", read_position)
        async with speaking(impatient) as socket:
            await ask(socket, "slow")
            async with asyncio.timeout(5):
                await looked.wait()
            begin.set()
            assert [(await hear_any(socket))["type"] for _ in range(2)] == ["accepted", "delta"]
            looked.clear()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await looked.wait()
            end.set()
            await whole(socket)


async def test_nobody_takes_the_question_in_time(store: Store) -> None:
    async with running(store, settings(queue_timeout=0.1), worker=False) as gateway, speaking(gateway) as socket:
        await ask(socket)
        last = (await whole(socket))[-1]
        assert (last["code"], last["reason"], last["seq"], last["message"]) == (503, "queue.timeout", 1, BUSY)
        assert last["retry_after"] >= 1


# Going on


async def test_cut_at_every_seq_and_resumed_elsewhere_the_bytes_equal_an_uncut_run(
    gateway: RunningGateway,
) -> None:
    """The answer is resumed at another gateway."""
    gateway.worker.scripts["hi"] = LONG
    async with running(gateway.store, worker=False) as other, speaking(gateway) as first, speaking(other) as second:
        await ask(first)
        uncut = await raw(first)
        answer = json.loads(uncut[0])["answer"]
        for seq in range(len(uncut) - 1):
            await say(second, "resume", id="q", answer=answer, after=seq)
            accepted, *rest = await raw(second)
            assert [accepted, *uncut[1 : seq + 1], *rest] == uncut
    assert len(gateway.worker.asked) == 1


@pytest.mark.parametrize("after", [6, 7, 999_999_999])
async def test_after_the_end_the_end_comes_again(gateway: RunningGateway, after: int) -> None:
    answer, frames = await answered(gateway)
    async with speaking(gateway) as socket:
        await say(socket, "resume", id="q", answer=answer, after=after)
        assert await whole(socket) == [frames[0], frames[-1]]


@pytest.mark.parametrize(("kind", "after"), [("stop", 0), ("resume", 6), ("resume", 7)])
async def test_of_an_answer_that_has_ended_its_end_alone_is_read(
    gateway: RunningGateway, kind: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, frames = await answered(gateway)
    read, decode = list[int](), Answers.decode

    def counted(self: Answers, rows: Sequence[Any], count: int) -> LogBatch:
        read.append(len(rows))
        return decode(self, rows, count)

    monkeypatch.setattr(Answers, "decode", counted)
    async with speaking(gateway) as socket:
        await say(socket, kind, id="q", answer=answer, **({"after": after} if after else {}))
        assert (await whole(socket))[-1] == frames[-1]
    assert sum(read) == 1


async def test_what_is_resumed_runs_as_its_clients_steps_a_new_answer_not(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = catching_up(monkeypatch)
    answer, frames = await answered(gateway)
    assert streams == []
    async with speaking(gateway) as socket:
        await say(socket, "resume", id="q", answer=answer)
        assert await whole(socket) == frames
    assert len(streams) == 1
    assert all(streams)


async def test_a_running_answer_is_resumed(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), Delta("b"), gate, Delta("c"), Final("abc")]
        async with speaking(gateway) as first, speaking(gateway) as second:
            await ask(first, "slow")
            answer = (await hear(first))["answer"]
            assert [(await hear(first))["text"] for _ in range(2)] == ["a", "b"]
            await say(second, "resume", answer=answer, after=1)
            assert [(await hear(second)).get("text") for _ in range(2)] == [None, "b"]
            gate.set()
            assert [(frame["seq"], frame["text"]) for frame in await whole(second)] == [(3, "c"), (4, "abc")]


async def test_an_answer_that_was_asked_for_over_http_can_be_resumed(gateway: RunningGateway) -> None:
    gateway.worker.scripts["Cat"] = [Final("", images=("https://e.org/1",))]
    response = await gateway.client.get("/image", params={"keyword": "Cat"})
    async with speaking(gateway) as socket:
        await say(socket, "resume", answer=response.headers["x-answer-id"])
        accepted, final = await whole(socket)
    assert "id" not in accepted
    assert final["images"] == ["https://e.org/1"]


async def test_an_answer_that_is_no_longer_kept_is_unknown(gateway: RunningGateway) -> None:
    answer, _ = await answered(gateway)
    await redis_client(gateway.store).delete(keys.job_key(answer), keys.log_key(answer))
    async with speaking(gateway) as socket:
        for kind in ("resume", "stop"):
            await say(socket, kind, id=kind, answer=answer)
            frame = await hear(socket)
            assert (frame["id"], *refusal(frame)) == (kind, 404, "answer.unknown", None)


async def test_an_answer_whose_data_is_lost_ends_without_a_seq(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
        async with speaking(gateway) as socket:
            await ask(socket, "slow")
            answer = (await hear(socket))["answer"]
            await hear(socket)
            await redis_client(gateway.store).delete(keys.job_key(answer), keys.log_key(answer))
            last = (await whole(socket))[-1]
        assert (last["answer"], last["code"], last["reason"]) == (answer, 500, "state.lost")
        assert "seq" not in last


async def test_a_deadline_is_no_event_of_the_answer_which_can_be_resumed(store: Store) -> None:
    config = settings(queue_timeout=0.3, answer_timeout=0.1)
    async with running(store, config, timings=Timings(answer_margin=0.1)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["hang"] = [Delta("a"), gate, Final("a")]
            async with speaking(gateway) as socket:
                await ask(socket, "hang")
                frames = await whole(socket)
                answer = frames[0]["answer"]
                assert (frames[-1]["answer"], frames[-1]["reason"]) == (answer, "timeout.gateway")
                assert "seq" not in frames[-1]
                gate.set()
                await say(socket, "resume", answer=answer, after=1)
                assert (await whole(socket))[-1]["text"] == "a"


# Stopping


async def test_a_stop_ends_the_answer_once_for_all_who_follow_it(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), Delta("b"), gate, Delta("c"), Final("abc")]
        async with speaking(gateway) as first, speaking(gateway) as second, speaking(gateway) as third:
            await ask(first, "slow")
            accepted, *_ = [await hear(first) for _ in range(3)]
            answer = accepted["answer"]
            await say(second, "resume", answer=answer, after=2)
            await hear(second)
            await say(first, "stop", answer=answer)
            end = await hear(first)
            assert (end["type"], end["seq"], end["text"]) == ("final", 3, "ab")
            assert (end["stopped"], end["reset"]) == (True, True)
            unnamed = {name: value for name, value in end.items() if name != "id"}
            assert await hear(second) == unnamed
            # A client that doesn't follow it receives its end.
            for _ in range(2):
                await say(third, "stop", answer=answer)
                assert await hear(third) == unnamed
            gate.set()
            await ask(first, token=accepted["token"])
            assert (await whole(first))[-1]["text"] == '你好,wor"ld'


@pytest.mark.parametrize("script", [LONG, [Failed("x", code=500, message="坏了")]])
async def test_a_stop_after_the_end_changes_nothing_and_says_how_it_ended(
    gateway: RunningGateway, script: Sequence[Step]
) -> None:
    answer, frames = await answered(gateway, script=script)
    async with speaking(gateway) as socket:
        await say(socket, "stop", id="q", answer=answer)
        assert await hear(socket) == frames[-1]


# Leaving, draining


async def test_closing_the_socket_only_ends_the_relaying(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
        async with speaking(gateway) as socket:
            await ask(socket, "slow")
            answer = (await hear(socket))["answer"]
            await hear(socket)
        await until(lambda: not gateway.active_requests._running and not gateway.active_requests._sockets)
        gate.set()
        async with speaking(gateway) as socket:
            await say(socket, "resume", answer=answer)
            assert (await whole(socket))[-1]["text"] == "ab"


@pytest.mark.parametrize("store_url", ["memory://"])
async def test_a_client_that_does_not_read_slows_nobody_and_misses_nothing(gateway: RunningGateway) -> None:
    big = [Delta("x" * 40_000) for _ in range(500)]
    gateway.worker.scripts["big"] = [*big, Final("the end")]
    async with speaking(gateway, max_queue=1) as lazy, speaking(gateway) as other:
        await ask(lazy, "big")
        await until(lambda: len(gateway.worker.asked) == 1)
        await ask(other)
        token = (await whole(other))[0]["token"]
        (answer,) = {frame["answer"] for frame in [await hear(lazy)]}

        async def is_done() -> bool:
            return bool(await redis_client(gateway.store).hget(keys.job_key(answer), "state") == b"DONE")

        await until(is_done)
        await ask(other, token=token)
        assert (await whole(other))[-1]["type"] == "final"
        await until(lambda: len(gateway.active_requests._running) <= 1)
        assert gateway.active_requests._running, "all of it went out: the client's pace counts for nothing"
        frames = await whole(lazy)
    assert [frame["seq"] for frame in frames] == list(range(1, 502))
    assert frames[-1]["text"] == "the end"


async def test_in_a_drain_running_answers_end_and_the_socket_closes_with_1012(
    gateway: RunningGateway,
) -> None:
    """New questions are refused."""
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Delta("b"), Final("ab")]
        async with speaking(gateway) as socket, speaking(gateway) as idle:
            await ask(socket, "slow", "first")
            await hear(socket)
            await ask(socket, "slow", "second")
            answers = {frame["id"]: frame["answer"] for frame in [await hear(socket) for _ in range(3)]}
            gateway.active_requests.drain()
            assert await read_close_code(idle) == 1012
            await ask(socket, id_="late")
            assert refusal(await hear(socket)) == (503, "gateway.draining", 1)
            await say(socket, "resume", id="late", answer=answers["first"])
            assert refusal(await hear(socket)) == (503, "gateway.draining", 1)
            await say(socket, "stop", answer=answers["second"])
            assert (await hear(socket))["stopped"] is True
            gate.set()
            assert [frame["text"] for frame in await whole(socket)] == ["b", "ab"]
            assert await read_close_code(socket) == 1012
    assert len(gateway.worker.asked) == 2


async def test_a_question_that_is_accepted_as_the_drain_begins_is_answered(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Jobs.submit

    async def and_drain(jobs: Jobs, *args: Any, **more: Any) -> str:
        found = await submit(jobs, *args, **more)
        gateway.active_requests.drain()
        return found

    monkeypatch.setattr(Jobs, "submit", and_drain)
    async with speaking(gateway) as socket:
        await ask(socket)
        assert (await whole(socket))[-1]["type"] == "final"
        assert await read_close_code(socket) == 1012


async def test_an_answer_longer_than_the_drain_is_cut_with_1012_and_continues_elsewhere(store: Store) -> None:
    async with running(store) as other, running(store, settings(drain_timeout=0.1), worker=False) as gateway:
        with closing_gate() as gate:
            other.worker.scripts["slow"] = [Delta("a"), gate, Delta("b"), Final("ab")]
            async with speaking(gateway) as socket:
                await ask(socket, "slow")
                before = [await hear(socket) for _ in range(2)]
                gateway.active_requests.drain()
                assert await read_close_code(socket) == 1012
            gate.set()
            async with speaking(other) as socket:
                await say(socket, "resume", id="q", answer=before[0]["answer"], after=1)
                after = await whole(socket)
    assert after[0] == before[0]
    assert [frame["text"] for frame in after[1:]] == ["b", "ab"]
    assert len(other.worker.asked) == 1


async def test_a_message_whose_turn_does_not_come_is_refused(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(_: ClientSteps) -> None:
        raise ClientFullError(1)

    async with speaking(gateway) as socket:
        monkeypatch.setattr(ClientSteps, "wait", wait)
        await ask(socket)
        frame = await hear(socket)
        assert (frame["type"], frame["code"]) == ("failed", 429)


@pytest.mark.parametrize("store_url", ["memory://"])
async def test_a_removed_key_asks_nothing_more_and_its_answers_end_before_1008(store: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "alice", "bob")
    async with running(store, settings(api_keys_file=file), timings=QUICK) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
            async with speaking(gateway, "key.alice") as busy, speaking(gateway, "key.alice") as idle:
                await ask(busy, "slow", "slow")
                answer = (await hear(busy))["answer"]
                assert (await hear(busy))["text"] == "a"
                write(file, "bob")
                await until(asking(gateway, "alice", 401))
                for kind in ("ask", "resume", "stop"):
                    await say(busy, kind, id=kind, answer=answer, style="balanced", question="hi")
                    frame = await hear(busy)
                    assert frame["id"] == kind
                    assert refusal(frame) == (401, "request.unauthorized", None)
                await ask(idle)
                assert refusal(await hear(idle)) == (401, "request.unauthorized", None)
                assert await read_close_code(idle) == 1008
                gate.set()
                end = await hear(busy)
                assert (end["id"], end["type"], end["text"], end["stopped"]) == ("slow", "final", "ab", False)
                assert await read_close_code(busy) == 1008
    assert len(gateway.worker.asked) == 1


@pytest.mark.parametrize("store_url", ["memory://"])
async def test_a_key_that_came_back_in_time_asks_on(store: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "alice", "bob")
    async with running(store, settings(api_keys_file=file), timings=QUICK) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
            async with speaking(gateway, "key.alice") as socket:
                await ask(socket, "slow", "slow")
                assert [(await hear(socket))["type"] for _ in range(2)] == ["accepted", "delta"]
                write(file, "bob")
                await until(asking(gateway, "alice", 401))
                await ask(socket)
                assert refusal(await hear(socket)) == (401, "request.unauthorized", None)
                write(file, "alice", "bob")
                await until(asking(gateway, "alice", 200))
                await ask(socket)
                assert (await whole(socket))[-1]["type"] == "final"
                gate.set()
                assert (await hear(socket))["text"] == "ab"
                await ask(socket)
                assert (await whole(socket))[-1]["type"] == "final"
