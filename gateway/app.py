"""The ASGI application."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from gateway import console, docs, errors, page
from gateway.answering.abandonment import Abandonment
from gateway.answering.bounded_answers import BoundedAnswers
from gateway.answering.calls import Calls
from gateway.answering.drain import ActiveRequests, background
from gateway.answering.idempotency import Idempotency
from gateway.answering.overdue import OverdueJobs
from gateway.answering.presence import WorkerPresence
from gateway.answering.relay import Relay
from gateway.answering.submit import Questions
from gateway.answering.timings import TIMINGS, Timings
from gateway.anthropic import endpoints as anthropic
from gateway.anthropic import errors as anthropic_errors
from gateway.anthropic.models import ModelDialects
from gateway.auth.addresses import parse_networks
from gateway.auth.clients import Clients
from gateway.auth.key_file import KeyFile, follow_keys
from gateway.auth.origins import ServedOrigins, parse_hosts, parse_origins
from gateway.console.admins import Admins
from gateway.http.answer_reads import AnswerReads
from gateway.http.body import BodyReader, BodyRoom, linger
from gateway.http.long_steps import LongSteps, LongStepsMiddleware
from gateway.http.middleware import (
    CorsMiddleware,
    DrainMiddleware,
    ErrorMiddleware,
    RequestIdMiddleware,
    ResponseHeadersMiddleware,
    TracingMiddleware,
)
from gateway.http.origin_check import OriginMiddleware
from gateway.http.paths import MESSAGES, HeadMiddleware, PathMiddleware, is_anthropic, is_openai
from gateway.http.pictures import METHODS as PICTURE_METHODS
from gateway.http.pictures import ROUTE as PICTURE_ROUTE
from gateway.http.pictures import PictureEndpoint
from gateway.http.responses import Renderer, error_response
from gateway.http.streaming import StreamMiddleware
from gateway.legacy.answers import ANSWER_METHODS, STREAM_METHODS, AnswerEndpoints
from gateway.legacy.http import METHODS, LegacyApi
from gateway.legacy.websocket import SocketEndpoints
from gateway.openai import completions, embeddings, images, models, text_completions
from gateway.openai import errors as openai_errors
from gateway.openai.conversations import ConversationLookup
from gateway.openai.responses import endpoints as openai_responses
from gateway.openai.responses.stored_responses import StoredResponses
from gateway.openai.service import QuestionService
from gateway.ops.health import HealthEndpoints
from gateway.ops.metrics import ANY_PATH, GatewayMetrics, MetricsMiddleware, first_text_histogram
from gateway.ops.status import report_status
from gateway.settings import GatewaySettings
from gateway.v2.messages import SUBPROTOCOL
from gateway.v2.session import V2Endpoint
from telemetry import traces
from wire.conversation_index import ConversationIndex as Index
from wire.hmac_secret import HmacSecret, load_secret
from wire.jobs import Jobs
from wire.ledger import Ledger
from wire.model_table import ModelTable
from wire.pictures import PictureStore
from wire.redis.store import Store
from wire.response_memory import ResponseMemory
from wire.result_store import ResultStore
from wire.sessions import Sessions
from wire.shared_read import SharedRead

# How many of the largest bodies may be read and parsed at a time.
_BODIES = 16


class _Application(Starlette):
    """Starlette's application, with middleware outside of Starlette's own: an open stream keeps only that one."""

    def __init__(self, outer: Sequence[Middleware], **options: Any) -> None:
        super().__init__(**options)
        self._outer = outer

    def build_middleware_stack(self) -> ASGIApp:
        """See Starlette."""
        # A redirect would name the scheme and host that the last proxy knows, not the client's.
        self.router.redirect_slashes = False
        app = super().build_middleware_stack()
        for layer in reversed(self._outer):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        return app


def create_app(
    settings: GatewaySettings,
    store: Store,
    active_requests: ActiveRequests,
    *,
    timings: Timings = TIMINGS,
    steps: LongSteps | None = None,
) -> Starlette:
    """Return the application of one process. The caller drains it by `active_requests`, and closes `store`.

    Connections share `steps`. Raises ValueError, with one sentence, when a file that the settings name is invalid.
    """
    steps = steps or LongSteps()
    answers, jobs, sessions = BoundedAnswers(store, turns=steps), Jobs(store, settings), Sessions(store, settings)
    first_text = first_text_histogram()
    presence = WorkerPresence(
        sessions.list_available_workers, patience=timings.worker_patience, look_every=timings.worker_look_every
    )
    limits = (settings.queue_timeout, settings.longest_answer_timeout)
    abandonment = Abandonment(jobs, settings.abandon_grace)
    relay = Relay(jobs, answers, active_requests, *limits, first_text, timings, presence, abandonment)
    clients, admins, key_files = _key_holders(settings)
    reads = AnswerReads(clients, timings.body_limit)
    secret = HmacSecret(store, load_secret(settings.secret_file) if settings.secret_file else None)
    room, pictures = BodyRoom(_BODIES * max(settings.max_body, settings.max_message)), PictureStore(store)
    questions = Questions(relay, Idempotency(secret))
    calls, model_reader = Calls(questions, ResultStore(store)), SharedRead(Ledger(store).read_models)
    conversations = ConversationLookup(secret, Index(store, settings.session_ttl, settings.conversation_limit))
    memory = ResponseMemory(store, jobs.memory, settings.response_ttl)
    stored = StoredResponses(memory, answers, settings.max_body)
    service = QuestionService(questions, clients, conversations, model_reader, stored, reads)
    metrics = GatewayMetrics(active_requests, answers, first_text, store, jobs.memory)
    refuse = partial(_refuse, linger_limit=timings.linger_limit)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        reporting = report_status(store, active_requests, metrics, jobs, first_text, report_every=timings.report_every)
        overdue = OverdueJobs(jobs, look_every=timings.overdue_look_every)
        async with answers, reporting, _watch(presence, overdue, key_files, timings):
            yield
        await model_reader.close()
        await abandonment.close()
        await jobs.close()

    return _Application(
        _outer_middleware(metrics),
        routes=[
            *_drop_in(settings, questions, sessions, model_reader, room, reads),
            *_openai(settings, service, calls, pictures, room),
            Route(PICTURE_ROUTE, PictureEndpoint(pictures).picture, methods=PICTURE_METHODS),
            *_ops(HealthEndpoints(sessions, active_requests, jobs.memory), metrics),
            *page.routes(clients),
            *docs.routes(has_console=settings.admin_keys_file is not None),
            *console.routes(admins, store, active_requests, jobs, timings=timings),
            WebSocketRoute(ANY_PATH, _no_such_socket),
        ],
        middleware=_inner_middleware(settings, clients, active_requests, refuse, steps),
        exception_handlers=dict.fromkeys({*errors.HANDLED, *openai_errors.HANDLED}, refuse),
        lifespan=lifespan,
    )


def _key_holders(settings: GatewaySettings) -> tuple[Clients, Admins | None, Sequence[KeyFile]]:
    """Return what identifies clients and admins, and the files of their keys. ValueError for an invalid file."""
    trusted = parse_networks(settings.trusted_proxies or "")
    api = KeyFile(settings.api_keys_file, "API_KEYS_FILE") if settings.api_keys_file else None
    admin = KeyFile(settings.admin_keys_file, "ADMIN_KEYS_FILE") if settings.admin_keys_file else None
    key_files = [file for file in (api, admin) if file is not None]
    return Clients(api, trusted), Admins(admin, trusted) if admin is not None else None, key_files


def _served_origins(settings: GatewaySettings) -> ServedOrigins:
    """Return what decides about pages and names. An empty setting, as compose files have them, is a missing one."""
    origins = parse_origins(settings.cors_origins) if settings.cors_origins else None
    hosts = parse_hosts(settings.allowed_hosts) if settings.allowed_hosts else None
    return ServedOrigins(origins, hosts, keys=settings.api_keys_file is not None)


@asynccontextmanager
async def _watch(
    presence: WorkerPresence, overdue: OverdueJobs, key_files: Sequence[KeyFile], timings: Timings
) -> AsyncIterator[None]:
    """Watch the workers, the questions that wait, and the files of keys during the body."""
    following = follow_keys(key_files, look_every=timings.keys_look_every)
    async with background(presence.watch()), background(overdue.watch()), background(following):
        yield


def _outer_middleware(metrics: GatewayMetrics) -> list[Middleware]:
    """Return what is outside of Starlette's own middleware, and so sees the end of a stream."""
    return [
        Middleware(PathMiddleware),
        Middleware(RequestIdMiddleware),
        *([Middleware(TracingMiddleware)] if traces.is_exporting() else []),
        Middleware(MetricsMiddleware, metrics=metrics),
        Middleware(StreamMiddleware),
    ]


def _inner_middleware(
    settings: GatewaySettings, clients: Clients, active_requests: ActiveRequests, refuse: Renderer, steps: LongSteps
) -> list[Middleware]:
    """Return what refuses a request before its endpoint, and what every refusal passes on its way out."""
    served = _served_origins(settings)
    return [
        Middleware(ResponseHeadersMiddleware),
        Middleware(DrainMiddleware, active_requests=active_requests),
        Middleware(CorsMiddleware, served=served),
        Middleware(ErrorMiddleware, render=_render_error),
        Middleware(LongStepsMiddleware, steps=steps, clients=clients, render=refuse),
        Middleware(OriginMiddleware, served=served, clients=clients, render=refuse),
        Middleware(HeadMiddleware, render=refuse),
    ]


def _drop_in(
    settings: GatewaySettings,
    questions: Questions,
    sessions: Sessions,
    reader: SharedRead[ModelTable],
    room: BodyRoom,
    reads: AnswerReads,
) -> list[Route | WebSocketRoute]:
    """Return the routes of the drop-in endpoints, of the answers by their id, and of v2."""
    relay, clients = questions.relay, reads.clients
    bodies = BodyReader(settings.max_message, relay.timings.body_limit, room, clients)
    api = LegacyApi(questions, clients, bodies, settings.question_limit, reads.sending)
    answers = AnswerEndpoints(relay, clients, reads.sending)
    legacy = SocketEndpoints(questions, sessions, clients, settings, reads.sending)
    v2 = V2Endpoint(questions, reads, settings, reader)
    return [
        Route("/api", reads.sent(api.api), methods=METHODS),
        Route("/api_stream", api.api_stream, methods=METHODS),
        Route("/image", api.image, methods=METHODS),
        Route("/answers/{answer}", reads.bound(answers.answer), methods=ANSWER_METHODS),
        Route("/answers/{answer}/stream", answers.stream, methods=STREAM_METHODS),
        WebSocketRoute("/ws", legacy.ws),
        WebSocketRoute("/ws_stream", _by_subprotocol(v2, legacy)),
    ]


def _by_subprotocol(v2: V2Endpoint, legacy: SocketEndpoints) -> Callable[[WebSocket], Awaitable[None]]:
    """Return the endpoint /ws_stream: typed frames for a client that offers the v2 subprotocol, else the old ones."""

    async def ws_stream(socket: WebSocket) -> None:
        chosen = v2 if SUBPROTOCOL in socket.scope.get("subprotocols", ()) else legacy
        await chosen.ws_stream(socket)

    return ws_stream


def _openai(
    settings: GatewaySettings, service: QuestionService, calls: Calls, store: PictureStore, room: BodyRoom
) -> list[Route]:
    """Return the routes of the OpenAI and the Anthropic API."""
    timings = service.questions.relay.timings
    bodies = BodyReader(settings.max_body, timings.body_limit, room, service.clients)
    chat = completions.CompletionEndpoint(service, bodies, settings)
    texts = text_completions.TextCompletionEndpoint(service, bodies, settings)
    replies = openai_responses.ResponseEndpoints(service, bodies, settings)
    pictures = images.ImageEndpoint(service.questions, service.clients, bodies, store, service.reads.sending)
    messages = anthropic.MessageEndpoints(service, calls, bodies, settings)
    listed = ModelDialects(models.ModelEndpoints(service.clients, service.model_reader))
    response_path, bound, sent = "/v1/responses/{response}", service.reads.bound, service.reads.sent
    return [
        Route("/v1/chat/completions", sent(chat.completions), methods=completions.METHODS),
        Route("/v1/completions", sent(texts.completions), methods=text_completions.METHODS),
        Route("/v1/models", listed.models, methods=models.METHODS),
        Route("/v1/models/{model:path}", listed.model, methods=models.METHODS),
        Route("/v1/images/generations", pictures.generations, methods=images.METHODS),
        Route("/v1/responses", sent(replies.create), methods=openai_responses.METHODS),
        Route(response_path, bound(replies.one), methods=openai_responses.ONE_METHODS),
        Route(f"{response_path}/cancel", bound(replies.cancel), methods=openai_responses.METHODS),
        Route(f"{response_path}/input_items", bound(replies.input_items), methods=openai_responses.LIST_METHODS),
        _embeddings(settings, service, calls, room),
        Route(MESSAGES, sent(messages.create), methods=anthropic.METHODS),
        Route(f"{MESSAGES}/count_tokens", messages.count_tokens, methods=anthropic.METHODS),
    ]


def _embeddings(settings: GatewaySettings, service: QuestionService, calls: Calls, room: BodyRoom) -> Route:
    """Return the route of embeddings, whose bodies have a limit of their own."""
    largest, limit = min(settings.max_body, embeddings.MAX_BODY), service.questions.relay.timings.body_limit
    bodies = BodyReader(largest, limit, room, service.clients)
    endpoint = embeddings.EmbeddingEndpoint(calls, service.clients, bodies, service.model_reader, service.reads.sending)
    return Route("/v1/embeddings", endpoint.embeddings, methods=embeddings.METHODS)


def _ops(health: HealthEndpoints, metrics: GatewayMetrics) -> list[Route]:
    """Return the routes for whoever runs the service."""
    return [
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/metrics", metrics.metrics),
    ]


async def _render_error(request: HTTPConnection, error: Exception) -> Response:
    """Return the response to a request that failed, in the shape of the API that it is for."""
    path = request.url.path
    if is_anthropic(path, request.headers):
        return await anthropic_errors.error_response(request, error)
    render = openai_errors.error_response if is_openai(path) else error_response
    return await render(request, error)


async def _refuse(request: HTTPConnection, error: Exception, *, linger_limit: float) -> Response:
    return linger(await _render_error(request, error), linger_limit)


async def _no_such_socket(socket: WebSocket) -> None:
    await socket.send_denial_response(await _render_error(socket, HTTPException(404)))
