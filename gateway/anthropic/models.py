"""The list of models in the shape of the Anthropic API, for requests that name a version of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.models import Models
from gateway.http import responses
from gateway.openai.errors import InvalidRequestError
from gateway.openai.models import Model, ModelEndpoints, ModelName, resolve_model

_DEFAULT_LIMIT, _MOST = 20, 1000


class ModelInfo(msgspec.Struct, kw_only=True):
    """A model."""

    type: Literal["model"] = "model"
    id: ModelName
    display_name: str
    created_at: str


class ModelPage(msgspec.Struct, kw_only=True):
    """A page of the list of models."""

    data: list[ModelInfo]
    has_more: bool
    first_id: str | None
    last_id: str | None


@dataclass(frozen=True)
class ModelDialects:
    """The endpoints of models, for clients of either API."""

    openai: ModelEndpoints

    async def models(self, request: Request) -> Response:
        """Return the models that the client may ask for now; of the Anthropic API one page of them."""
        if request.method == "OPTIONS" or not request.headers.get("anthropic-version"):
            return await self.openai.models(request)
        client = self.openai.clients.identify(request)
        names = Models(await self.openai.reader.read()).names(client)
        return responses.ok(msgspec.json.encode(_page(names, request)))

    async def model(self, request: Request) -> Response:
        """Return one model, whose name may have slashes in it."""
        if request.method == "OPTIONS" or not request.headers.get("anthropic-version"):
            return await self.openai.model(request)
        client = self.openai.clients.identify(request)
        models = Models(await self.openai.reader.read())
        return responses.ok(
            msgspec.json.encode(_info(resolve_model(request.path_params["model"], models, client).name))
        )


def _info(name: str) -> ModelInfo:
    created = datetime.fromtimestamp(Model(id=name).created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ModelInfo(id=name, display_name=name, created_at=created)


def _page(names: list[str], request: Request) -> ModelPage:
    """Return the names behind `after_id`, or those in front of `before_id`."""
    limit = _read_limit(request.query_params.get("limit", ""))
    after, before = request.query_params.get("after_id"), request.query_params.get("before_id")
    if before:
        rest = names[: _place(names, before, "before_id")]
        page = rest[-limit:]
    else:
        rest = names[_place(names, after, "after_id") + 1 :] if after else names
        page = rest[:limit]
    first, last = (page[0], page[-1]) if page else (None, None)
    return ModelPage(data=[_info(name) for name in page], has_more=len(rest) > limit, first_id=first, last_id=last)


def _read_limit(given: str) -> int:
    if not given:
        return _DEFAULT_LIMIT
    limit = int(given) if given.isascii() and given.isdecimal() and len(given) < 9 else 0
    if not 1 <= limit <= _MOST:
        raise InvalidRequestError(f"'limit' must be 1 to {_MOST}.", "limit", "invalid_value")
    return limit


def _place(names: list[str], name: str, param: str) -> int:
    if name not in names:
        raise InvalidRequestError(f"'{param}' must be the id of a model.", param, "invalid_value")
    return names.index(name)
