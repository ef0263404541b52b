"""An app that sends every WebSocket message back, on uvicorn as every gateway runs it."""

import contextlib

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.server import config
from gateway.settings import GatewaySettings
from telemetry.logs import configure
from telemetry.startup import load_settings


async def echo(socket: WebSocket) -> None:
    """Text comes back as text and bytes as bytes, until the client leaves."""
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while (message := await socket.receive())["type"] == "websocket.receive":
            await socket.send({**message, "type": "websocket.send"})


def main() -> None:
    """Serve on GATEWAY_PORT; messages may have MAX_MESSAGE bytes."""
    settings = load_settings(GatewaySettings)
    configure(settings.log_format)
    made = config(Starlette(routes=[WebSocketRoute("/", echo)]), settings)
    made.host, made.port = settings.gateway_host, settings.gateway_port
    uvloop.run(uvicorn.Server(made).serve())


if __name__ == "__main__":
    main()
