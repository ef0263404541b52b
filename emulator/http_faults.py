"""Faults of HTTP and TCP that every endpoint can show."""

import asyncio
import socket
import struct

from aiohttp import web

from emulator.directives import Directives

HOLD_LIMIT = 3600.0  # seconds a scripted silence lasts at most
HTML = "<!DOCTYPE html><html><head><title>Bing</title></head><body><h1>{}</h1></body></html>"


def page(heading: str, status: int = 200) -> web.Response:
    """Return an HTML page."""
    return web.Response(status=status, text=HTML.format(heading), content_type="text/html", charset="utf-8")


def status_page(status: int) -> web.Response:
    """Return an HTML page that names its status."""
    return page(f"Status {status}", status)


def reset(request: web.Request) -> None:
    """End the connection with RST instead of FIN."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def delay(request: web.Request, directives: Directives) -> None:
    """Wait, stay silent or drop the connection, if a directive asks for it, and return when an answer is to come."""
    match directives.outcome:
        case "slow":
            await asyncio.sleep(directives.seconds(5.0))
        case "silence":
            await asyncio.sleep(HOLD_LIMIT)
        case "reset-before":
            reset(request)
            await asyncio.sleep(HOLD_LIMIT)


async def apply_script(request: web.Request, script: Directives) -> web.Response | None:
    """Carry out what a script asks of the request as a whole, and return None if it is to be served.

    Knows http-<status>, never, slow and reset; other outcomes are the caller's.
    """
    name = script.outcome or ""
    if name.startswith("http-"):
        return status_page(int(name[5:]))
    if name == "slow":
        await asyncio.sleep(script.seconds(5.0))
    if name == "never":
        await asyncio.sleep(HOLD_LIMIT)
        return status_page(504)
    if name == "reset":
        reset(request)
        return status_page(499)
    return None
