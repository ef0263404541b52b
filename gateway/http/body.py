"""A request's body, within its limits."""

import asyncio
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

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
