"""The application and its life."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

import structlog
from aiohttp import web

from emulator import script
from emulator.bing import Bing
from emulator.chathub import ChatHub
from emulator.clock import Clock
from emulator.creates import Creates
from emulator.images import Images
from emulator.ledger import Ledger
from emulator.openai import models
from emulator.openai.completions import Completions
from emulator.openai.models import Models
from emulator.openai.pictures import Pictures
from emulator.settings import EmulatorSettings

SHUTDOWN_LIMIT = 0.3
MAX_BODY = 16 * 1024 * 1024  # a long conversation is sent whole with each question
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger()


class Running:
    """The requests now being served, so that leaving does not wait for them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def tracked(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                return await handler(request)
            finally:
                self._tasks.discard(task)

        return handle

    async def end(self, _app: web.Application) -> None:
        for task in list(self._tasks):
            task.cancel()


class Control:
    """The endpoints by which tests look in and give orders."""

    def __init__(self, bing: Bing) -> None:
        self._bing = bing

    async def ledger(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._bing.ledger.encode(), content_type="application/json")

    async def clear(self, _request: web.Request) -> web.Response:
        self._bing.ledger.clear()
        return web.json_response({"cleared": True})

    async def script(self, request: web.Request) -> web.Response:
        try:
            order = script.parse(await request.read())
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        script.apply(order, self._bing)
        return web.json_response({"done": True})

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})


def application(bing: Bing) -> web.Application:
    """All endpoints of the stand-in."""
    running, control, images = Running(), Control(bing), Images(bing)
    app = web.Application(client_max_size=MAX_BODY)
    create, chat = running.tracked(Creates(bing).handle), running.tracked(ChatHub(bing).handle)
    app.add_routes(
        [
            web.get("/turing/conversation/create", create),
            web.get("/edgesvc/turing/conversation/create", create),
            web.get("/sydney/ChatHub", chat),
            web.post("/images/create", running.tracked(images.submit)),
            web.get("/images/create", images.show),
            web.get("/images/create/async/results/{id}", running.tracked(images.poll)),
            web.get("/th/id/{name}", images.picture),
            web.get("/_ledger", control.ledger),
            web.delete("/_ledger", control.clear),
            web.post("/_script", control.script),
            web.get("/_health", control.health),
            *openai_routes(bing, running),
        ]
    )
    app.on_shutdown.append(running.end)
    return app


def openai_routes(bing: Bing, running: Running) -> list[web.RouteDef]:
    """The endpoints of the other API, all under /v1."""
    listed = Models(bing)
    return [
        web.post("/v1/chat/completions", running.tracked(Completions(bing).handle)),
        web.post("/v1/images/generations", running.tracked(Pictures(bing).handle)),
        web.get("/v1/models", listed.index),
        web.get("/v1/models/{id:.+}", listed.show),
        web.route("*", "/v1/{rest:.*}", models.unknown),
    ]


class Emulator:
    """The stand-in, serving between enter and exit.

    Port 0 in the settings takes any free one; `url`, `chat_url`, `create_url` and `openai_url` say which. Raises
    OSError when the address can't be had.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._bing = Bing(settings)
        self._runner: web.AppRunner | None = None
        self._port = settings.port

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(
            application(self._bing), access_log=None, shutdown_timeout=SHUTDOWN_LIMIT, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port, backlog=1024)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        log.info("emulator serving", url=self.url, pace=self._settings.pace)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        log.info("emulator ended")

    @property
    def ledger(self) -> Ledger:
        return self._bing.ledger

    @property
    def clock(self) -> Clock:
        return self._bing.clock

    @property
    def url(self) -> str:
        return f"http://{self._settings.host}:{self._port}"

    @property
    def chat_url(self) -> str:
        return f"ws://{self._settings.host}:{self._port}/sydney/ChatHub"

    @property
    def create_url(self) -> str:
        return f"{self.url}/turing/conversation/create"

    @property
    def openai_url(self) -> str:
        """The base address of the other API, as its clients are given it."""
        return f"{self.url}/v1"
