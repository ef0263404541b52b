"""A transport of httpx whose responses are bounded, however they are compressed.

httpx itself decompresses all that has arrived at once, and a kilobyte may become a megabyte.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx

from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.content_encoding import decode_body

# Encodings that are undone here, and must be asked for: httpx would ask for others too, if it could undo them.
ACCEPTED_ENCODINGS = "gzip, deflate"
# What a piece counts at least: thousands of chunks of one byte cost more than they have.
_LEAST = 256
# Of the body as it came, not of what httpx is handed.
_REPLACED = frozenset({b"content-encoding", b"content-length"})


class BoundedTransport(httpx.AsyncBaseTransport):
    """Sends requests through another transport, and reads up to `limit` decompressed bytes of each response.

    A longer body is UpstreamError `transport.toobig`, once so much of it was read. Text is UTF-8: the charset that a
    response names could be one of Python's codecs that decompress.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, limit: int) -> None:
        self._transport = transport
        self._limit = limit

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, as httpx wants it. httpx.HTTPError."""
        sent = await self._transport.handle_async_request(request)
        response = httpx.Response(
            sent.status_code,
            headers=[header for header in sent.headers.raw if header[0].lower() not in _REPLACED],
            stream=_BoundedBody(sent, self._limit),
            extensions=sent.extensions,
        )
        response.encoding = "utf-8"
        return response

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._transport.aclose()


class _BoundedBody(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, limit: int) -> None:
        self._response = response
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = count = 0
        async with aclosing(decode_body(self._response)) as pieces:
            async for piece in pieces:
                size, count = size + len(piece), count + 1
                if size > self._limit or (count - 1) * _LEAST > self._limit:
                    raise UpstreamError(Reason.TRANSPORT_TOO_BIG, f"a body above {self._limit} bytes")
                yield piece

    async def aclose(self) -> None:
        await self._response.aclose()
