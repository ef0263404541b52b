"""Bing's picture pages: submit a prompt, follow the redirect, and poll for the addresses of the pictures."""

import asyncio
import html
import os
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from emulator import http_faults
from emulator.accounts import ANONYMOUS
from emulator.bing import outcomes
from emulator.bing.cookie_account import account_name
from emulator.directives import Directives
from emulator.ledger import ImageEntry, finish
from emulator.pictures import picture_url
from emulator.state import EmulatorState

NAMES = outcomes.names("image")
LIMIT = 10_000
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
class ImageAttempt:
    """One attempt to make pictures."""

    entry: ImageEntry
    directives: Directives
    outcome: str

    @property
    def seconds(self) -> float:
        """How long a slow answer takes."""
        return self.directives.seconds(6.0)


class ImageCreator:
    """The picture pages.

    Knows the attempts by id, and those whose first POST was no redirect, which a second one may follow.
    """

    def __init__(self, state: EmulatorState) -> None:
        self._state = state
        self._attempts: OrderedDict[str, ImageAttempt] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str], list[ImageAttempt]] = OrderedDict()

    async def submit(self, request: web.Request) -> web.Response:
        """Answer POST /images/create with a redirect to the attempt's page, or with a page that gives the reason."""
        account = account_name(request)
        prompt = request.query.get("q", "")
        # The second POST of a client whose first one was no redirect has no body.
        attempt = None if request.can_read_body else self._second(account, prompt)
        attempt = attempt or self._first(account, prompt)
        if attempt.outcome == "slow-post":
            await asyncio.sleep(attempt.seconds)
        if attempt.outcome == "forbidden" or attempt.outcome == "http-500":
            return self._refuse(attempt, http_faults.page("Error", 403 if attempt.outcome == "forbidden" else 500))
        retried = attempt.outcome == "retry" and attempt.entry.posts > 1
        if attempt.outcome in HEADINGS and not retried:
            return self._refuse(attempt, error_page(attempt.outcome))
        return self._redirect(request, attempt)

    def _first(self, account: str, prompt: str) -> ImageAttempt:
        directives = self._state.read_image_prompt(account, prompt, NAMES)
        outcome = "sign-in" if account == ANONYMOUS else directives.outcome or "success"
        entry = ImageEntry(self._state.clock.now(), account, prompt, scripted=outcome)
        self._state.ledger.images.append(entry)
        return ImageAttempt(entry, directives, outcome)

    def _second(self, account: str, prompt: str) -> ImageAttempt | None:
        """Return the attempt whose first POST was refused just before, if this is its second one."""
        waiting = self._refused.pop((account, prompt), [])
        while waiting:
            attempt = waiting.pop(0)
            if self._state.clock.now() - (attempt.entry.ended or 0.0) < SECOND_POST_LIMIT:
                if waiting:
                    self._refused[account, prompt] = waiting
                attempt.entry.posts += 1
                return attempt
        return None

    def _refuse(self, attempt: ImageAttempt, response: web.Response) -> web.Response:
        entry = attempt.entry
        finish(entry, attempt.outcome, self._state.clock.now())
        # Clients give up at once when the prompt is blocked; after any other page they try once more.
        if entry.posts == 1 and attempt.outcome != "blocked":
            self._refused.setdefault((entry.account, entry.prompt), []).append(attempt)
            if len(self._refused) > LIMIT:
                self._refused.popitem(last=False)
        return response

    def _redirect(self, request: web.Request, attempt: ImageAttempt) -> web.Response:
        attempt.entry.id = f"1-{os.urandom(16).hex()}"
        attempt.entry.outcome, attempt.entry.ended = "running", None
        self._attempts[attempt.entry.id] = attempt
        if len(self._attempts) > LIMIT:
            self._attempts.popitem(last=False)
        query = quote(attempt.entry.prompt)
        location = f"/images/create?q={query}&rt=4&mdl=0&ar=1&FORM=GENCRE&id={attempt.entry.id}"
        if attempt.outcome == "absolute":
            location = self._state.public_url(request.host) + location
        return web.Response(status=302, headers={"Location": location})

    async def show(self, request: web.Request) -> web.Response:
        """Answer GET /images/create with the page on which the pictures will appear."""
        identity = html.escape(request.query.get("id", ""))
        return http_faults.page(
            f'Image Creator</h1><div id="gir" data-c="/images/create/async/results/{identity}"></div><h1>'
        )

    async def poll(self, request: web.Request) -> web.Response:
        """Answer GET /images/create/async/results/{id}: nothing while the pictures are made, then their list."""
        attempt = self._attempts.get(request.match_info["id"])
        if attempt is None:
            return http_faults.page("There is no such attempt", 404)
        attempt.entry.polls += 1
        if attempt.outcome == "slow":
            await asyncio.sleep(attempt.seconds)
        if attempt.outcome == "error-message":
            return web.json_response({"showContent": "", "errorMessage": "Pending"})
        if attempt.outcome == "pending" or attempt.entry.polls < READY_AT_POLL:
            return web.Response(content_type="text/html")
        finish(attempt.entry, attempt.outcome, self._state.clock.now())
        if attempt.outcome.startswith("poll-"):
            return http_faults.page("Error", int(attempt.outcome[5:]))
        return web.Response(text=self._result_page(request, attempt), content_type="text/html", charset="utf-8")

    def _result_page(self, request: web.Request, attempt: ImageAttempt) -> str:
        base = self._state.public_url(request.host)
        pictures = [picture_url(base, attempt.entry.prompt, number) for number in range(1, 5)]
        if attempt.outcome == "one":
            pictures = pictures[:1]
        if attempt.outcome == "bad":
            pictures = [BAD_PICTURE]
        if attempt.outcome == "none":
            pictures = []
        return results_page(pictures, attempt.directives.topic, attempt.outcome == "icons")


def error_page(outcome: str) -> web.Response:
    """Return the page that an outcome without pictures shows."""
    heading = HEADINGS[outcome]
    picture = f'<img src="{BAD_PICTURE}" alt="">' if outcome == "busy" else ""
    note = "High demand: please try again a little later." if outcome == "busy" else "Try another prompt."
    text = f'<div class="gil_err_mt">{heading}</div><div class="gil_err_sbt">{note}</div>'
    return web.Response(text=f'<div id="gilen_son">{picture}{text}</div>', content_type="text/html", charset="utf-8")


def results_page(pictures: list[str], prompt: str, icons: bool) -> str:
    """Return the list of pictures in HTML. icons: whether other images of the page come around them."""
    size = "?w=270&amp;h=270&amp;c=6&amp;r=0&amp;o=5&amp;pid=ImgGn"
    rows = []
    for number, address in enumerate(pictures, 1):
        source = address if address == BAD_PICTURE else address + size
        alt = html.escape(f"Image {number} of {prompt}")
        rows.append(f'<li><img class="mimg" style="" height="270" width="270" src="{source}" alt="{alt}"/></li>')
    around = ('<img src="/rp/logo.svg" alt="">', '<script src="/rp/page.js"></script>') if icons else ("", "")
    return f'{around[0]}<div id="giric"><ul class="dgControl_list">{"".join(rows)}</ul></div>{around[1]}'
