"""Making pictures: submit, be redirected, poll, and fetch a picture that says what it is."""

import asyncio
import hashlib
import html
import os
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from emulator import outcomes, peer
from emulator.accounts import ANONYMOUS
from emulator.bing import Bing
from emulator.ledger import ImageEntry, finish
from emulator.words import Words

KEPT = 10_000
READY_AT_POLL = 2
SECOND_POST_LIMIT = 30.0
BAD_PICTURE = "https://r.bing.com/rp/in-2zU3AJUdkgFe7ZKv19yPBHVs.png"
HEADINGS = {
    "blocked": "This prompt has been blocked",
    "reviewed": "This prompt is being reviewed",
    "language": "We're working hard to offer Image Creator in more languages",
    "busy": "We can't create your images right now",
    "unsafe": "Unsafe image content detected",
    "too-many": "You can't submit any more prompts",
    "sign-in": "Please sign in to create images",
    "no-redirect": "We're sorry — we've run into an issue.",
    "retry": "We're sorry — we've run into an issue.",
}


@dataclass
class Attempt:
    entry: ImageEntry
    words: Words
    outcome: str

    @property
    def seconds(self) -> float:
        return 6.0 if self.words.number is None else self.words.number


class Images:
    """Attempts by id, and those whose first POST was no redirect and may be followed by a second one."""

    def __init__(self, bing: Bing) -> None:
        self._bing = bing
        self._attempts: OrderedDict[str, Attempt] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str], list[Attempt]] = OrderedDict()

    async def submit(self, request: web.Request) -> web.Response:
        """POST /images/create: a redirect to the attempt's page, or a page that says why not."""
        account = peer.account_of(request)
        prompt = request.query.get("q", "")
        # The second POST of a client whose first one was no redirect has no body.
        attempt = None if request.can_read_body else self._second(account, prompt)
        attempt = attempt or self._first(account, prompt)
        if attempt.outcome == "slow-post":
            await asyncio.sleep(attempt.seconds)
        if attempt.outcome == "forbidden" or attempt.outcome == "http-500":
            return self._refuse(attempt, peer.page("Error", 403 if attempt.outcome == "forbidden" else 500))
        retried = attempt.outcome == "retry" and attempt.entry.posts > 1
        if attempt.outcome in HEADINGS and not retried:
            return self._refuse(attempt, error_page(attempt.outcome))
        return self._redirect(request, attempt)

    def _first(self, account: str, prompt: str) -> Attempt:
        asked = self._bing.read(prompt, outcomes.names("image"))
        script = self._bing.accounts.take(account, "image")
        if script is not None:
            asked = outcomes.scripted(script, "image")
        outcome = "sign-in" if account == ANONYMOUS else asked.outcome or "success"
        entry = ImageEntry(self._bing.clock.now(), account, prompt, scripted=outcome)
        self._bing.ledger.images.append(entry)
        return Attempt(entry, asked, outcome)

    def _second(self, account: str, prompt: str) -> Attempt | None:
        """The attempt whose first POST was refused just before, if this is its second one."""
        waiting = self._refused.pop((account, prompt), [])
        while waiting:
            attempt = waiting.pop(0)
            if self._bing.clock.now() - (attempt.entry.ended or 0.0) < SECOND_POST_LIMIT:
                if waiting:
                    self._refused[account, prompt] = waiting
                attempt.entry.posts += 1
                return attempt
        return None

    def _refuse(self, attempt: Attempt, response: web.Response) -> web.Response:
        entry = attempt.entry
        finish(entry, attempt.outcome, self._bing.clock.now())
        # Clients give up at once when the prompt is blocked; after any other page they try once more.
        if entry.posts == 1 and attempt.outcome != "blocked":
            self._refused.setdefault((entry.account, entry.prompt), []).append(attempt)
            if len(self._refused) > KEPT:
                self._refused.popitem(last=False)
        return response

    def _redirect(self, request: web.Request, attempt: Attempt) -> web.Response:
        attempt.entry.id = f"1-{os.urandom(16).hex()}"
        attempt.entry.outcome, attempt.entry.ended = "running", None
        self._attempts[attempt.entry.id] = attempt
        if len(self._attempts) > KEPT:
            self._attempts.popitem(last=False)
        query = quote(attempt.entry.prompt)
        location = f"/images/create?q={query}&rt=4&mdl=0&ar=1&FORM=GENCRE&id={attempt.entry.id}"
        if attempt.outcome == "absolute":
            location = self._base(request) + location
        return web.Response(status=302, headers={"Location": location})

    async def show(self, request: web.Request) -> web.Response:
        """GET /images/create: the page on which the pictures will appear."""
        number = html.escape(request.query.get("id", ""))
        return peer.page(f'Image Creator</h1><div id="gir" data-c="/images/create/async/results/{number}"></div><h1>')

    async def poll(self, request: web.Request) -> web.Response:
        """GET /images/create/async/results/{id}: empty while the pictures are made, then the list of them."""
        attempt = self._attempts.get(request.match_info["id"])
        if attempt is None:
            return peer.page("There is no such attempt", 404)
        attempt.entry.polls += 1
        if attempt.outcome == "slow":
            await asyncio.sleep(attempt.seconds)
        if attempt.outcome == "error-message":
            return web.json_response({"showContent": "", "errorMessage": "Pending"})
        if attempt.outcome == "pending" or attempt.entry.polls < READY_AT_POLL:
            return web.Response(content_type="text/html")
        finish(attempt.entry, attempt.outcome, self._bing.clock.now())
        if attempt.outcome.startswith("poll-"):
            return peer.page("Error", int(attempt.outcome[5:]))
        return web.Response(text=self._results(request, attempt), content_type="text/html", charset="utf-8")

    def _results(self, request: web.Request, attempt: Attempt) -> str:
        pictures = [picture_address(self._base(request), attempt.entry.prompt, n) for n in range(1, 5)]
        if attempt.outcome == "one":
            pictures = pictures[:1]
        if attempt.outcome == "bad":
            pictures = [BAD_PICTURE]
        if attempt.outcome == "none":
            pictures = []
        return results_page(pictures, attempt.words.topic, attempt.outcome == "icons")

    def _base(self, request: web.Request) -> str:
        return self._bing.settings.public_url or f"http://{request.host}"

    async def picture(self, request: web.Request) -> web.Response:
        """GET of a picture: a small drawing made from its name."""
        return web.Response(text=drawing(request.match_info["name"]), content_type="image/svg+xml")


def error_page(outcome: str) -> web.Response:
    heading = HEADINGS[outcome]
    picture = f'<img src="{BAD_PICTURE}" alt="">' if outcome == "busy" else ""
    note = "High demand: please try again a little later." if outcome == "busy" else "Try another prompt."
    text = f'<div class="gil_err_mt">{heading}</div><div class="gil_err_sbt">{note}</div>'
    return web.Response(text=f'<div id="gilen_son">{picture}{text}</div>', content_type="text/html", charset="utf-8")


def picture_address(base: str, prompt: str, number: int) -> str:
    """A picture's address without its size, the same for the same prompt and number."""
    return f"{base}/th/id/OIG.{hashlib.sha256(f'{number} {prompt}'.encode()).hexdigest()[:20]}"


def results_page(pictures: list[str], prompt: str, icons: bool) -> str:
    size = "?w=270&amp;h=270&amp;c=6&amp;r=0&amp;o=5&amp;pid=ImgGn"
    rows = []
    for number, address in enumerate(pictures, 1):
        source = address if address == BAD_PICTURE else address + size
        alt = html.escape(f"Image {number} of {prompt}")
        rows.append(f'<li><img class="mimg" style="" height="270" width="270" src="{source}" alt="{alt}"/></li>')
    around = ('<img src="/rp/logo.svg" alt="">', '<script src="/rp/page.js"></script>') if icons else ("", "")
    return f'{around[0]}<div id="giric"><ul class="dgControl_list">{"".join(rows)}</ul></div>{around[1]}'


def drawing(name: str) -> str:
    """An SVG whose colours and shapes come from the name."""
    seed = hashlib.sha256(name.encode()).digest()
    hue, circles = seed[0] * 360 // 256, []
    for index in range(4):
        x, y, r, turn = (seed[4 * index + offset] for offset in range(1, 5))
        colour = f"hsl({(hue + turn) % 360} 70% 60%)"
        circles.append(f'<circle cx="{x * 2}" cy="{y * 2}" r="{40 + r // 2}" fill="{colour}" fill-opacity="0.6"/>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="512" height="512" viewBox="0 0 512 512">'
        f'<rect width="512" height="512" fill="hsl({hue} 60% 85%)"/>{"".join(circles)}'
        '<text x="256" y="490" text-anchor="middle" font-family="sans-serif" font-size="22">stand-in picture</text>'
        "</svg>"
    )
