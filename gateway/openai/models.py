"""The models of /v1: one for each style, and those of servers."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.models import LONGEST_NAME, ModelChoice, Models
from gateway.auth.clients import Clients
from gateway.errors import ERRORS, ModelNotFoundError, fill_in
from gateway.http import responses
from gateway.http.fields import join_surrogates
from gateway.http.responses import Count
from gateway.openai.errors import InvalidRequestError
from wire.jobs import ANYBODY, Client
from wire.messages import Style
from wire.model_table import STYLES, ModelTable
from wire.reasons import Reason
from wire.shared_read import SharedRead

METHODS = ["GET", "HEAD", "OPTIONS"]
# The day on which the styles were introduced, in Unix time.
_CREATED = 1677715200

ModelName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        description="One of those that `/v1/models` lists.",
        extra_json_schema={"examples": [*STYLES, "gpt-4o"]},
    ),
]


class Model(msgspec.Struct, kw_only=True):
    """A model."""

    id: ModelName
    object: Literal["model"] = "model"
    created: Count = _CREATED
    owned_by: Annotated[
        str,
        msgspec.Meta(description="`bing`, or the kind of the model's servers; `server` for an alias or several kinds."),
    ] = "bing"


class ModelListObject(msgspec.Struct, kw_only=True):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


def resolve_model(name: object, models: Models, client: Client = ANYBODY) -> ModelChoice:
    """Return the model that the field `model` names. InvalidRequestError, ModelAwayError."""
    if not isinstance(name, str) or not name:
        raise InvalidRequestError("You must provide a 'model'.", "model", "invalid_type")
    try:
        return models.resolve(join_surrogates(name[: LONGEST_NAME + 1]), client)
    except ModelNotFoundError as error:
        spec = ERRORS[Reason.MODEL_UNKNOWN]
        raise InvalidRequestError(fill_in(spec.openai.message, error), "model", "model_not_found", 404) from error


def model_name(style: Style) -> str:
    """Return the name of the model of a style."""
    return f"bing-{style}"


@dataclass(frozen=True)
class ModelEndpoints:
    """The endpoints."""

    clients: Clients
    reader: SharedRead[ModelTable]

    async def models(self, request: Request) -> Response:
        """Return all models that the client may ask for now."""
        if request.method == "OPTIONS":
            return responses.options(METHODS)
        client = self.clients.identify(request)
        models = Models(await self.reader.read())
        listed = [Model(id=name, owned_by=models.owner(name)) for name in models.names(client)]
        return responses.ok(msgspec.json.encode(ModelListObject(data=listed)))

    async def model(self, request: Request) -> Response:
        """Return one model, whose name may have slashes in it."""
        if request.method == "OPTIONS":
            return responses.options(METHODS)
        client = self.clients.identify(request)
        models = Models(await self.reader.read())
        choice = resolve_model(request.path_params["model"], models, client)
        return responses.ok(msgspec.json.encode(Model(id=choice.name, owned_by=models.owner(choice.name))))
