"""The models of /v1: one for each style."""

from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.models import STYLES, ModelChoice, Models
from gateway.auth.clients import Clients
from gateway.errors import ERRORS, ModelNotFoundError, fill_in
from gateway.http import responses
from gateway.http.fields import join_surrogates
from gateway.http.responses import Count
from gateway.openai.errors import InvalidRequestError
from wire.jobs import ANYBODY, Client
from wire.messages import Style
from wire.reasons import Reason

METHODS = ["GET", "HEAD", "OPTIONS"]
# The day on which the styles were introduced, in Unix time.
_CREATED = 1677715200

ModelName = Annotated[str, msgspec.Meta(description="One for each style.", extra_json_schema={"enum": list(STYLES)})]


class Model(msgspec.Struct, kw_only=True):
    """A model."""

    id: ModelName
    object: Literal["model"] = "model"
    created: Count = _CREATED
    owned_by: Literal["bing"] = "bing"


class ModelListObject(msgspec.Struct, kw_only=True):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


def resolve_model(name: object, models: Models, client: Client = ANYBODY) -> ModelChoice:
    """Return the model that the field `model` names. InvalidRequestError, ModelAwayError."""
    if not isinstance(name, str) or not name:
        raise InvalidRequestError("You must provide a 'model'.", "model", "invalid_type")
    try:
        return models.resolve(join_surrogates(name), client)
    except ModelNotFoundError as error:
        spec = ERRORS[Reason.MODEL_UNKNOWN]
        raise InvalidRequestError(fill_in(spec.openai.message, error), "model", "model_not_found", 404) from error


def style_for_model(model: object) -> Style:
    """Return the style of a model of Bing's. InvalidRequestError for any other."""
    choice = resolve_model(model, Models())
    assert choice.style is not None
    return choice.style


def model_name(style: Style) -> str:
    """Return the name of the model of a style."""
    return f"bing-{style}"


class ModelEndpoints:
    """The endpoints."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def models(self, request: Request) -> Response:
        """Return all models."""
        return self._respond(request, ModelListObject(data=[Model(id=name) for name in STYLES]))

    async def model(self, request: Request) -> Response:
        """Return one model."""
        name = request.path_params["model"]
        if request.method != "OPTIONS":
            style_for_model(name)
        return self._respond(request, Model(id=name))

    def _respond(self, request: Request, body: Model | ModelListObject) -> Response:
        if request.method == "OPTIONS":
            return responses.options(METHODS)
        self._clients.identify(request)
        return responses.ok(msgspec.json.encode(body))
