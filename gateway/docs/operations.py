"""The endpoints for operators and load balancers, and the documents."""

from typing import Any

from gateway.docs import headers
from gateway.docs.json_schema import Node, named_examples, ref

_READY = {"ready": True, "redis": True, "workers": 2, "draining": False, "degraded": False}
_TEXT: Node = {"type": "string"}


def paths() -> dict[str, Node]:
    """Return the paths with their operations, which need no key."""
    ready, away = _json("Ready", ready=_READY), _json("Ready", Redis_is_away=_READY | {"ready": False, "redis": False})
    return {
        "/healthz": _open(
            "alive",
            "Check that the process runs",
            "Operation",
            {"200": ("It runs.", _json("Alive", alive={"status": "ok"}))},
        ),
        "/readyz": _open(
            "ready",
            "Check that the service is ready",
            "Operation",
            {
                "200": ("Redis is there, a worker with an account is alive, and the gateway isn't going down.", ready),
                "503": ("One of these doesn't hold.", away),
            },
        ),
        "/metrics": _open(
            "metrics",
            "Get metrics for Prometheus",
            "Operation",
            {"200": ("In the text format.", {"text/plain": {"schema": _TEXT, "example": "bing_turns 0.0\n"}})},
        ),
        "/openapi.json": _document("openapi", "Get the OpenAPI document of the endpoints over HTTP"),
        "/asyncapi.json": _document("asyncapi", "Get the AsyncAPI document of the sockets"),
    }


def _json(schema: str, **examples: Any) -> Node:
    return {"application/json": {"schema": ref(schema), "examples": named_examples(**examples)}}


def _document(operation: str, summary: str) -> Node:
    content = {"application/json": {"schema": {"type": "object"}}}
    return _open(operation, summary, "Documents", {"200": ("The document.", content)})


def _open(operation: str, summary: str, tag: str, responses: dict[str, tuple[str, Node]]) -> Node:
    return {
        "parameters": headers.parameter_refs("X-Request-ID", "traceparent"),
        "get": {
            "operationId": operation,
            "tags": [tag],
            "summary": summary,
            "description": "Needs no API key.",
            "security": [],
            "responses": {
                status: {
                    "description": description,
                    "headers": headers.header_refs("X-Request-ID"),
                    "content": content,
                }
                for status, (description, content) in responses.items()
            },
        },
    }
