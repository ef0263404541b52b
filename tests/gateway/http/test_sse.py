"""/api_stream over real connections: framing, ids, going on after a cut."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from gateway.answering.drain import ActiveRequests
from gateway.answering.timings import Timings
from gateway.http import sse
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.long_steps import ClientSteps, LongSteps
from gateway.http.response_room import Admit, ResponseRoom
from gateway.legacy.frames import LegacyFrames
from tests.support.conditions import until
from tests.support.gateway.catching_up import catching_up
from tests.support.gateway.harness import (
    RunningGateway,
    body_of,
    closing_gate,
    frames_of,
    has_tokens,
    joined,
    running,
    settings,
)
from tests.support.gateway.openai_client import COMPLETIONS, MODEL, chat
from tests.support.redis_client import redis_client
from wire import keys
from wire.answer_reader import AnswerEvent
from wire.answers import Answers
from wire.errors import ClientFullError
from wire.jobs import ANYBODY, new_answer_id
from wire.messages import Delta, Event, Failed, Final, Replace
from wire.redis.store import Store
from wire.threads import LARGE

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hi"}
EVENTS = {"accept": "text/event-stream"}
EMPTY = {"answer": "", "urls": [], "done": False, "reset": False, "token": ""}


@asynccontextmanager
async def streamed(gateway: RunningGateway, question: str, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    """Yield the chunks of a stream as text."""
    fields = {"style": "balanced", "question": question}
    async with gateway.client.stream("GET", "/api_stream", params=fields, headers=headers) as response:
        assert response.status_code == 200
        yield response.aiter_text()


async def read_until(chunks: AsyncIterator[str], text: str) -> str:
    """Return what comes up to `text`."""
    stream = ""
    async with asyncio.timeout(5):
        while text not in stream:
            stream += await anext(chunks)
    return stream


async def test_a_stream_has_exactly_these_bytes(gateway: RunningGateway) -> None:
    response = await gateway.get("/api_stream?style=balanced&question=hi")
    token = frames_of(body_of(response))[0]["data"]["token"]
    success = '{"code": 200, "message": "success", "data": '
    assert body_of(response).decode() == (
        f'data: {success}{{"answer": "你好,", "urls": [], "done": false, "reset": false, "token": "{token}"}}}}\n\n'
        f'data: {success}{{"answer": "wor\\"ld", "urls": [], "done": false, "reset": false, "token": "{token}"}}}}\n\n'
        f'data: {success}{{"answer": "你好,wor\\"ld", "urls": [{{"title": "标题", '
        f'"url": "https://example.org/?a=1&b=2"}}], "done": true, "reset": false, "token": "{token}"}}}}\n\n'
    )


@pytest.mark.parametrize("cors_origins", ["*"])
async def test_a_stream_has_its_headers(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/api_stream", params=ASK)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["x-answer-id"].startswith("s0-")
    assert response.headers["x-request-id"]


async def test_text_arrives_while_the_answer_is_being_written(gateway: RunningGateway) -> None:
    with closing_gate() as first, closing_gate() as second:
        gateway.worker.scripts["slow"] = [first, Delta("a"), second, Final("ab")]
        async with streamed(gateway, "slow") as chunks:
            first.set()
            assert frames_of((await read_until(chunks, "\n\n")).encode())[0]["data"]["answer"] == "a"
            second.set()
            assert '"done": true' in await read_until(chunks, '"answer": "ab"')


async def test_a_post_streams_too_and_a_token_continues(gateway: RunningGateway) -> None:
    first = frames_of((await gateway.client.post("/api_stream", json=ASK)).content)
    token = first[-1]["data"]["token"]
    second = frames_of((await gateway.client.post("/api_stream", data=ASK | {"token": token})).content)
    assert {frame["data"]["token"] for frame in [*first, *second]} == {token}
    assert [job for job, _ in gateway.worker.asked] == [token, token]


async def test_a_page_that_only_appends_ends_with_the_whole_answer(gateway: RunningGateway) -> None:
    gateway.worker.scripts["odd"] = [Delta("Searching"), Replace("The sky"), Delta(" is"), Final("The sky is blue")]
    frames = frames_of((await gateway.client.get("/api_stream", params=ASK | {"question": "odd"})).content)
    assert joined(frames).endswith("The sky is blue")
    assert frames[-1]["data"]["answer"] == "The sky is blue"
    assert [frame["data"]["done"] for frame in frames] == [False] * 4 + [True]


async def test_a_token_that_is_not_alive_is_reported_in_plain_json(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/api_stream", params=ASK | {"token": "dead"})
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"code": 120, "message": "token不存在"}


@pytest.mark.parametrize("before", [[], [Delta("some")]])
@pytest.mark.parametrize(
    ("failed", "code", "message"),
    [
        (Failed("interrupted"), 500, "回答中断,请重新提问"),
        (Failed("account.throttled", retry_after=7200), 120, "已上限,24小时后尝试"),
    ],
)
async def test_a_failure_after_acceptance_is_one_frame(
    gateway: RunningGateway, before: list[Delta], failed: Failed, code: int, message: str
) -> None:
    gateway.worker.scripts["fail"] = [*before, failed]
    response = await gateway.client.get("/api_stream", params=ASK | {"question": "fail"})
    assert response.status_code == 200
    assert frames_of(response.content)[len(before) :] == [{"code": code, "message": message}]


async def test_a_question_that_nobody_takes_ends_in_one_frame(store: Store) -> None:
    async with running(store, settings(queue_timeout=0.1), worker=False) as gateway:
        response = await gateway.client.get("/api_stream", params=ASK)
        assert frames_of(response.content) == [{"code": 503, "message": "服务繁忙,请稍后再试"}]


async def test_a_deadline_within_the_stream_is_one_frame(store: Store) -> None:
    config = settings(queue_timeout=0.3, answer_timeout=0.1)
    async with running(store, config, timings=Timings(answer_margin=0.1)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["hang"] = [Delta("a"), gate, Final("a")]
            response = await gateway.client.get("/api_stream", params=ASK | {"question": "hang"})
            assert frames_of(response.content)[1:] == [{"code": 500, "message": "回答超时,请重新提问"}]


async def test_an_unforeseen_error_within_the_stream_is_one_frame(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("gateway.legacy.frames.LegacyFrames.render", broken)
    response = await gateway.client.get("/api_stream", params=ASK)
    assert frames_of(response.content) == [{"code": 500, "message": "未知错误"}]


async def test_a_cut_gateway_says_so_in_one_frame(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        async with streamed(gateway, "slow") as chunks:
            await read_until(chunks, "\n\n")
            gateway.active_requests.abort()
            rest = await read_until(chunks, "\n\n")
    assert frames_of(rest.encode()) == [{"code": 503, "message": "服务繁忙,请稍后再试"}]


async def test_a_client_that_left_ends_the_relay(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        async with streamed(gateway, "slow") as chunks:
            await read_until(chunks, "\n\n")
        gateway.active_requests.drain()
        async with asyncio.timeout(2):
            await gateway.active_requests.wait_drained(60)


# What a browser's EventSource gets.


async def test_an_event_source_gets_an_id_before_any_text(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [gate, Final("ab")]
        async with streamed(gateway, "slow", **EVENTS) as chunks:
            opening = await read_until(chunks, "\n\n")
    data, retry, event_id, *_ = opening.split("\n")
    assert json.loads(data.removeprefix("data: "))["data"] | {"token": ""} == EMPTY
    assert (retry, event_id[:6], event_id[-2:]) == ("retry: 1000", "id: s0", ".0")


async def test_events_have_ids_only_for_an_event_source(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/api_stream", params=ASK, headers=EVENTS)
    answer = response.headers["x-answer-id"]
    opening, *events = response.text.split("\n\n")
    assert opening.split("\n")[1:] == ["retry: 1000", f"id: {answer}.0"]
    assert [event.split("\n")[1] for event in events[:-1]] == [f"id: {answer}.{seq}" for seq in (1, 2, 3)]
    assert all(event.startswith("data: {") for event in [opening, *events[:-1]])
    assert "id:" not in (await gateway.client.get("/api_stream", params=ASK)).text


async def test_an_event_sources_sign_of_life_is_an_empty_delta_with_the_last_id(store: Store) -> None:
    async with running(store, timings=Timings(sse_ping_every=0.05)) as gateway:
        with closing_gate() as first, closing_gate() as second:
            gateway.worker.scripts["slow"] = [first, Delta("a"), second, Final("ab")]
            async with streamed(gateway, "slow", **EVENTS) as chunks:
                begun = await read_until(chunks, ".0\n\ndata: ")
                begun += await read_until(chunks, ".0\n\n")
                first.set()
                begun += await read_until(chunks, ".1\n\ndata: ")
                begun += await read_until(chunks, ".1\n\n")
                second.set()
                begun += await read_until(chunks, ".2\n\n")
                begun += "".join([chunk async for chunk in chunks])
    blocks = begun.split("\n\n")[:-1]
    assert ": ping" not in begun
    frames = [json.loads(block.split("\n")[0].removeprefix("data: "))["data"] for block in blocks]
    signs = [block for block, frame in zip(blocks, frames, strict=True) if frame | {"token": ""} == EMPTY]
    assert {sign.rpartition(".")[2] for sign in signs} == {"0", "1"}
    assert joined([{"data": frame} for frame in frames]) == "ab"


async def test_an_old_client_gets_no_sign_of_life(store: Store) -> None:
    async with running(store, timings=Timings(sse_ping_every=0.01, drop_in_first_event=0.05)) as gateway:
        with closing_gate() as gate:
            gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("ab")]
            async with streamed(gateway, "slow") as chunks:
                begun = await read_until(chunks, "\n\n")
                # A stream beside it has got two by now.
                async with streamed(gateway, "slow", **EVENTS) as others:
                    for _ in range(3):
                        await read_until(others, '"answer": ""')
                gate.set()
                begun += "".join([chunk async for chunk in chunks])
    assert [frame["data"]["answer"] for frame in frames_of(begun.encode())] == ["a", "b", "ab"]


@pytest.mark.parametrize("seq", [0, 1, 2])
async def test_a_stream_continues_where_it_stopped_and_asks_nothing(gateway: RunningGateway, seq: int) -> None:
    response = await gateway.client.get("/api_stream", params=ASK, headers=EVENTS)
    answer = response.headers["x-answer-id"]
    resumed = await gateway.client.get(
        "/api_stream", params=ASK, headers={**EVENTS, "last-event-id": f"{answer}.{seq}"}
    )
    assert resumed.text == "".join(f"{event}\n\n" for event in response.text.split("\n\n")[1 + seq : -1])
    assert resumed.headers["x-answer-id"] == answer
    assert len(gateway.worker.asked) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api_stream", ASK),
        (COMPLETIONS, chat("hi", stream=True)),
        ("/v1/responses", {"model": MODEL, "input": "hi", "stream": True}),
    ],
)
async def test_a_stream_behind_its_answer_runs_as_its_clients_steps_a_new_one_not(
    gateway: RunningGateway, path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams, key = catching_up(monkeypatch), {"idempotency-key": "0123456789abcdef"}
    first = await gateway.client.post(path, json=body, headers=EVENTS | key)
    answer = first.headers["x-answer-id"]
    assert streams == []
    repeated = await gateway.client.post(path, json=body, headers=EVENTS | key)
    assert (repeated.headers["x-answer-id"], len(streams)) == (answer, 1)
    resumed = await gateway.client.post(path, json=body, headers=EVENTS | {"last-event-id": f"{answer}.1"})
    assert (resumed.headers["x-answer-id"], len(streams)) == (answer, 2)
    assert (await gateway.client.get(f"/answers/{answer}/stream")).status_code == 200
    assert len(streams) == 3
    assert all(streams)


async def test_a_stream_continues_while_the_answer_is_being_written(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Delta("b"), Final("abc")]
        async with streamed(gateway, "slow", **EVENTS) as chunks:
            first = await read_until(chunks, ".1\n\n")
        last = [line for line in first.split("\n") if line.startswith("id: ")][-1].removeprefix("id: ")
        async with streamed(gateway, "slow", **EVENTS, **{"last-event-id": last}) as chunks:
            gate.set()
            rest = await read_until(chunks, '"done": true')
    texts = [json.loads(line[6:])["data"]["answer"] for line in rest.split("\n") if line.startswith("data: ")]
    assert texts == ["b", "c", "abc"]
    assert len(gateway.worker.asked) == 1


async def test_a_stream_continues_at_another_gateway(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/api_stream", params=ASK, headers=EVENTS)
    last = f"{response.headers['x-answer-id']}.2"
    async with running(gateway.store, worker=False) as other:
        resumed = await other.client.get("/api_stream", headers={**EVENTS, "last-event-id": last})
    assert resumed.text.split("\n\n") == response.text.split("\n\n")[3:]


@pytest.mark.parametrize("place", ["the end", "beyond", "an unknown answer", "the start of an unknown answer"])
async def test_an_event_source_with_nothing_to_resume_gets_a_204(gateway: RunningGateway, place: str) -> None:
    answer = (await gateway.client.get("/api_stream", params=ASK, headers=EVENTS)).headers["x-answer-id"]
    last = {
        "the end": f"{answer}.3",
        "beyond": f"{answer}.9",
        "an unknown answer": f"{new_answer_id()}.1",
        "the start of an unknown answer": f"{new_answer_id()}.0",
    }[place]
    response = await gateway.client.get("/api_stream", params=ASK, headers={**EVENTS, "last-event-id": last})
    assert (response.status_code, response.content) == (204, b"")
    assert len(gateway.worker.asked) == 1


async def test_an_end_behind_events_that_redis_lost_is_still_sent(gateway: RunningGateway) -> None:
    answer = (await gateway.client.get("/api_stream", params=ASK, headers=EVENTS)).headers["x-answer-id"]
    await redis_client(gateway.store).xdel(keys.log_key(answer), "2-0")
    headers = {**EVENTS, "last-event-id": f"{answer}.2"}
    response = await gateway.client.get("/api_stream", params=ASK, headers=headers)
    assert response.text.endswith(f"\nid: {answer}.3\n\n")
    assert '"done": true' in response.text.split("\n\n")[-2]


async def test_an_id_of_somebody_else_asks(gateway: RunningGateway) -> None:
    response = await gateway.client.get("/api_stream", params=ASK, headers={**EVENTS, "last-event-id": "17"})
    assert '"done": true' in response.text


async def test_an_event_source_comes_back_after_a_drain(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("a")]
        async with streamed(gateway, "slow", **EVENTS) as chunks:
            last = (await read_until(chunks, ".1\n\n")).split("id: ")[-1].split("\n")[0]
            gateway.active_requests.drain()
            again = await gateway.client.get("/api_stream", headers={**EVENTS, "last-event-id": last})
            assert (again.status_code, again.headers["content-type"][:17], again.text) == (200, "text/event-stream", "")
            gateway.active_requests.abort()
            assert [chunk async for chunk in chunks] == []


@pytest.mark.parametrize("store_url", ["redis://127.0.0.1:1/0"])
async def test_an_event_source_comes_back_while_redis_is_away(store: Store) -> None:
    last = f"{new_answer_id()}.4"
    async with running(store, worker=False) as gateway:
        response = await gateway.client.get("/api_stream", headers={**EVENTS, "last-event-id": last})
    assert (response.status_code, response.headers["content-type"][:17], response.text) == (
        200,
        "text/event-stream",
        "",
    )


async def test_an_answer_whose_log_is_lost_ends_in_one_frame(store: Store) -> None:
    async with running(store, worker=False, timings=Timings(drop_in_first_event=0.0)) as gateway:
        response = asyncio.create_task(gateway.client.get("/api_stream", params=ASK))
        await until(lambda: has_tokens(store))
        await redis_client(store).flushall()
        assert frames_of((await response).content) == [{"code": 500, "message": "回答已丢失,请重新提问"}]


# Without a server.


async def test_a_client_that_does_not_read_holds_nothing_for_ever(store: Store) -> None:
    hanging = asyncio.Event()

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            await hanging.wait()

    async def receive() -> dict[str, object]:
        await hanging.wait()
        return {"type": "http.disconnect"}

    async with Answers(store) as answers, asyncio.timeout(5):
        frames = LegacyFrames("token", reconnects=True)
        stream = sse.AnswerStream(
            ActiveRequests(),
            0.05,
            answers.follow("s0-none"),
            "s0-none",
            frames,
            ResponseRoom().frames(ANYBODY),
            event_source=True,
            timings=Timings(last_send_limit=0.01),
        )
        await stream({"state": {"error_metrics": ErrorMetrics()}}, receive, send)  # type: ignore[arg-type]


async def test_what_has_come_together_leaves_in_one_chunk_with_each_event_as_it_is() -> None:
    events: list[Event] = [Delta("a"), Delta("b"), Delta("c"), Final("abc")]
    chunks = {together: await _chunks(events, together) for together in (True, False)}
    assert b"".join(chunks[True]) == b"".join(chunks[False])
    assert [len(chunk.split(b"data: ")) - 1 for chunk in chunks[False]] == [1, 1, 1, 1, 1]
    assert [len(chunk.split(b"data: ")) - 1 for chunk in chunks[True]] == [1, 4]


async def test_of_what_has_come_together_a_chunk_has_few_bytes() -> None:
    events: list[Event] = [*(Delta("x" * 10_000) for _ in range(20)), Final("x")]
    chunks = await _chunks(events, together=True)
    assert max(map(len, chunks)) <= LARGE
    assert 4 < len(chunks) < len(events)


async def test_a_stream_behind_its_answer_has_room_for_what_it_has_sent_and_gives_it_back() -> None:
    room = CountedRoom()
    assert len(await _chunks(LONG, together=True, admit=room.admit)) > 4
    assert room.most == 0
    chunks = await _chunks(LONG, together=True, admit=room.admit, behind=True)
    assert 8 * sum(map(len, chunks)) - room.most < 8 * LARGE
    assert room.most > 8 * LARGE
    assert room.held == 0


async def test_a_stream_behind_its_answer_is_cut_where_its_client_has_no_more_room() -> None:
    room = CountedRoom(limit=16 * LARGE)
    chunks = await _chunks(LONG, together=True, admit=room.admit, behind=True)
    assert 0 < sum(map(len, chunks)) < 3 * LARGE
    assert b'"done": true' not in b"".join(chunks)
    assert room.held == 0


LONG: list[Event] = [*(Delta("x" * 10_000) for _ in range(40)), Final("x")]


class CountedRoom:
    """Room for up to `limit` bytes; `most` is how many were held at once."""

    def __init__(self, limit: int = 2**30) -> None:
        self.held = self.most = 0
        self._limit = limit

    @contextmanager
    def admit(self, size: int) -> Iterator[None]:
        """See ResponseRoom."""
        if self.held + size > self._limit:
            raise ClientFullError(1)
        self.held += size
        self.most = max(self.most, self.held)
        yield
        self.held -= size


async def _chunks(
    events: list[Event], together: bool, admit: Admit | None = None, *, behind: bool = False
) -> list[bytes]:
    """Return the body of a stream whose events are there all together, or come one by one."""
    sent: list[bytes] = []

    class Entries:
        answer = "s0-a"

        async def __aiter__(self) -> AsyncIterator[AnswerEvent]:
            for seq, event in enumerate(events, 1):
                yield AnswerEvent(seq, event, more=together and seq < len(events))

    @asynccontextmanager
    async def follow() -> AsyncIterator[Any]:
        yield Entries()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.append(message.get("body", b""))

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    frames, admit = LegacyFrames("t", reconnects=True), admit or ResponseRoom().frames(ANYBODY)
    active, steps = ActiveRequests(), ClientSteps(LongSteps(), "client")
    stream = sse.AnswerStream(active, 5, follow(), "s0-a", frames, admit, event_source=True, behind=behind)
    await stream({"type": "http", "state": {"error_metrics": ErrorMetrics(), "steps": steps}}, receive, send)
    return sent


@given(st.from_regex(r"s[0-9]{1,4}-[0-9a-f]{32}", fullmatch=True), st.integers(0, 10**9 - 1))
def test_an_event_id_names_its_position(answer: str, seq: int) -> None:
    event_id = sse.EventId(answer, seq)
    assert sse.parse_event_id(str(event_id)) == event_id


@given(st.text())
def test_other_ids_name_nothing(text: str) -> None:
    assert sse.parse_event_id(text) is None
