"""The documentation: /openapi.json, /asyncapi.json, and the page at /docs that shows them and the examples."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.docs import asyncapi, openapi
from gateway.http.security_headers import page_headers

_FILES = {
    "/docs": ("index.html", "text/html"),
    "/docs/docs.css": ("docs.css", "text/css"),
    "/docs/docs.js": ("docs.js", "text/javascript"),
    "/docs/schema.js": ("schema.js", "text/javascript"),
    "/docs/markdown.js": ("markdown.js", "text/javascript"),
    "/docs/examples.md": ("examples.md", "text/markdown"),
}
_HEADERS = {"cache-control": "no-cache", **page_headers("'self' data:")}


@cache
def routes() -> tuple[Route, ...]:
    """One route for each file, and one for each document."""
    files = [
        _route(path, Path(__file__).with_name(name).read_bytes(), media_type)
        for path, (name, media_type) in _FILES.items()
    ]
    documents = {"/openapi.json": openapi.document(), "/asyncapi.json": asyncapi.document()}
    return (*files, *(_route(path, _json(found), "application/json") for path, found in documents.items()))


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _route(path: str, content: bytes, media_type: str) -> Route:
    async def file(_: Request) -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return Route(path, file)
