"""The application and its life."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

import structlog
from aiohttp import web

from emulator import pictures, script
from emulator.anthropic.messages import MessageHandler
from emulator.anthropic.models import AnthropicModelList
from emulator.anthropic.thought_signatures import ThoughtSignatures
from emulator.anthropic.token_counts import TokenCountHandler
from emulator.bing.chathub import ChatHub
from emulator.bing.conversation_create import ConversationCreate
from emulator.bing.conversations import ChatHubConversations
from emulator.bing.images import ImageCreator
from emulator.clock import EmulatorClock
from emulator.control import ControlApi
from emulator.ledger import UpstreamLedger
from emulator.openai import models
from emulator.openai.completions import CompletionHandler
from emulator.openai.embeddings import EmbeddingHandler
from emulator.openai.image_generations import ImageGenerations
from emulator.openai.models import ModelList
from emulator.openai.text_completions import TextCompletionHandler
from emulator.openai.threads import ThreadIndex
from emulator.responses.responses import ResponseHandler
from emulator.settings import EmulatorSettings
from emulator.state import EmulatorState

SHUTDOWN_LIMIT = 0.3
MAX_BODY = 16 * 1024 * 1024  # a long conversation is sent whole with each question
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger()


class RequestTracker:
    """The requests now being served, so that the shutdown does not wait for them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def track(self, handler: Handler) -> Handler:
        """Return a handler whose requests the shutdown cancels."""

        async def handle(request: web.Request) -> web.StreamResponse:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                return await handler(request)
            finally:
                self._tasks.discard(task)

        return handle

    async def cancel_all(self, _app: web.Application) -> None:
        """Cancel every request."""
        for task in list(self._tasks):
            task.cancel()


def create_app(state: EmulatorState) -> web.Application:
    """Return the application with all endpoints."""
    tracker = RequestTracker()
    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes(ControlApi(state).routes())
    app.add_routes(bing_routes(state, tracker))
    app.add_routes(openai_routes(state, tracker))
    app.on_shutdown.append(tracker.cancel_all)
    return app


def bing_routes(state: EmulatorState, tracker: RequestTracker) -> list[web.RouteDef]:
    """Return the endpoints of Bing."""
    conversations, images = ChatHubConversations(), ImageCreator(state)
    state.reset_hooks.append(conversations.clear)
    create = tracker.track(ConversationCreate(state, conversations).handle)
    return [
        web.get("/turing/conversation/create", create),
        web.get("/edgesvc/turing/conversation/create", create),
        web.get("/sydney/ChatHub", tracker.track(ChatHub(state, conversations).handle)),
        web.post("/images/create", tracker.track(images.submit)),
        web.get("/images/create", images.show),
        web.get("/images/create/async/results/{id}", tracker.track(images.poll)),
        web.get("/th/id/{name}", pictures.serve_picture),
    ]


def openai_routes(state: EmulatorState, tracker: RequestTracker) -> list[web.RouteDef]:
    """Return the endpoints of the other APIs, all under /v1."""
    threads, model_list, message_models = ThreadIndex(), ModelList(state), AnthropicModelList(state)
    answers = ResponseHandler(state, threads)
    signatures = ThoughtSignatures()
    messages, counts = MessageHandler(state, threads, signatures), TokenCountHandler(state, signatures)
    state.reset_hooks.append(threads.clear)
    return [
        web.post("/v1/chat/completions", tracker.track(CompletionHandler(state, threads).handle)),
        web.post("/v1/completions", tracker.track(TextCompletionHandler(state, threads).handle)),
        web.post("/v1/embeddings", tracker.track(EmbeddingHandler(state).handle)),
        web.post("/v1/responses", tracker.track(answers.handle)),
        web.get("/v1/responses/{id}", answers.show),
        web.post("/v1/images/generations", tracker.track(ImageGenerations(state).handle)),
        web.post("/v1/messages", tracker.track(messages.handle)),
        web.post("/v1/messages/count_tokens", tracker.track(counts.handle)),
        web.get("/v1/models", by_version(message_models.index, model_list.index)),
        web.get("/v1/models/{id:.+}", by_version(message_models.show, model_list.show)),
        web.route("*", "/v1/{rest:.*}", models.unknown),
    ]


def by_version(versioned: Handler, other: Handler) -> Handler:
    """Return a handler that leaves requests with the header `anthropic-version` to the first one."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await (versioned if "anthropic-version" in request.headers else other)(request)

    return handle


class Emulator:
    """The emulator, serving between enter and exit.

    Port 0 in the settings takes any free one; `url`, `chat_url`, `create_url` and `openai_url` hold it. Raises OSError
    when the address can't be had.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._state = EmulatorState(settings)
        self._runner: web.AppRunner | None = None
        self._port = settings.port

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(
            create_app(self._state), access_log=None, shutdown_timeout=SHUTDOWN_LIMIT, handler_cancellation=True
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

    def run_script(self, body: bytes) -> None:
        """Carry out an order as POST /_script does. Raises ValueError if it is wrong."""
        script.run(body, self._state)

    @property
    def ledger(self) -> UpstreamLedger:
        """Everything that has arrived."""
        return self._state.ledger

    @property
    def clock(self) -> EmulatorClock:
        """The emulator's own time."""
        return self._state.clock

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://{self._settings.host}:{self._port}"

    @property
    def chat_url(self) -> str:
        """The address of Bing's chat socket."""
        return f"ws://{self._settings.host}:{self._port}/sydney/ChatHub"

    @property
    def create_url(self) -> str:
        """The address at which a conversation with Bing is created."""
        return f"{self.url}/turing/conversation/create"

    @property
    def openai_url(self) -> str:
        """The base address of the other API, as its clients are given it."""
        return f"{self.url}/v1"
