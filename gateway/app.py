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
from gateway.answering.drain import ActiveRequests
from gateway.answering.idempotency import Idempotency
from gateway.answering.relay import Relay
from gateway.auth.addresses import networks
from gateway.auth.api_keys import load_keys
from gateway.auth.clients import Clients
from gateway.http.middleware import (
    CorsMiddleware,
    ErrorMiddleware,
    RequestIdMiddleware,
    ResponseHeadersMiddleware,
    StreamMiddleware,
    TracingMiddleware,
)
from gateway.http.responses import refusal, tell
from gateway.legacy.answers import ANSWER_METHODS, STREAM_METHODS, AnswerEndpoints
from gateway.legacy.http import METHODS, LegacyApi
from gateway.legacy.websocket import SocketEndpoints
from gateway.openai import completions, images, models
from gateway.openai import errors as openai_errors
from gateway.openai import responses as openai_responses
from gateway.openai.conversations import ConversationLookup
from gateway.openai.service import QuestionService
from gateway.ops.health import HealthEndpoints
from gateway.ops.metrics import ANY_PATH, GatewayMetrics, MetricsMiddleware
from gateway.ops.status import present
from gateway.settings import GatewaySettings
from telemetry import traces
from wire.answers import Answers
from wire.conversation_index import ConversationIndex as Index
from wire.hmac_secret import HmacSecret, load_secret
from wire.jobs import Jobs
from wire.redis.store import Store
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


def create_app(settings: GatewaySettings, store: Store, turns: ActiveRequests) -> Starlette:
    """The application of one process. `turns` is the caller's way to drain it; `store` stays the caller's to close.

    ValueError, with one sentence, when a file that the settings name is no good.
    """
    answers, sessions = Answers(store), Sessions(store, settings)
    jobs = Jobs(store, settings)
    relay = Relay(jobs, answers, turns, settings.queue_timeout, settings.answer_timeout)
    clients = Clients(
        load_keys(settings.api_keys_file) if settings.api_keys_file else None, networks(settings.trusted_proxies or "")
    )
    secret = HmacSecret(store, load_secret(settings.secret_file) if settings.secret_file else None)
    idempotency = Idempotency(secret)
    conversations = ConversationLookup(secret, Index(store, settings.session_ttl, settings.conversation_limit))
    asking = QuestionService(relay, clients, idempotency, conversations)
    api, ops = LegacyApi(relay, clients, idempotency, settings.max_body), HealthEndpoints(sessions, turns)
    by_id = AnswerEndpoints(relay, clients)
    sockets = SocketEndpoints(relay, sessions, clients, idempotency, settings.max_body)
    traced = [Middleware(TracingMiddleware)] if traces.is_exporting() else []
    metrics = GatewayMetrics(turns, answers, relay.first_text, store)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with answers, present(store, turns, metrics, jobs, relay.first_text):
            yield
        await jobs.close()

    return _Application(
        [
            Middleware(RequestIdMiddleware),
            *traced,
            Middleware(MetricsMiddleware, metrics=metrics),
            Middleware(StreamMiddleware),
        ],
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
            Middleware(ResponseHeadersMiddleware),
            Middleware(CorsMiddleware),
            Middleware(ErrorMiddleware),
        ],
        exception_handlers=dict.fromkeys({*errors.TABLE, *openai_errors.TABLE}, tell),
        lifespan=lifespan,
    )


def _openai(settings: GatewaySettings, asking: QuestionService) -> list[Route]:
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


async def _no_such_socket(socket: WebSocket) -> None:
    problem = errors.by_status(404)
    socket.state.refusals.note(problem)
    await socket.send_denial_response(refusal(problem))
