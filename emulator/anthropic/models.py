"""The models there are, in the shape of this API, and a page of them at a time."""

from aiohttp import web

from emulator.anthropic import api_keys, error_response
from emulator.anthropic.error_response import AnthropicError, MessageError, invalid, json_response
from emulator.json_text import Json
from emulator.openai.models import CHAT
from emulator.state import EmulatorState

CREATED = "2023-11-14T00:00:00Z"
PAGE, MOST = 20, 1_000


def describe(name: str) -> Json:
    """Return a model as the API lists it."""
    title = name.replace("-", " ").capitalize()
    return {"type": "model", "id": name, "display_name": title, "created_at": CREATED, "lifecycle": "active"}


def is_known(name: str) -> bool:
    """Return whether there is such a model."""
    return name in CHAT


class AnthropicModelList:
    """The endpoints that list the models, for requests that name a version of this API."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    async def index(self, request: web.Request) -> web.Response:
        """Answer GET /v1/models."""
        error = self._check_key(request)
        if error is not None:
            return error.render()
        try:
            return json_response(_page(request))
        except MessageError as wrong:
            return wrong.response.render()

    async def show(self, request: web.Request) -> web.Response:
        """Answer GET /v1/models/{id}."""
        name = request.match_info["id"]
        error = self._check_key(request)
        if error is None and not is_known(name):
            error = error_response.no_model(name)
        return json_response(describe(name)) if error is None else error.render()

    def _check_key(self, request: web.Request) -> AnthropicError | None:
        return api_keys.check(api_keys.find_account(request, self._state), self._state)


def _page(request: web.Request) -> Json:
    """Return the page that a request asks for. Raises MessageError."""
    limit = request.query.get("limit", str(PAGE))
    if not limit.isdecimal() or not 1 <= int(limit) <= MOST:
        raise MessageError(invalid(f"limit: Input should be an integer from 1 to {MOST}"))
    names = list(CHAT)
    after, before = request.query.get("after_id"), request.query.get("before_id")
    if after in names:
        names = names[names.index(after) + 1 :]
    if before in names:
        names = names[: names.index(before)]
    size = int(limit)
    shown = names[-size:] if before is not None else names[:size]
    places = {"first_id": shown[0] if shown else None, "last_id": shown[-1] if shown else None}
    return {"data": [describe(name) for name in shown], "has_more": len(names) > len(shown), **places}
