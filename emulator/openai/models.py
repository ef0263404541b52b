"""The models there are."""

from aiohttp import web

from emulator.json_text import Json
from emulator.openai import api_keys, error_response
from emulator.openai.error_response import ErrorResponse, json_response
from emulator.openai.server_styles import PREFIX, SERVERS
from emulator.state import EmulatorState

CHAT = ("stand-in", "stand-in-mini")
PICTURES = ("stand-in-pictures",)
EMBEDDINGS = ("stand-in-embeddings",)
MODELS = CHAT + PICTURES + EMBEDDINGS
# They aren't listed: each is a server of another make, chosen by its name.
UNLISTED = tuple(f"{PREFIX}{name}" for name in SERVERS)
CREATED = 1_700_000_000


def describe(name: str) -> Json:
    """Return a model as the API lists it."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "stand-in"}


def is_known(name: str) -> bool:
    """Return whether there is such a model."""
    return name in MODELS or name in UNLISTED


class ModelList:
    """The endpoints that list the models."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    async def index(self, request: web.Request) -> web.Response:
        """Answer GET /v1/models."""
        error = self._check_key(request)
        if error is not None:
            return error.render()
        return json_response({"object": "list", "data": [describe(name) for name in MODELS]})

    async def show(self, request: web.Request) -> web.Response:
        """Answer GET /v1/models/{id}."""
        name = request.match_info["id"]
        error = self._check_key(request)
        if error is None and not is_known(name):
            error = error_response.no_model(name)
        return json_response(describe(name)) if error is None else error.render()

    def _check_key(self, request: web.Request) -> ErrorResponse | None:
        return api_keys.check(api_keys.find_account(request, self._state), self._state)


async def unknown(request: web.Request) -> web.Response:
    """Answer any other request under /v1 with 404."""
    message = f"Unknown request URL: {request.method} {request.path}."
    return ErrorResponse(404, message, code="unknown_url").render()
