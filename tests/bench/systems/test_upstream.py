"""The model server's answers are OpenAI's, and ours over it are whole."""

import json
from pathlib import Path

import pytest

from bench.clients import client
from bench.clients.load import LoadOutcome, LoadPlan
from bench.clients.transports import OPENAI
from bench.systems.path import start_served_path, wait_for_workers
from bench.systems.processes import Processes
from bench.systems.upstream import ChunkFrames, ModelServer
from bench.systems.upstream_process import start_upstream

pytestmark = pytest.mark.anyio


def ignore(_: str) -> None:
    """Ignore the window."""


async def answers(ports: list[int], transport: str) -> LoadOutcome:
    return await client.run(LoadPlan(ports, 4, 8, 20.0, 0.1, 60.0, transport), ignore)


def whole(outcome: LoadOutcome) -> bool:
    return (outcome.asked, outcome.complete, outcome.wrong, outcome.deltas) == (4, 4, {}, 32)


def test_a_chunk_of_text_is_json_like_the_others() -> None:
    frames = ChunkFrames(1)
    parsed = json.loads(frames.delta("delta 000001  t=1 ").removeprefix(b"data: "))
    assert parsed["choices"][0]["delta"] == {"content": "delta 000001  t=1 "}
    assert frames.delta("x") == frames.chunk({"content": "x"})


async def test_what_is_no_question_gets_the_list_of_models() -> None:
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        raise AssertionError("nothing to read")

    await ModelServer()({"type": "http", "method": "GET", "path": "/v1/models"}, receive, send)
    assert b'"bench"' in sent[-1]["body"]  # type: ignore[index]


async def test_our_path_before_it_answers_completely_both_ways(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        upstream = await start_upstream(processes)
        assert whole(await answers([upstream.port], OPENAI))
        sides = await start_served_path(processes, tmp_path, "ours", 16, upstream)
        await wait_for_workers()
        assert [system.side for system in sides] == ["ours openai", "ours sse"]
        for system in sides:
            assert system.roles["upstream"] == [upstream.pid]
            assert whole(await answers(list(system.ports), system.transport))
