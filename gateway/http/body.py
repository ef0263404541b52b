"""A request's body, within its limits."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request

# How long a client may take to send it, in seconds.
_TIMEOUT = 30.0


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body, whether or not its length was announced. Raises HTTPException 413 and 408, DrainingError."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise HTTPException(413)
    body = bytearray()
    try:
        async with request.state.active_requests.read(), asyncio.timeout(_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise HTTPException(413)
    except TimeoutError:
        raise HTTPException(408, headers={"connection": "close"}) from None
    return bytes(body)
