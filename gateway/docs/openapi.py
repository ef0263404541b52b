"""The document at /openapi.json, in OpenAPI 3.1: every endpoint over HTTP that programs use."""

from gateway.docs import answers, console, error_responses, headers, legacy, operations, schemas
from gateway.docs.anthropic import error_responses as anthropic_error_responses
from gateway.docs.anthropic import paths as anthropic_paths
from gateway.docs.anthropic import schemas as anthropic_schemas
from gateway.docs.json_schema import Node
from gateway.docs.openai import error_responses as openai_error_responses
from gateway.docs.openai import paths
from gateway.docs.openai import schemas as openai_schemas

VERSION = "1"
_DESCRIPTION = """A gateway that gives many clients one steady service on top of a pool of Bing Chat accounts, or of
servers that speak the OpenAI API.

Every path also takes HEAD, which asks nothing, and OPTIONS. Another method is a 405, an unknown path a 404, both in
the shape of `Error`, under `/v1` of `ApiError`, under `/v1/messages` of `MessagesError`. Pages of the
origins in `CORS_ORIGINS` may read all answers, without credentials; of the console, metrics and health none may.

Where the server has a list of API keys, a request needs one, or gets a 401; without a list it needs none, and what a
browser asks for another page is a 403, by a name that isn't in `ALLOWED_HOSTS` a 421. The two
WebSocket endpoints are in [/asyncapi.json](/asyncapi.json)."""

# Documentation pages show them in this order.
_TAGS = {
    "Questions": "The drop-in endpoints, as clients of the old server know them.",
    "Answers": "An answer by its id, for as long as it runs and a while after, at any gateway.",
    "OpenAI": "The OpenAI API, for its SDKs and for programs that speak it. One model for each style.",
    "Anthropic": "The Anthropic API, for its SDKs and for programs that speak it. The models are the same.",
    "Operation": "For operators and load balancers.",
    "Console": "What the operator's console does. It needs an admin's key, and is off without `ADMIN_KEYS_FILE`.",
    "Documents": "What describes the rest.",
}


def info(title: str, description: str) -> Node:
    """Return the head of a document."""
    return {
        "title": title,
        "version": VERSION,
        "description": description,
        "contact": {"name": "Whoever runs this server"},
        "license": {"name": "MIT", "identifier": "MIT"},
    }


def document() -> Node:
    """Return the whole document."""
    return {
        "openapi": "3.1.0",
        "info": info("Bing Chat gateway", _DESCRIPTION),
        "servers": [{"url": "/", "description": "The gateway that serves this document."}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "security": [{}, *({name: []} for name in _security())],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "parameters": headers.parameters(),
            "headers": headers.response_headers(),
            "responses": error_responses.responses()
            | openai_error_responses.responses()
            | anthropic_error_responses.responses(),
            "securitySchemes": _security() | {console.SCHEME: console.security_scheme()},
        },
    }


def _paths() -> dict[str, Node]:
    programs = legacy.paths() | answers.paths() | paths.paths() | anthropic_paths.paths()
    return programs | operations.paths() | console.paths()


def _schemas() -> dict[str, Node]:
    return schemas.schemas() | openai_schemas.schemas() | anthropic_schemas.schemas() | console.schemas()


def _security() -> dict[str, Node]:
    """Return the ways to send an API key."""
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, as the SDKs send it.",
        },
        "header": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "An API key in a header of its own.",
        },
        "query": {
            "type": "apiKey",
            "in": "query",
            "name": "api_key",
            "description": "An API key of clients that can't set headers, such as an EventSource. It is never logged.",
        },
    }
