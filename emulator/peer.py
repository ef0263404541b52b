"""The client at the other end: its account, and what create, socket and images share on the level of HTTP and TCP."""

import asyncio
import socket
import struct

from aiohttp import web

from emulator.accounts import ANONYMOUS
from emulator.words import Words

HOLD_LIMIT = 3600.0
HTML = "<!DOCTYPE html><html><head><title>Bing</title></head><body><h1>{}</h1></body></html>"


def account_of(request: web.Request) -> str:
    """The account is the value of the `_U` cookie."""
    return request.cookies.get("_U") or ANONYMOUS


def page(heading: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=HTML.format(heading), content_type="text/html", charset="utf-8")


def reset(request: web.Request) -> None:
    """End the connection with RST instead of FIN."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def refused(request: web.Request, script: Words) -> web.Response | None:
    """Carry out what a script says about the request as a whole; None if it is to be served.

    Knows http-<status>, never, slow and reset; other outcomes are the caller's.
    """
    name = script.outcome or ""
    if name.startswith("http-"):
        return page(f"Status {name[5:]}", int(name[5:]))
    if name == "slow":
        await asyncio.sleep(5.0 if script.number is None else script.number)
    if name == "never":
        await asyncio.sleep(HOLD_LIMIT)
        return page("Status 504", 504)
    if name == "reset":
        reset(request)
        return page("Status 499", 499)
    return None
