"""Two upstreams: the emulator, and a chat server that follows a test's script exactly."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from worker.settings import WorkerSettings

Script = Callable[[web.WebSocketResponse], Awaitable[None]]


@dataclass
class Stage:
    """What the server does, and what it saw. `script` runs once the question has arrived."""

    url: str = ""
    create: Callable[[], web.StreamResponse | Awaitable[web.StreamResponse]] | None = None
    shake: Script | None = None
    script: Script | None = None
    creates: list[dict[str, str]] = field(default_factory=list)
    upgrades: list[web.Request] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    codes: list[int | None] = field(default_factory=list)

    @property
    def settings(self) -> WorkerSettings:
        return WorkerSettings(
            bing_create_url=f"{self.url}/create",
            bing_chat_url=f"{self.url.replace('http', 'ws')}/chat",
            bing_image_url=self.url,
            connect_timeout=5.0,
        )

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [record for record in self.received if record.get("type") == 4]

    async def serve_create(self, request: web.Request) -> web.StreamResponse:
        self.creates.append(dict(request.headers))
        if self.create is not None:
            response = self.create()
            return response if isinstance(response, web.StreamResponse) else await response
        ids = {"conversationId": f"c{len(self.creates)}", "clientId": "p", "conversationSignature": "s"}
        return web.json_response({**ids, "result": {"value": "Success", "message": None}})

    async def serve_chat(self, request: web.Request) -> web.StreamResponse:
        self.upgrades.append(request)
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        try:
            await self._talk(socket)
        finally:
            self.codes.append(socket.close_code)
        return socket

    async def _talk(self, socket: web.WebSocketResponse) -> None:
        await socket.receive_str()
        if self.shake is not None:
            await self.shake(socket)
        else:
            await socket.send_str("{}\x1e")
        async for message in socket:
            self.received += [json.loads(record) for record in message.data.split("\x1e") if record]
            if self.received[-1]["type"] == 4 and self.script is not None:
                await self.script(socket)


@pytest.fixture
async def bing() -> AsyncIterator[Emulator]:
    """Start an emulator that answers without a pause."""
    async with Emulator(EmulatorSettings(port=0, pace=0)) as emulator:
        yield emulator


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    app = web.Application()
    app.router.add_get("/create", stage.serve_create)
    app.router.add_get("/chat", stage.serve_chat)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stage.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stage
    await runner.cleanup()
