"""The models that /v1 has: one for each style."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.clients import Clients
from gateway.http import responses
from gateway.openai.errors import InvalidRequestError
from wire.messages import Style

METHODS = ["GET", "HEAD", "OPTIONS"]
STYLES: Mapping[str, Style] = {f"bing-{style}": style for style in get_args(Style)}
# The day on which the styles came, in Unix time.
_CREATED = 1677715200


def style_of(model: object) -> Style:
    """The style that a model stands for. InvalidRequestError."""
    if not isinstance(model, str) or not model:
        raise InvalidRequestError("You must provide a 'model'.", "model", "invalid_type")
    if model not in STYLES:
        told = f"The model '{model[:64]}' does not exist; there are {', '.join(STYLES)}."
        raise InvalidRequestError(told, "model", "model_not_found", 404)
    return STYLES[model]


def model_of(style: Style) -> str:
    """The name of the model that stands for a style."""
    return f"bing-{style}"


class Models:
    """The endpoints."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def models(self, request: Request) -> Response:
        """All models."""
        return self._told(request, {"object": "list", "data": [_shown(model) for model in STYLES]})

    async def model(self, request: Request) -> Response:
        """One model."""
        name = request.path_params["model"]
        if request.method != "OPTIONS":
            style_of(name)
        return self._told(request, _shown(name))

    def _told(self, request: Request, body: dict[str, Any]) -> Response:
        if request.method == "OPTIONS":
            return responses.allowed(METHODS)
        self._clients.identify(request)
        return responses.ok(msgspec.json.encode(body))


def _shown(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": _CREATED, "owned_by": "bing"}
