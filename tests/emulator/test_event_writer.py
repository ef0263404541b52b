import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from emulator.event_writer import EventWriter
from emulator.sse_layout import SseLayout

pytestmark = pytest.mark.anyio


async def test_events_wait_for_a_full_write_and_the_end_sends_the_rest() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        writer = EventWriter(request, SseLayout(batch=2), {"x-a": "1"})
        await writer.flush_waiting()
        for text in ("data: 1\n\n", "data: 2\n\n", "data: 3\n\n"):
            await writer.send(text)
        writer.add("data: 4\n\n")
        return await writer.end()

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestServer(app) as server, httpx.AsyncClient() as client:
        response = await client.get(str(server.make_url("/")))
    assert response.text == "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n"
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["x-a"] == "1"
