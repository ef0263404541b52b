"""The documentation: /openapi.json, /asyncapi.json, the page at /docs that shows them, and the site below it."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from starlette.routing import Route

from gateway.docs import asyncapi, openapi, site
from gateway.http.security_headers import page_headers
from gateway.http.static import StaticFile

_ROOT = Path(__file__).parent
_HEADERS = page_headers("'self' data:")
_LINKS = "<!-- links -->"


def routes(*, has_console: bool) -> list[Route]:
    """Return one route for each file and one for each document, and those of the site, if it was built."""
    built = site.read_site(site.FILE)
    languages = built.languages if built else ()
    page = StaticFile(_page(has_console, languages), "text/html", _HEADERS, compress=True)
    return [page.route("/docs"), *_fixed_routes(), *site.routes(built)]


@cache
def _fixed_routes() -> tuple[Route, ...]:
    documents = {"/openapi.json": openapi.document(), "/asyncapi.json": asyncapi.document()}
    files = [*sorted(_ROOT.glob("*.js")), _ROOT / "docs.css", _ROOT / "examples.md"]
    return (
        *(StaticFile.read(file, _HEADERS, compress=True).route(f"/docs/{file.name}") for file in files),
        *(_document(document).route(path) for path, document in documents.items()),
    )


def _page(has_console: bool, languages: tuple[str, ...]) -> bytes:
    """Return the page with links to the other pages that this gateway has."""
    links = [("/", "", "Chat")]
    links += [("/console", "", "Console")] if has_console else []
    links += [(f"/docs/{name}/", f' hreflang="{name}" lang="{name}"', site.GUIDES[name]) for name in languages]
    items = "\n    ".join(f'<a href="{address}"{attributes}>{text}</a>' for address, attributes, text in links)
    return (_ROOT / "index.html").read_text().replace(_LINKS, items).encode()


def _document(document: Mapping[str, Any]) -> StaticFile:
    content = json.dumps(document, ensure_ascii=False).encode()
    return StaticFile(content, "application/json", _HEADERS, compress=True)
