"""The models there are."""

from aiohttp import web

from emulator.bing import Bing
from emulator.frames import Json
from emulator.openai import keys, problem
from emulator.openai.problem import json_response

CHAT = ("stand-in", "stand-in-mini")
PICTURES = ("stand-in-pictures",)
MODELS = CHAT + PICTURES
CREATED = 1_700_000_000


def listed(name: str) -> Json:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "stand-in"}


class Models:
    def __init__(self, bing: Bing) -> None:
        self._bing = bing

    async def index(self, request: web.Request) -> web.Response:
        """GET /v1/models"""
        refused = keys.refusal(keys.account_of(request, self._bing), self._bing)
        if refused is not None:
            return refused.response()
        return json_response({"object": "list", "data": [listed(name) for name in MODELS]})

    async def show(self, request: web.Request) -> web.Response:
        """GET /v1/models/{id}"""
        name = request.match_info["id"]
        refused = keys.refusal(keys.account_of(request, self._bing), self._bing)
        if refused is None and name not in MODELS:
            refused = problem.no_model(name)
        return json_response(listed(name)) if refused is None else refused.response()


async def unknown(request: web.Request) -> web.Response:
    """Any other request under /v1."""
    message = f"Unknown request URL: {request.method} {request.path}."
    return problem.Problem(404, message, code="unknown_url").response()
