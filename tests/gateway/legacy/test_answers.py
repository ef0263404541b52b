"""/answers over real connections: how far one has come, its stream, its stop."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, closing_gate, joined, running, settings
from tests.support.redis_client import redis_client
from wire import keys
from wire.blocks import Block, Piece
from wire.jobs import new_answer_id
from wire.messages import Delta, Failed, Final, Replace, Source, TurnCount, Usage
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ASK = {"style": "balanced", "question": "hi"}
EVENTS = {"accept": "text/event-stream"}
GONE = {"code": 404, "message": "未找到文件"}


@asynccontextmanager
async def asked(gateway: RunningGateway, question: str, *events: str) -> AsyncIterator[tuple[str, list[Any]]]:
    """Ask with a stream whose first frames hold `events`; yield its answer's id, and the frames as they come."""
    frames: list[Any] = []
    fields = {"style": "balanced", "question": question}

    async def read(lines: AsyncIterator[str]) -> None:
        async for line in lines:
            if line.startswith("data: "):
                frames.append(json.loads(line[6:]))

    async with gateway.client.stream("GET", "/api_stream", params=fields) as response:
        reading = asyncio.create_task(read(response.aiter_lines()))
        await until(lambda: [frame["data"]["answer"] for frame in frames] == list(events))
        yield response.headers["x-answer-id"], frames
        await asyncio.wait_for(reading, 5)


async def ended(gateway: RunningGateway, question: str = "hi") -> tuple[str, list[str]]:
    """Read an answer to its end; return its id and its events."""
    fields = {"style": "balanced", "question": question}
    response = await gateway.client.get("/api_stream", params=fields, headers=EVENTS)
    return response.headers["x-answer-id"], response.text.split("\n\n")[1:-1]


async def standing(gateway: RunningGateway, answer: str) -> Any:
    response = await gateway.client.get(f"/answers/{answer}")
    assert response.status_code == 200
    assert response.headers["x-answer-id"] == answer
    assert response.headers["cache-control"] == "no-store"
    frame = response.json()
    assert (frame["code"], frame["message"]) == (200, "success")
    return frame["data"]


# How far an answer has come


async def test_a_running_answer_shows_its_text_so_far(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), Replace("b"), Delta("c"), gate, Final("bcd")]
        async with asked(gateway, "slow", "a", "b", "c") as (answer, frames):
            assert await standing(gateway, answer) == {
                "answer": answer,
                "token": frames[0]["data"]["token"],
                "state": "running",
                "position": None,
                "wait": None,
                "seq": 3,
                "text": "bc",
                "urls": [],
                "images": [],
                "suggestions": [],
                "turns": None,
                "reset": False,
                "error": None,
                "provider": None,
                "model": None,
                "reasoning": "",
                "refusal": "",
                "tool_calls": [],
                "usage": None,
            }
            gate.set()
        body = await standing(gateway, answer)
        assert (body["state"], body["seq"], body["text"]) == ("done", 4, "bcd")


async def test_an_answer_that_is_done_shows_all_that_belongs_to_it(gateway: RunningGateway) -> None:
    end = Final(
        "天空",
        urls=(Source("标题", "https://e.org"),),
        suggestions=("why?",),
        turns=TurnCount(2, 30),
        reset=True,
        provider="bing",
    )
    gateway.worker.scripts["whole"] = [Delta("天"), end]
    answer, _ = await ended(gateway, "whole")
    response = await gateway.client.get(f"/answers/{answer}")
    token = response.json()["data"]["token"]
    assert response.text == (
        '{"code": 200, "message": "success", "data": '
        f'{{"answer": "{answer}", "token": "{token}", "state": "done", '
        '"position": null, "wait": null, "seq": 2, "text": "天空", '
        '"urls": [{"title": "标题", "url": "https://e.org"}], "images": [], "suggestions": ["why?"], '
        '"turns": {"used": 2, "limit": 30}, "reset": true, "error": null, "provider": "bing", '
        '"model": null, "reasoning": "", "refusal": "", "tool_calls": [], "usage": null}}'
    )


async def test_reasoning_and_calls_are_shown_while_they_come_and_at_the_end(gateway: RunningGateway) -> None:
    blocks = (Block("reasoning", "hm, yes"), Block("text", "so"), Block("tool_call", '{"a":1}', "c1", "f"))
    usage = Usage(9, 8, cached=3, reasoning=5, raw={"total_tokens": 17})
    with closing_gate() as gate:
        gateway.worker.scripts["think"] = [
            Delta("", "openai", "gpt-4o", (Piece(0, "reasoning", "hm, "),)),
            Delta("so", pieces=(Piece(0, "reasoning", "yes"), Piece(1, "text", "so"))),
            gate,
            Delta("", pieces=(Piece(2, "tool_call", '{"a":1}', "c1", "f"),)),
            Final("so", blocks=blocks, provider="openai", model="gpt-4o", usage=usage),
        ]
        async with asked(gateway, "think", "so") as (answer, frames):
            body = await standing(gateway, answer)
            assert (body["seq"], body["text"], body["reasoning"], body["model"]) == (2, "so", "hm, yes", "gpt-4o")
            assert body["tool_calls"] == []
            gate.set()
    assert [frame["data"]["answer"] for frame in frames] == ["so", "so"]
    body = await standing(gateway, answer)
    assert body["tool_calls"] == [{"id": "c1", "name": "f", "arguments": '{"a":1}'}]
    assert body["usage"] == {"prompt": 9, "completion": 8, "cached": 3, "cache_written": 0, "reasoning": 5}


async def test_an_answer_without_text_fails_on_the_old_endpoints_alone(gateway: RunningGateway) -> None:
    gateway.worker.scripts["call"] = [Final("", blocks=(Block("tool_call", "{}", "c1", "f"),))]
    response = await gateway.client.get("/api", params=ASK | {"question": "call"})
    assert (response.status_code, response.json()) == (
        500,
        {"code": 500, "message": "回答没有文字,只有推理或工具调用"},
    )
    body = await standing(gateway, response.headers["x-answer-id"])
    assert (body["state"], body["text"], len(body["tool_calls"])) == ("done", "", 1)


async def test_a_failed_answer_keeps_its_text_and_reports_its_reason(gateway: RunningGateway) -> None:
    gateway.worker.scripts["fail"] = [Delta("half"), Failed("interrupted", "half")]
    answer, _ = await ended(gateway, "fail")
    body = await standing(gateway, answer)
    assert (body["state"], body["seq"], body["text"], body["reset"]) == ("failed", 2, "half", True)
    assert body["error"] == {
        "code": 500,
        "message": "回答中断,请重新提问",
        "reason": "interrupted",
        "retry_after": None,
    }


async def test_a_question_that_waits_is_queued(store: Store) -> None:
    async with running(store, worker=False) as gateway:
        async with asked(gateway, "hi") as (answer, frames):
            body = await standing(gateway, answer)
            assert (body["state"], body["seq"], body["text"]) == ("queued", 0, "")
            assert body["position"] == 1
            assert body["wait"] >= 1
            await gateway.client.delete(f"/answers/{answer}")
        assert len(frames) == 1


async def test_pictures_are_shown_too(gateway: RunningGateway) -> None:
    gateway.worker.scripts["Cat"] = [Final("", images=("https://e.org/1",))]
    answer = (await gateway.client.get("/image", params={"keyword": "Cat"})).headers["x-answer-id"]
    body = await standing(gateway, answer)
    assert (body["state"], body["images"]) == ("done", ["https://e.org/1"])


@pytest.mark.parametrize("cors_origins", ["*"])
@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("DELETE", ""), ("GET", "/stream"), ("HEAD", "/stream")])
async def test_an_unknown_answer_is_a_404(gateway: RunningGateway, method: str, tail: str) -> None:
    for answer in (new_answer_id(), f"{new_answer_id()}.1", "s1-" + "0" * 32, "s0-none", "s0-" + "g" * 32, "%0a"):
        response = await gateway.client.request(method, f"/answers/{answer}{tail}")
        assert response.status_code == 404
        assert response.headers["access-control-allow-origin"] == "*"
        if method != "HEAD":
            assert response.json() == GONE


async def test_an_answer_that_is_no_longer_kept_is_a_404(gateway: RunningGateway) -> None:
    answer, _ = await ended(gateway)
    await redis_client(gateway.store).delete(keys.log_key(answer))
    assert (await gateway.client.get(f"/answers/{answer}")).json() == GONE
    await redis_client(gateway.store).delete(keys.job_key(answer))
    for method, tail in (("GET", ""), ("DELETE", ""), ("GET", "/stream")):
        response = await gateway.client.request(method, f"/answers/{answer}{tail}", headers={"accept-language": "en"})
        assert response.json() == {"code": 404, "message": "Not found"}


# Its stream


@pytest.mark.parametrize("seq", [0, 1, 2])
@pytest.mark.parametrize("how", ["after", "last-event-id", "both"])
async def test_a_stream_continues_at_another_gateway(gateway: RunningGateway, seq: int, how: str) -> None:
    answer, events = await ended(gateway)
    params = {} if how == "last-event-id" else {"after": str(seq if how == "after" else 0)}
    headers = {} if how == "after" else {"last-event-id": f"{answer}.{seq}"}
    async with running(gateway.store, worker=False) as other:
        response = await other.client.get(f"/answers/{answer}/stream", params=params, headers=headers)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-answer-id"] == answer
    received = response.text.split("\n\n")[:-1]
    if how == "after":
        opening = received.pop(0).split("\n")
        assert '"answer": "", ' in opening[0]
        assert opening[1:] == ["retry: 1000", f"id: {answer}.{seq}"]
    assert received == events[seq:]
    assert len(gateway.worker.asked) == 1


async def test_without_a_place_the_whole_stream_comes(gateway: RunningGateway) -> None:
    answer, events = await ended(gateway)
    response = await gateway.client.get(f"/answers/{answer}/stream", headers={"last-event-id": f"{new_answer_id()}.2"})
    assert response.text.split("\n\n")[1:-1] == events


async def test_a_stream_follows_an_answer_that_is_being_written(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Delta("b"), Final("ab")]
        async with asked(gateway, "slow", "a") as (answer, _):
            following = asyncio.create_task(gateway.client.get(f"/answers/{answer}/stream", params={"after": 1}))
            gate.set()
            events = (await following).text.split("\n\n")[1:-1]
    assert [event.split("\n")[1] for event in events] == [f"id: {answer}.2", f"id: {answer}.3"]
    assert [json.loads(event.split("\n")[0][6:])["data"]["answer"] for event in events] == ["b", "ab"]


@pytest.mark.parametrize("after", [3, 4, 999])
async def test_after_the_end_there_is_nothing(gateway: RunningGateway, after: int) -> None:
    answer, _ = await ended(gateway)
    response = await gateway.client.get(f"/answers/{answer}/stream", params={"after": after})
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("after", ["-1", "x", "", "1.5", "9" * 10, "\uff11"])
async def test_a_place_that_is_none_is_a_format_error(gateway: RunningGateway, after: str) -> None:
    answer, _ = await ended(gateway)
    response = await gateway.client.get(f"/answers/{answer}/stream", params={"after": after})
    assert (response.status_code, response.json()) == (200, {"code": 110, "message": "格式错误"})


# Its stop


async def test_a_stop_ends_the_stream_with_the_text_so_far(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), Delta("b"), gate, Delta("c"), Final("abc")]
        async with asked(gateway, "slow", "a", "b") as (answer, frames):
            response = await gateway.client.delete(f"/answers/{answer}")
        gate.set()
        data = response.json()["data"]
        assert (data["state"], data["text"], data["seq"], data["reset"]) == ("stopped", "ab", 3, True)
        last = frames[-1]["data"]
        assert (last["answer"], last["done"], last["reset"]) == ("ab", True, True)
        assert joined(frames) == "ab"
        await until(lambda: _free(gateway.store))
        again = await gateway.client.get("/api", params=ASK | {"token": last["token"]})
        assert again.json()["code"] == 200


async def _free(store: Store) -> bool:
    return not await redis_client(store).keys("*stops:*")


async def test_a_stop_of_what_waits_ends_it_at_once(store: Store) -> None:
    async with running(store, worker=False) as gateway:
        async with asked(gateway, "hi") as (answer, frames):
            response = await gateway.client.delete(f"/answers/{answer}")
        assert response.json()["data"]["state"] == "stopped"
        (last,) = frames
        assert (last["code"], last["data"]["answer"], last["data"]["done"], last["data"]["reset"]) == (
            200,
            "",
            True,
            True,
        )


async def test_a_whole_answer_that_is_stopped_is_a_success(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("abc")]
        asking = asyncio.create_task(gateway.client.get("/api", params=ASK | {"question": "slow"}))
        bodies: list[Any] = []

        async def streams() -> bool:
            bodies[:] = await redis_client(gateway.store).keys("*log:*")
            return bool(bodies)

        await until(streams)
        await gateway.client.delete(f"/answers/{bodies[0].decode().split('log:')[1]}")
        response = await asking
        assert response.json()["data"]["answer"] == "a"
        assert response.json()["data"]["reset"] is True


@pytest.mark.parametrize("question", ["hi", "fail"])
async def test_a_stop_after_the_end_says_how_it_ended(gateway: RunningGateway, question: str) -> None:
    gateway.worker.scripts["fail"] = [Failed("x", code=500, message="坏了")]
    answer, _ = await ended(gateway, question)
    before = await standing(gateway, answer)
    for _ in range(2):
        response = await gateway.client.delete(f"/answers/{answer}")
        assert (response.status_code, response.json()["data"]) == (200, before)


async def test_a_second_stop_says_the_same(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("abc")]
        async with asked(gateway, "slow", "a") as (answer, _):
            first = await gateway.client.delete(f"/answers/{answer}")
            second = await gateway.client.delete(f"/answers/{answer}")
    assert first.text == second.text


# Whose it is, methods, draining, outage


async def test_with_keys_an_answer_is_only_its_holders(store: Store, tmp_path: Path) -> None:
    listed = [f"{name} {hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("alice", "bob")]
    (tmp_path / "keys").write_text("".join(listed))
    alice, bob = {"x-api-key": "alice"}, {"x-api-key": "bob"}
    async with running(store, settings(api_keys_file=tmp_path / "keys")) as gateway:
        answer = (await gateway.client.get("/api", params=ASK, headers=alice)).headers["x-answer-id"]
        for method, tail in (("GET", ""), ("DELETE", ""), ("GET", "/stream"), ("HEAD", "/stream")):
            url = f"/answers/{answer}{tail}"
            statuses = [
                (await gateway.client.request(method, url, headers=headers)).status_code for headers in (alice, bob, {})
            ]
            assert statuses == [200, 404, 401]
        resumed = {**EVENTS, "last-event-id": f"{answer}.0"}
        assert (await gateway.client.get("/api_stream", headers=resumed | bob)).status_code == 204
        assert (await gateway.client.get("/api_stream", headers=resumed | alice)).status_code == 200


@pytest.mark.parametrize(("tail", "allowed"), [("", "GET, HEAD, DELETE, OPTIONS"), ("/stream", "GET, HEAD, OPTIONS")])
async def test_looking_is_possible(gateway: RunningGateway, tail: str, allowed: str) -> None:
    answer, _ = await ended(gateway)
    head = await gateway.client.head(f"/answers/{answer}{tail}")
    assert (head.status_code, head.content) == (200, b"")
    options = await gateway.client.options(f"/answers/{answer}{tail}")
    assert (options.status_code, options.headers["allow"]) == (204, allowed)
    assert (await gateway.client.put(f"/answers/{answer}{tail}")).status_code == 405


@pytest.mark.parametrize("cors_origins", ["*"])
async def test_a_page_may_stop_an_answer(gateway: RunningGateway) -> None:
    preflight = {"origin": "http://a.example", "access-control-request-method": "DELETE"}
    response = await gateway.client.options(f"/answers/{new_answer_id()}", headers=preflight)
    assert response.status_code == 204
    assert "DELETE" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-origin"] == "*"


async def test_a_draining_gateway_still_looks_and_stops(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["slow"] = [Delta("a"), gate, Final("abc")]
        async with asked(gateway, "slow", "a") as (answer, frames):
            gateway.active_requests.drain()
            assert (await standing(gateway, answer))["state"] == "running"
            stream = await gateway.client.get(f"/answers/{answer}/stream", params={"after": 1})
            assert (stream.status_code, stream.headers["content-type"][:17], stream.text) == (
                200,
                "text/event-stream",
                "",
            )
            assert (await gateway.client.delete(f"/answers/{answer}")).json()["data"]["state"] == "stopped"
        assert frames[-1]["data"]["done"] is True


@pytest.mark.parametrize("store_url", ["redis://127.0.0.1:1/0"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_while_redis_is_away_it_gets_retry_after(store: Store, method: str) -> None:
    async with running(store, worker=False) as gateway:
        response = await gateway.client.request(method, f"/answers/{new_answer_id()}")
    assert (response.status_code, response.json()["code"]) == (503, 503)
    assert response.headers["retry-after"]
