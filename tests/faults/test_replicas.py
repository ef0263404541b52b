"""The whole system on a primary whose replica takes nothing: what a fail-over would lose isn't accepted."""

import asyncio
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support.conditions import until
from tests.support.processes import Deployment, deployment
from tests.support.replicated_servers import replicated_servers

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

DELTAS = 40


async def ask(running: Deployment, question: str, path: str = "/api") -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.get(f"{running.url}{path}", params={"style": "balanced", "question": question})


async def answered(running: Deployment, question: str) -> bool:
    return (await ask(running, question)).status_code == 200


async def test_a_question_that_no_replica_has_is_refused_and_never_sent(tmp_path: Path) -> None:
    """What streams continues: nothing waits for deltas."""
    with replicated_servers() as servers, deployment(tmp_path, servers.url) as running:
        question = f"!deltas={DELTAS} !rate=20"
        streaming = asyncio.create_task(ask(running, question, "/api_stream"))
        await until(lambda: bool(running.turns(question)), "it is sent")
        with servers.frozen_replica():
            refused = await ask(running, "meanwhile")
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            stream = (await streaming).text
        assert '"done": true' in stream
        assert f"delta {DELTAS:06}" in stream
        await until(partial(answered, running, "afterwards"), "it is answered again")
        assert running.turns("meanwhile") == []
        assert len(running.turns(question)) == 1
