import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from emulator import http_faults
from emulator.directives import Directives

pytestmark = pytest.mark.anyio


async def ask(script: Directives) -> tuple[int, str]:
    """Return the status and text of a request to which a script applies."""

    async def handle(request: web.Request) -> web.Response:
        return await http_faults.apply_script(request, script) or web.Response(text="served")

    app = web.Application()
    app.router.add_get("/", handle)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
        session.get(server.make_url("/")) as response,
    ):
        return response.status, await response.text()


async def test_a_status_is_given_with_a_page() -> None:
    status, text = await ask(Directives("http-502"))
    assert status == 502
    assert "<h1>Status 502</h1>" in text


@pytest.mark.parametrize("script", [Directives(), Directives("success"), Directives("slow", {}, 0.0)])
async def test_other_requests_are_served(script: Directives) -> None:
    assert await ask(script) == (200, "served")


async def test_a_reset_breaks_the_connection() -> None:
    with pytest.raises(aiohttp.ClientError):
        await ask(Directives("reset"))


async def test_never_holds_the_request() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(Directives("never")), 0.1)
