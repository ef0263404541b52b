"""A request's body, within its limits."""

import asyncio
import contextlib
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.answering.timings import TIMINGS


@dataclass(frozen=True)
class BodyReader:
    """Reads bodies of up to `max_bytes`, for which a client may take `time_limit` seconds."""

    max_bytes: int
    time_limit: float = TIMINGS.body_limit

    async def read(self, request: Request) -> bytes:
        """Return the body, whether or not its length was announced. Raises HTTPException 413 and 408, DrainingError."""
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self.max_bytes:
            raise HTTPException(413)
        body = bytearray()
        try:
            async with request.state.active_requests.read(), asyncio.timeout(self.time_limit):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self.max_bytes:
                        raise HTTPException(413)
        except TimeoutError:
            raise HTTPException(408, headers={"connection": "close"}) from None
        return bytes(body)


class LingerMiddleware:
    """Lets the client of a body that is too large read its refusal, for up to `time_limit` seconds.

    Whoever sends first and reads then would lose it: a connection that is closed with bytes unread is reset.
    """

    def __init__(self, app: ASGIApp, time_limit: float = TIMINGS.linger_limit) -> None:
        self._app = app
        self._time_limit = time_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        too_large = False

        async def sending(message: Message) -> None:
            nonlocal too_large
            if message["type"] == "http.response.start":
                too_large = message["status"] == 413
            elif too_large and not message.get("more_body"):
                await send({**message, "more_body": True})
                await self._drop_body(receive)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self._app(scope, receive, sending)

    async def _drop_body(self, receive: Receive) -> None:
        """Read the rest of the body, whose bytes nobody keeps."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._time_limit):
                while (await receive()).get("more_body"):
                    pass
