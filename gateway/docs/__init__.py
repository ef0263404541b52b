"""The documentation: /openapi.json, /asyncapi.json, and the page at /docs that shows them and the examples."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from starlette.routing import Route

from gateway.docs import asyncapi, openapi
from gateway.http.security_headers import page_headers
from gateway.http.static import StaticFile

_ROOT = Path(__file__).parent
_FILES = {"/docs": "index.html"} | {
    f"/docs/{name}": name for name in ("docs.css", "docs.js", "schema.js", "markdown.js", "examples.md")
}
_HEADERS = page_headers("'self' data:")


@cache
def routes() -> tuple[Route, ...]:
    """Return one route for each file and one for each document."""
    documents = {"/openapi.json": openapi.document(), "/asyncapi.json": asyncapi.document()}
    return (
        *(StaticFile.read(_ROOT / name, _HEADERS).route(path) for path, name in _FILES.items()),
        *(_document(document).route(path) for path, document in documents.items()),
    )


def _document(document: Mapping[str, Any]) -> StaticFile:
    return StaticFile(json.dumps(document, ensure_ascii=False).encode(), "application/json", _HEADERS)
