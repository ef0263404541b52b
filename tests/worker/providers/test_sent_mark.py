import httpx
import pytest

from tests.support.conditions import until
from tests.support.worker.openai_server import OpenAIServer
from worker.providers.sent_mark import SendHook

pytestmark = pytest.mark.anyio


async def test_it_is_set_once_when_connected_and_before_anything_is_written() -> None:
    marks: list[int] = []

    async with OpenAIServer() as server_stub:

        async def before_send() -> None:
            await until(lambda: server_stub.connections == 1)
            marks.append(server_stub.bytes)

        mark = SendHook(before_send)
        for _ in range(2):
            async with httpx.AsyncClient() as client:
                await client.post(server_stub.url, content=b"x", extensions={"trace": mark.trace})
        assert marks == [0]
        assert len(server_stub.asked) == 2


async def test_a_veto_is_kept_and_nothing_is_written() -> None:
    veto = RuntimeError("stale")

    async def before_send() -> None:
        raise veto

    mark = SendHook(before_send)
    async with OpenAIServer() as server_stub, httpx.AsyncClient() as client:
        with pytest.raises(RuntimeError, match="stale"):
            await client.post(server_stub.url, content=b"x", extensions={"trace": mark.trace})
        assert mark.veto is veto
        assert (server_stub.bytes, server_stub.asked) == (0, [])
