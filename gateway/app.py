"""The ASGI application."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from gateway import console, docs, errors, page
from gateway.addresses import networks
from gateway.answers import ANSWER_METHODS, STREAM_METHODS, AnswersById
from gateway.api import METHODS, Api
from gateway.apikeys import load_keys
from gateway.clients import Clients
from gateway.idempotency import Idempotency
from gateway.metrics import ANY_PATH, Counted, Metrics
from gateway.middleware import Cors, Guard, Lasting, RequestId, Told, Traced
from gateway.openai import completions, images, models
from gateway.openai import errors as openai_errors
from gateway.openai import responses as openai_responses
from gateway.openai.asking import Asking
from gateway.openai.conversations import Conversations
from gateway.ops import Ops
from gateway.presence import present
from gateway.relay import Relay
from gateway.responses import refusal, tell
from gateway.settings import GatewaySettings
from gateway.turns import Turns
from gateway.ws import Sockets
from wire import traces
from wire.answers import Answers
from wire.connect import Store
from wire.conversations import Conversations as Index
from wire.jobs import Jobs
from wire.limits import Limits
from wire.secret import Secret, load_secret
from wire.sessions import Sessions


class _Application(Starlette):
    """Starlette's, with layers around it: those of its own would all stand inside of one that an open stream keeps."""

    def __init__(self, around: Sequence[Middleware], **options: Any) -> None:
        super().__init__(**options)
        self._around = around

    def build_middleware_stack(self) -> ASGIApp:
        """See Starlette."""
        app = super().build_middleware_stack()
        for layer in reversed(self._around):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        return app


def create_app(settings: GatewaySettings, store: Store, turns: Turns) -> Starlette:
    """The application of one process. `turns` is the caller's way to drain it; `store` stays the caller's to close.

    ValueError, with one sentence, when a file that the settings name is no good.
    """
    limits = _limits(settings)
    answers, sessions = Answers(store), Sessions(store, limits)
    jobs = Jobs(store, limits)
    relay = Relay(jobs, answers, turns, settings.queue_timeout, settings.answer_timeout)
    clients = Clients(
        load_keys(settings.api_keys_file) if settings.api_keys_file else None, networks(settings.trusted_proxies or "")
    )
    secret = Secret(store, load_secret(settings.secret_file) if settings.secret_file else None)
    idempotency = Idempotency(secret)
    conversations = Conversations(secret, Index(store, settings.session_ttl, settings.conversation_limit))
    asking = Asking(relay, clients, idempotency, conversations)
    api, ops = Api(relay, clients, idempotency, settings.max_body), Ops(sessions, turns)
    by_id = AnswersById(relay, clients)
    sockets = Sockets(relay, sessions, clients, idempotency, settings.max_body)
    traced = [Middleware(Traced)] if traces.collected() else []
    metrics = Metrics(turns, answers, relay.first_text, store)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with answers, present(store, turns, metrics, jobs, relay.first_text):
            yield
        await jobs.close()

    return _Application(
        [Middleware(RequestId), *traced, Middleware(Counted, metrics=metrics), Middleware(Lasting)],
        routes=[
            Route("/api", api.api, methods=METHODS),
            Route("/api_stream", api.api_stream, methods=METHODS),
            Route("/image", api.image, methods=METHODS),
            Route("/answers/{answer}", by_id.answer, methods=ANSWER_METHODS),
            Route("/answers/{answer}/stream", by_id.stream, methods=STREAM_METHODS),
            *_openai(settings, asking),
            WebSocketRoute("/ws", sockets.ws),
            WebSocketRoute("/ws_stream", sockets.ws_stream),
            Route("/healthz", ops.healthz),
            Route("/readyz", ops.readyz),
            Route("/metrics", metrics.metrics),
            *page.routes(),
            *docs.routes(),
            *console.routes(settings, store, turns, jobs),
            WebSocketRoute(ANY_PATH, _no_such_socket),
        ],
        middleware=[
            Middleware(Told),
            Middleware(Cors),
            Middleware(Guard),
        ],
        exception_handlers=dict.fromkeys({*errors.TABLE, *openai_errors.TABLE}, tell),
        lifespan=lifespan,
    )


def _openai(settings: GatewaySettings, asking: Asking) -> list[Route]:
    """The routes of the OpenAI API."""
    chat = completions.Completions(asking, settings.max_body, settings.sources_in_text)
    replies = openai_responses.Responses(asking, settings.max_body, settings.sources_in_text)
    pictures = images.Images(asking.relay, asking.clients, asking.idempotency, settings.max_body)
    listed = models.Models(asking.clients)
    one = "/v1/responses/{response}"
    return [
        Route("/v1/chat/completions", chat.completions, methods=completions.METHODS),
        Route("/v1/models", listed.models, methods=models.METHODS),
        Route("/v1/models/{model}", listed.model, methods=models.METHODS),
        Route("/v1/images/generations", pictures.generations, methods=images.METHODS),
        Route("/v1/responses", replies.create, methods=openai_responses.METHODS),
        Route(one, replies.one, methods=openai_responses.ONE_METHODS),
        Route(f"{one}/cancel", replies.cancel, methods=openai_responses.METHODS),
    ]


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(
        session_ttl=settings.session_ttl,
        answer_ttl=settings.answer_ttl,
        follow_grace=settings.follow_grace,
        idempotency_ttl=settings.idempotency_ttl,
        queue_limit=settings.queue_limit,
        mailbox_limit=settings.mailbox_limit,
        client_limit=settings.client_limit,
    )


async def _no_such_socket(socket: WebSocket) -> None:
    problem = errors.by_status(404)
    socket.state.refusals.note(problem)
    await socket.send_denial_response(refusal(problem))
