import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import pytest
from aiohttp import web

from tests.support.conditions import until
from tests.support.processes import open_files
from wire.reasons import Reason
from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers.bing.images import REQUEST_TIMEOUT, BingImageProvider
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

ALICE = CookieAccount("alice", {"_U": "alice", "SRCHHPGUSR": "A=b&C=d/e"})
ORDERED = "/images/create?q=a&rt=4&mdl=0&ar=1&FORM=GENCRE&id=1-0a"
RESULTS = "".join(f'<img class="mimg" src="https://t/OIG.{name}?w=270&amp;h=270">' for name in "dbca")
PICTURES = ("https://t/OIG.d", "https://t/OIG.b", "https://t/OIG.c", "https://t/OIG.a")


@dataclass
class Studio:
    """A picture server that answers each request with the next of its responses; the last one is repeated."""

    url: str = ""
    orders: list[Callable[[], web.Response]] = field(default_factory=lambda: [redirect(ORDERED)])
    polls: list[str | int] = field(default_factory=lambda: [RESULTS])
    hold: Callable[[], Awaitable[None]] | None = None
    requests: list[web.Request] = field(default_factory=list)

    @property
    def settings(self) -> WorkerSettings:
        return WorkerSettings(bing_image_url=self.url)

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    async def order(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.requests.append(request)
        if self.hold is not None:
            await self.hold()
        return self.orders.pop(0)() if len(self.orders) > 1 else self.orders[0]()

    async def page(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return web.Response(text="this prompt has been blocked is a phrase of its scripts")

    async def poll(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        reply = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        return web.Response(status=reply) if isinstance(reply, int) else web.Response(text=reply)


def redirect(location: str) -> Callable[[], web.Response]:
    return lambda: web.Response(status=302, headers={"Location": location})


def page(text: str, status: int = 200) -> Callable[[], web.Response]:
    html = f'<div class="gil_err_mt">{text}</div>'
    return lambda: web.Response(status=status, text=html, content_type="text/html")


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    studio = Studio()
    app = web.Application()
    app.router.add_post("/images/create", studio.order)
    app.router.add_get("/images/create", studio.page)
    app.router.add_get("/images/create/async/results/{id}", studio.poll)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    studio.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield studio
    await runner.cleanup()


async def nothing() -> None:
    """Let every question pass, as before_send."""


async def draw(
    settings: WorkerSettings,
    before_send: Callable[[], Awaitable[None]] = nothing,
    request_timeout: float = REQUEST_TIMEOUT,
) -> tuple[str, ...]:
    provider = BingImageProvider(settings, request_timeout=request_timeout)
    with anyio.fail_after(10):
        return await provider.draw(ALICE, "a red circle", before_send)


async def failure(
    settings: WorkerSettings,
    before_send: Callable[[], Awaitable[None]] = nothing,
    request_timeout: float = REQUEST_TIMEOUT,
) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await draw(settings, before_send, request_timeout)
    return caught.value


async def test_pictures_come_in_the_pages_order(studio: Studio) -> None:
    for _ in range(3):
        assert await draw(studio.settings) == PICTURES


async def test_the_requests_are_the_librarys_own(studio: Studio) -> None:
    await draw(studio.settings)
    order, ordered, poll = studio.requests
    assert (order.method, order.path_qs) == ("POST", "/images/create?q=a%20red%20circle&rt=3&FORM=GENCRE")
    assert await order.read() == b"q=a%20red%20circle&qs=ds"
    assert ordered.path_qs == ORDERED
    assert poll.path_qs == "/images/create/async/results/1-0a?q=a%20red%20circle"
    assert {request.headers["Cookie"] for request in studio.requests} == {"_U=alice; SRCHHPGUSR=A=b&C=d/e"}


@pytest.mark.parametrize("compressed", [True, False])
async def test_pages_above_the_limit_are_not_read(studio: Studio, compressed: bool) -> None:
    def large() -> web.Response:
        response = web.Response(body=bytes(100_000_000))
        if compressed:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    studio.orders = [large]
    error = await failure(studio.settings)
    assert (error.reason, error.refused) == ("transport.toobig", False)
    assert studio.methods == ["POST"]


async def test_results_that_are_not_ready_are_asked_for_again(studio: Studio) -> None:
    studio.polls = ["", RESULTS]
    assert await draw(studio.settings) == PICTURES
    assert studio.methods == ["POST", "GET", "GET", "GET"]


async def test_an_order_declined_without_a_reason_is_repeated_once_within_the_attempt(studio: Studio) -> None:
    marks: list[int] = []

    async def mark() -> None:
        marks.append(len(studio.requests))

    studio.orders = [page("something else"), redirect(ORDERED)]
    assert await draw(studio.settings, mark) == PICTURES
    assert marks == [0]
    assert studio.methods == ["POST", "POST", "GET", "GET"]


@pytest.mark.parametrize(
    ("order", "reason", "refused"),
    [
        (page("This prompt has been blocked"), "image.blocked", False),
        (page("This prompt is being reviewed"), "image.reviewed", False),
        (page("We're working hard to offer Image Creator in more languages"), "image.unsupported_lang", False),
        (page("We can't create your images right now "), "image.busy", False),
        (page("Due to high demand, we're unable to process new requests."), "image.busy", False),
        (page("You can't submit any more prompts"), "account.throttled", True),
        (page("Please sign in to create images"), "account.unauthorized", True),
        (page("", status=403), "account.unauthorized", True),
        (redirect("https://login.live.com/login.srf"), "account.unauthorized", True),
        (redirect("https://elsewhere.example/images/create?id=1"), "image.protocol", False),
        (lambda: web.Response(status=302), "image.protocol", False),
    ],
)
async def test_a_declined_order_is_recognised_by_its_page(
    studio: Studio, order: Callable[[], web.Response], reason: str, refused: bool
) -> None:
    studio.orders = [order]
    error = await failure(studio.settings)
    assert (error.reason, error.refused) == (reason, refused)
    assert studio.methods == ["POST"]


async def test_two_declined_orders_without_a_reason_are_a_protocol_error(
    studio: Studio, capfd: pytest.CaptureFixture[str]
) -> None:
    studio.orders = [page("something else")]
    assert (await failure(studio.settings)).reason == "image.protocol"
    assert studio.methods == ["POST", "POST"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("<html>no pictures</html>", "image.empty"),
        ('<img src="/rp/logo.svg">', "image.empty"),
        ('<img src="https://r.bing.com/rp/in-2zU3AJUdkgFe7ZKv19yPBHVs.png">', "image.bad"),
        ('Due to high demand <img src="https://r.bing.com/rp/in-2zU3AJUdkgFe7ZKv19yPBHVs.png">', "image.busy"),
        ("Unsafe image content detected", "image.blocked"),
        (500, "image.protocol"),
    ],
)
async def test_results_without_pictures_are_distinguished(studio: Studio, result: str | int, reason: str) -> None:
    studio.polls = [result]
    error = await failure(studio.settings)
    assert (error.reason, error.refused) == (reason, False)


@pytest.mark.parametrize("result", ["", '{"errorMessage":"Pending"}'])
async def test_results_that_never_come_end_in_time(studio: Studio, result: str) -> None:
    studio.polls = [result]
    error = await failure(studio.settings.model_copy(update={"answer_timeout": 0.2}))
    assert (error.reason, error.refused) == ("image.timeout", False)


async def test_a_request_that_is_never_answered_ends_in_time(studio: Studio) -> None:
    studio.hold = anyio.sleep_forever
    assert (await failure(studio.settings, request_timeout=0.2)).reason == "image.timeout"


async def test_a_refused_connection_never_marks_the_order_as_sent() -> None:
    async def unreachable() -> None:
        raise AssertionError("nothing was to be sent")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = await failure(WorkerSettings(bing_image_url=address), unreachable)
    assert (error.reason, error.refused) == ("transport.connect", False)


async def test_a_cut_connection_is_reported(studio: Studio) -> None:
    async def cut() -> None:
        transport = studio.requests[-1].transport
        assert transport
        transport.abort()

    studio.hold = cut
    assert (await failure(studio.settings)).reason == "transport.closed"


@pytest.mark.parametrize("veto", [RuntimeError("stale"), TimeoutError("late"), UpstreamError(Reason.UPSTREAM_INTERNAL)])
async def test_a_veto_passes_through_and_nothing_is_sent(studio: Studio, veto: Exception) -> None:
    async def refuse() -> None:
        raise veto

    with pytest.raises(type(veto)) as caught:
        await draw(studio.settings, refuse)
    assert caught.value is veto
    assert studio.requests == []


async def test_cancelling_hangs_up_at_once(studio: Studio) -> None:
    gone = asyncio.Event()

    async def hold() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            gone.set()

    studio.hold = hold
    task = asyncio.ensure_future(draw(studio.settings))
    await until(lambda: studio.requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with anyio.fail_after(5):
        await gone.wait()


async def test_many_draw_at_once_with_their_own_cookies(studio: Studio) -> None:
    provider = BingImageProvider(studio.settings)
    files = len(open_files(os.getpid()))
    accounts = (CookieAccount(f"a{n}", {"_U": f"u{n}"}) for n in range(20))
    drawn = await asyncio.gather(*(provider.draw(account, "x", nothing) for account in accounts))
    assert set(drawn) == {PICTURES}
    assert {request.headers["Cookie"] for request in studio.requests} == {f"_U=u{n}" for n in range(20)}
    await provider.close()
    await until(lambda: len(open_files(os.getpid())) <= files, "the server has closed its ends")


async def test_the_environments_proxies_have_no_effect(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await draw(studio.settings) == PICTURES


async def test_nothing_is_printed_and_no_keyword_is_logged(
    studio: Studio, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await draw(studio.settings)
    assert capfd.readouterr() == ("", "")
    assert "circle" not in caplog.text
