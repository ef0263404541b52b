"""The files of the console's page, which need nothing from elsewhere and contain no secret."""

from pathlib import Path

from starlette.routing import Route

from gateway.http.reasons_module import reasons_module
from gateway.http.security_headers import page_headers
from gateway.http.static import StaticFile

_ROOT = Path(__file__).parent / "static"
_SUFFIXES = {".html", ".js", ".css", ".svg"}
_HEADERS = page_headers("'self'", "require-trusted-types-for 'script'", "trusted-types 'none'")


def routes() -> list[Route]:
    """Return one route for each file."""
    reasons = StaticFile(reasons_module(), "text/javascript", _HEADERS)
    return [
        reasons.route("/console/reasons.js"),
        *(
            StaticFile.read(path, _HEADERS).route("/console" if path.name == "index.html" else f"/console/{path.name}")
            for path in sorted(_ROOT.iterdir())
            if path.suffix in _SUFFIXES
        ),
    ]
