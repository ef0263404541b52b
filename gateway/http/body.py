"""A request's body, within its limits."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.answering.timings import TIMINGS

# Bytes from which a body is parsed beside the event loop, where it holds up nobody else for long.
_LARGE = 64 * 1024
T = TypeVar("T")


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

    async def parse(self, request: Request, parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of the body; of a large one in a thread. Raises as `read`, and as `parse`."""
        body = await self.read(request)
        return parse(body) if len(body) <= _LARGE else await asyncio.to_thread(parse, body)


class _LingeringResponse(Response):
    """A refusal that waits behind its body until the client has sent its own, for up to `time_limit` seconds."""

    def __init__(self, refusal: Response, time_limit: float) -> None:
        super().__init__(refusal.body, refusal.status_code)
        self.raw_headers = refusal.raw_headers
        self._time_limit = time_limit

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await self._drop_body(receive)
        await send({"type": "http.response.body", "body": b""})

    async def _drop_body(self, receive: Receive) -> None:
        """Read the rest of the body, whose bytes nobody keeps."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._time_limit):
                while (await receive()).get("more_body"):
                    pass


def linger(refusal: Response, time_limit: float) -> Response:
    """Return the refusal so that the client of a body that is too large can read it, within `time_limit` seconds.

    Whoever sends first and reads then would lose it: a connection that is closed with bytes unread is reset.
    """
    return _LingeringResponse(refusal, time_limit) if refusal.status_code == 413 else refusal
