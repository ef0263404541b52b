"""Decode compressed bodies: some proxies compress although the request doesn't allow it."""

import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Protocol

import httpx

# The limit of one decoded piece, in bytes: a few bytes may become megabytes.
_PIECE = 64 * 1024
_GZIP = b"\x1f\x8b"
# How events, JSON and pages begin.
_TEXT = re.compile(rb"[\s:{\[<]|da|ev|id|re")


class RawResponse(Protocol):
    """A response whose body can be read as it came: httpx's, or worker.providers.connections'."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by their names in lower case."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. httpx.HTTPError."""
        ...


async def decode_body(response: RawResponse) -> AsyncGenerator[bytes, None]:
    """Yield the body in pieces as they arrive, decompressed where it is gzip or deflate. httpx.HTTPError.

    The first bytes decide about gzip and not the label, which may be missing or wrong.
    """
    labels = response.headers.get("content-encoding", "").lower()
    head, decoder, begun = b"", None, False
    async for chunk in response.aiter_raw():
        if begun and decoder is None:
            yield chunk
            continue
        head += chunk
        if not begun and len(head) < len(_GZIP):
            continue
        if not begun:
            begun, decoder = True, _choose_decoder(head, labels)
        for piece in [head] if decoder is None else _decompress(decoder, head):
            yield piece
        head = b""
    if head:
        yield head


def _choose_decoder(head: bytes, labels: str) -> "zlib._Decompress | None":
    if head.startswith(_GZIP):
        return zlib.decompressobj(zlib.MAX_WBITS | 16)
    if "deflate" in labels and not _TEXT.match(head):
        # With zlib's header, as the standard says, or without it, as some servers send it.
        is_zlib = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
    return None


def _decompress(decoder: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    """Yield what a chunk contains in pieces within the limit; nothing behind the end. httpx.DecodingError."""
    try:
        # Behind the end zlib would only collect what comes.
        while not decoder.eof and (piece := decoder.decompress(chunk, _PIECE)):
            yield piece
            chunk = decoder.unconsumed_tail
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from error
