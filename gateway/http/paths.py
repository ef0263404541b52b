"""The path that a request is for, however its client joined a base address and an endpoint's name. No redirects."""

import re
from collections.abc import Awaitable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.responses import Renderer

OPENAI_ROOT = "/v1"
MESSAGES = f"{OPENAI_ROOT}/messages"
# The first names of paths of the OpenAI and the Anthropic API: a client whose base address lacks /v1 asks for them at
# the root. It gets that API's errors also for what isn't served here.
OPENAI_NAMES = (
    *("assistants", "audio", "batches", "chat", "completions", "containers", "conversations", "embeddings", "engines"),
    *("evals", "files", "fine_tuning", "images", "messages", "models", "moderations", "organization", "realtime"),
    *("responses", "threads", "uploads", "vector_stores", "videos"),
)
_SLASHES = re.compile("/{2,}")
_VERSIONS = re.compile(r"(?:/v1)+(?=/|\Z)")


def canonical_path(path: str) -> str:
    """Return the path of the endpoint that `path` is for.

    Repeated and trailing slashes don't count; /v1 may be repeated, or missing in front of one of OPENAI_NAMES.
    """
    path = _SLASHES.sub("/", path)
    path = path.rstrip("/") or path
    if path.lstrip("/").partition("/")[0] in OPENAI_NAMES:
        return OPENAI_ROOT + path
    versions = _VERSIONS.match(path)
    return OPENAI_ROOT + path[versions.end() :] if versions else path


def is_openai(path: str) -> bool:
    """Return whether a canonical path belongs to the OpenAI API, or to another one below the same root."""
    return path == OPENAI_ROOT or path.startswith(f"{OPENAI_ROOT}/")


def is_anthropic(path: str, headers: Headers) -> bool:
    """Return whether a request for a canonical path belongs to the Anthropic API, which shares its root and models."""
    own = path == MESSAGES or path.startswith(f"{MESSAGES}/")
    return own or (is_openai(path) and "anthropic-version" in headers)


class PathMiddleware:
    """Gives each request and socket its canonical path. It leaves no frame in an open stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve ASGI."""
        if scope["type"] != "lifespan":
            scope["path"] = canonical_path(scope["path"])
        return self._app(scope, receive, send)


class HeadMiddleware:
    """Refuses a request whose head the server has cut off; see LimitedProtocol. It leaves no frame either."""

    def __init__(self, app: ASGIApp, render: Renderer) -> None:
        self._app = app
        self._render = render

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve ASGI."""
        status = scope.get("state", {}).get("refused_head")
        return self._app(scope, receive, send) if status is None else self._refuse(status, scope, receive, send)

    async def _refuse(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._render(Request(scope), HTTPException(status))
        await response(scope, receive, send)
