"""POST /v1/images/generations: pictures that the emulator serves itself."""

import asyncio
import base64
from dataclasses import dataclass

from aiohttp import web

from emulator import http_faults, pictures
from emulator.directives import Directives
from emulator.json_text import Json
from emulator.ledger import ImageEntry, finish
from emulator.openai import api_keys, error_response, models, outcomes, refusals, request_body
from emulator.openai.error_response import BadRequestError, json_response
from emulator.state import EmulatorState

NAMES = outcomes.names("image")
MOST = 10
SLOW = 6.0  # seconds of a slow answer


@dataclass(frozen=True)
class GenerationBody:
    """What a client asks for. inline: whether the response holds the pictures instead of their addresses."""

    prompt: str
    count: int = 1
    inline: bool = False


class ImageGenerations:
    """The endpoint that makes pictures."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a prompt, as scripted. One whose body is wrong is not listed in the ledger."""
        account = api_keys.find_account(request, self._state)
        key_error = api_keys.check(account, self._state)
        try:
            body = parse(await request.read())
        except BadRequestError as error:
            return (key_error or error.response).render()
        if key_error is not None:
            directives = Directives("sign-in")
        else:
            directives = self._state.read_image_prompt(account.name, body.prompt, NAMES)
        name = directives.outcome or "success"
        entry = ImageEntry(self._state.clock.now(), account.name, body.prompt, scripted=name, api="openai")
        self._state.ledger.images.append(entry)
        try:
            response = key_error.render() if key_error else await self._answer(request, body, name, directives)
            finish(entry, name, self._state.clock.now())
            return response
        finally:
            finish(entry, "client gone", self._state.clock.now())

    async def _answer(
        self, request: web.Request, body: GenerationBody, name: str, directives: Directives
    ) -> web.Response:
        if name in refusals.IMAGE:
            return refusals.IMAGE[name].render(directives.number)
        if name == "slow-post":
            await asyncio.sleep(directives.seconds(SLOW))
        if name == "pending":
            await asyncio.sleep(http_faults.HOLD_LIMIT)
        if name == "reset":
            http_faults.reset(request)
        count = {"one": 1, "none": 0}.get(name, body.count)
        base = self._state.public_url(request.host)
        create = create_png if name == "base64" else create_picture
        data = [create(base, body, number) for number in range(1, count + 1)]
        return json_response({"created": int(self._state.clock.now()), "data": data})


def parse(data: bytes) -> GenerationBody:
    """Return what a body asks for. Raises BadRequestError for the first thing that is wrong."""
    value = request_body.load(data)
    prompt, count = value.get("prompt"), value.get("n")
    model, kind = value.get("model"), value.get("response_format") or "url"
    if prompt is None:
        raise BadRequestError(error_response.missing("prompt"))
    if not isinstance(prompt, str):
        raise BadRequestError(error_response.wrong_type("prompt", "a string"))
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST):
        raise BadRequestError(error_response.wrong_value("n", f"a whole number from 1 to {MOST}"))
    if model is not None and model not in models.MODELS:
        raise BadRequestError(error_response.no_model(str(model)))
    if kind not in ("url", "b64_json"):
        raise BadRequestError(error_response.wrong_value("response_format", "url or b64_json"))
    return GenerationBody(prompt, count or 1, kind == "b64_json")


def create_png(base: str, body: GenerationBody, number: int) -> Json:
    """Return one picture as servers have it that never send addresses: a PNG in base64."""
    png = pictures.draw_png(pictures.picture_url(base, body.prompt, number))
    return {"b64_json": base64.b64encode(png).decode(), "revised_prompt": None}


def create_picture(base: str, body: GenerationBody, number: int) -> Json:
    """Return one picture as the response holds it. base: of its address."""
    url = pictures.picture_url(base, body.prompt, number)
    if not body.inline:
        return {"url": url, "revised_prompt": body.prompt}
    svg = pictures.draw(url.rpartition("/")[2])
    return {"b64_json": base64.b64encode(svg.encode()).decode(), "revised_prompt": body.prompt}
