"""POST /v1/images/generations: pictures that this server has itself."""

import asyncio
import base64
from dataclasses import dataclass

from aiohttp import web

from emulator import images, peer, words
from emulator.bing import Bing
from emulator.frames import Json
from emulator.ledger import ImageEntry, finish
from emulator.openai import body, keys, models, outcomes, problem, refusals
from emulator.openai.problem import ProblemError, json_response
from emulator.words import Words

NAMES = outcomes.names("image")
MOST = 10
SLOW = 6.0  # seconds


@dataclass(frozen=True)
class Order:
    prompt: str
    count: int = 1
    inline: bool = False  # the pictures themselves instead of their addresses


class Pictures:
    def __init__(self, bing: Bing) -> None:
        self._bing = bing

    async def handle(self, request: web.Request) -> web.Response:
        account = keys.account_of(request, self._bing)
        refused = keys.refusal(account, self._bing)
        try:
            order = parse(await request.read())
        except ProblemError as error:
            return (refused or error.problem).response()
        asked = Words("sign-in") if refused is not None else self._asked(account.name, order.prompt)
        name = asked.outcome or "success"
        entry = ImageEntry(self._bing.clock.now(), account.name, order.prompt, scripted=name, api="openai")
        self._bing.ledger.images.append(entry)
        try:
            answer = await self._answer(request, order, name, asked.number) if refused is None else refused.response()
            finish(entry, name, self._bing.clock.now())
            return answer
        finally:
            finish(entry, "client gone", self._bing.clock.now())

    def _asked(self, account: str, prompt: str) -> Words:
        asked = self._bing.read(prompt, NAMES)
        script = self._bing.accounts.take(account, "image")
        return asked if script is None else words.scripted(script, NAMES)

    async def _answer(self, request: web.Request, order: Order, name: str, number: float | None) -> web.Response:
        if name in refusals.IMAGE:
            return refusals.IMAGE[name].answer(number)
        if name == "slow-post":
            await asyncio.sleep(SLOW if number is None else number)
        if name == "pending":
            await asyncio.sleep(peer.HOLD_LIMIT)
        if name == "reset":
            peer.reset(request)
        count = {"one": 1, "none": 0}.get(name, order.count)
        base = self._bing.settings.public_url or f"http://{request.host}"
        made = [picture(base, order, one) for one in range(1, count + 1)]
        return json_response({"created": int(self._bing.clock.now()), "data": made})


def parse(data: bytes) -> Order:
    """Raises ProblemError."""
    value = body.load(data)
    prompt, count = value.get("prompt"), value.get("n")
    model, kind = value.get("model"), value.get("response_format") or "url"
    if prompt is None:
        raise ProblemError(problem.missing("prompt"))
    if not isinstance(prompt, str):
        raise ProblemError(problem.wrong_type("prompt", "a string"))
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST):
        raise ProblemError(problem.wrong_value("n", f"a whole number from 1 to {MOST}"))
    if model is not None and model not in models.MODELS:
        raise ProblemError(problem.no_model(str(model)))
    if kind not in ("url", "b64_json"):
        raise ProblemError(problem.wrong_value("response_format", "url or b64_json"))
    return Order(prompt, count or 1, kind == "b64_json")


def picture(base: str, order: Order, number: int) -> Json:
    address = images.picture_address(base, order.prompt, number)
    if not order.inline:
        return {"url": address, "revised_prompt": order.prompt}
    drawn = images.drawing(address.rpartition("/")[2])
    return {"b64_json": base64.b64encode(drawn.encode()).decode(), "revised_prompt": order.prompt}
