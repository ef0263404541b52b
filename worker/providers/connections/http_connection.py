"""A connection to a server that has an HTTP API, read by llhttp. Its errors are httpx's."""

import asyncio
import ssl
from collections import deque
from typing import cast

import httptools
import httpx

# How many bytes may wait to be read, and how many may arrive beside a body: a head, or what is around chunks. Each byte
# of a body lets so many more arrive: a chunk of one byte has six around it, and some servers write longer sizes.
_MOST_WAITING = 256 * 1024
_MOST_AROUND = 100 * 1024
_AROUND_A_BYTE = 64
# How many parts that wait are read one by one, and as how many further bytes each counts.
_MANY_PARTS = 64
_PART = 64
# Ends of lines that are parsed at once, about, before whatever else the worker does has its turn; and as few bytes as
# are always. Each chunk has two, however small it is.
_LINES = 500
_SLICE = 4096
_EVENT_END = b"\n\n"
# Bytes that make up for a part of a body, and how many may be missing: a million parts of one byte.
_LEAST_PART = 16
_MOST_MISSING = 16 * 1024 * 1024
# How many headers a response may have, with those of what comes before it.
_MOST_HEADERS = 256
# Bytes of a rest that nobody reads.
_MOST_REST = 64 * 1024


class ReusedConnectionClosedError(httpx.RemoteProtocolError):
    """A connection that had answered before was closed without a byte of this answer: the request may have arrived."""


class HttpConnection(asyncio.Protocol):
    """One connection: a request, its response, then perhaps the next request. `on_change` is called between those.

    What arrives is parsed at once, unless it may be thousands of chunks, and waits here until it is read; a server that
    sends faster than that is slowed.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._error: httpx.HTTPError | None = None
        self._is_lost = self._is_paused = False
        # Whether anything of the present response has arrived, and how many bytes did that no body makes up for.
        self._has_begun = False
        self._around = self._header_count = 0
        self._parts: deque[bytes] = deque()
        self._waiting = self._missing = 0
        # What has arrived and isn't parsed yet.
        self._unparsed, self._slice = b"", _SLICE
        # The rest of a response is dropped, and more than a response has arrived.
        self._drops = self._is_spoilt = False
        self._ends_at_close = self._may_persist = False
        self._responses = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        # Whether the response has arrived to its end, and its head.
        self.is_complete = self._has_head = False
        # Called when nothing more is to be expected: the response is complete, or the connection is lost.
        self.on_change = _nothing

    @property
    def is_open(self) -> bool:
        """Whether it can be written to, as far as is known."""
        return self._transport is not None and not self._is_lost and not self._transport.is_closing()

    @property
    def is_reusable(self) -> bool:
        """Whether another request can be written to it."""
        return self.is_complete and self._may_persist and self.is_open and not self._is_paused

    @property
    def tls_session(self) -> ssl.SSLSession | None:
        """The session by which a later connection needs no whole handshake; None without TLS."""
        ssl_object = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        return cast(ssl.SSLSession | None, ssl_object.session) if ssl_object is not None else None

    def ask(self, request: bytes) -> None:
        """Write a request. Whatever goes wrong is reported when its response is read."""
        self._parser = httptools.HttpResponseParser(self)
        # As forgiving as h11, which servers have been read with: a length beside chunks, and lines without CR.
        self._parser.set_dangerous_leniencies(
            lenient_chunked_length=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._has_begun = self._has_head = self.is_complete = False
        self._ends_at_close = self._may_persist = self._drops = False
        self._around = self.status = self._waiting = self._missing = self._header_count = 0
        self.headers = {}
        self._parts.clear()
        if self.is_open:
            assert self._transport is not None
            self._transport.write(request)

    async def read_head(self) -> None:
        """Wait for the response's `status` and `headers`. httpx.HTTPError."""
        while not self._has_head:
            self._check()
            await self._wait()

    async def read(self) -> bytes:
        """Wait for the next part of the body, as its server sent it; nothing at its end. httpx.HTTPError.

        Where many parts wait it is all of them: thousands of one byte would be dear one by one.
        """
        while not self._parts:
            if self.is_complete:
                return b""
            self._check()
            await self._wait()
        if len(self._parts) > _MANY_PARTS:
            part = b"".join(self._parts)
            self._parts.clear()
        else:
            part = self._parts.popleft()
        self._waiting -= len(part)
        if not self._parts:
            self._resume()
        return part

    def drop_rest(self) -> None:
        """Read the rest of the response, and drop it, unless there is much of it."""
        self._drops = True
        self._parts.clear()
        self._waiting = 0
        self._resume()

    def close(self) -> None:
        """Hang up at once."""
        self._unparsed = b""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; asyncio calls this."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse what arrives; asyncio calls this."""
        if self._parser is None or self.is_complete:
            # Nobody has asked for it, so nobody knows what it belongs to.
            self.close()
            return
        self._has_begun = True
        if self._unparsed:
            self._unparsed += data
        elif len(data) > _SLICE and (lines := data.count(b"\n")) > _LINES:
            self._unparsed, self._slice = data, max(_SLICE, len(data) * _LINES // lines)
            self._parse_slice()
        else:
            self._parse(data)

    def _parse_slice(self) -> None:
        """Parse some of what has arrived, and the rest after whatever else the worker does."""
        data = self._unparsed[: self._slice]
        # What is cut in the middle of an event takes longer to read.
        if len(data) < len(self._unparsed) and (end := data.rfind(_EVENT_END)) >= 0:
            data = data[: end + len(_EVENT_END)]
        self._unparsed = self._unparsed[len(data) :]
        if not self._has_much:
            self._resume()
        if data:
            self._parse(data)
        if self._unparsed:
            self._pause()
            asyncio.get_running_loop().call_soon(self._parse_slice)

    def _parse(self, data: bytes) -> None:
        assert self._parser is not None
        self._around += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_spoilt = True
        except httptools.HttpParserError:
            self._is_spoilt = True
            if not self.is_complete:
                self._fail(httpx.RemoteProtocolError("no HTTP"))
        if self.is_complete:
            self._is_spoilt = self._is_spoilt or bool(self._unparsed)
            self._unparsed = b""
            self._responses += 1
            self._may_persist = self._may_persist and not self._is_spoilt
            self.on_change()
        elif self._around > _MOST_AROUND:
            self._fail(httpx.RemoteProtocolError("a head, or something around chunks, without an end"))
        elif self._missing > _MOST_MISSING:
            self._fail(httpx.RemoteProtocolError("a body of very many tiny parts"))
        if self._has_much:
            self._pause()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more arrives; asyncio calls this."""
        while self._unparsed:
            data, self._unparsed = self._unparsed, b""
            self._parse(data)
        self._is_lost = True
        if self._ends_at_close and self._has_head and exc is None:
            self.is_complete = True
        elif self._error is None:
            self._error = self._describe_cut(exc)
        self._wake()
        self.on_change()

    def on_message_begin(self) -> None:
        """Note what follows the response; the parser calls this."""
        self._is_spoilt = self.is_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or what follows the chunks; the parser calls this."""
        self._header_count += not self._has_head
        if self._header_count > _MOST_HEADERS:
            self._fail(httpx.RemoteProtocolError("too many headers"))
        elif not self._has_head:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """Take the head, unless a further one follows; the parser calls this."""
        if self.is_complete or self._error is not None:
            return
        assert self._parser is not None
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != httpx.codes.SWITCHING_PROTOCOLS:
            self.headers = {}
            return
        codings = self.headers.get("transfer-encoding", "").lower()
        is_chunked = "chunked" in codings
        self.status, self._has_head = status, True
        self._ends_at_close = not is_chunked and (bool(codings) or "content-length" not in self.headers)
        # Who sends a length beside chunks may mean either.
        self._may_persist = self._parser.should_keep_alive() and not (is_chunked and "content-length" in self.headers)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; the parser calls this."""
        if self.is_complete:
            return
        self._around = max(0, self._around - _AROUND_A_BYTE * len(body))
        self._missing = max(0, self._missing + _LEAST_PART - len(body))
        self._waiting += len(body)
        if not self._drops:
            self._parts.append(body)
        elif self._waiting > _MOST_REST:
            self.close()

    def on_message_complete(self) -> None:
        """Note the response's end; the parser calls this."""
        self.is_complete = self.is_complete or self._has_head

    @property
    def _has_much(self) -> bool:
        return self._waiting + _PART * len(self._parts) > _MOST_WAITING

    def _pause(self) -> None:
        if not self._is_paused and self.is_open:
            assert self._transport is not None
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        """Let more arrive, once what has arrived is parsed."""
        if not self._is_paused or self._unparsed:
            return
        self._is_paused = False
        if self.is_open:
            assert self._transport is not None
            self._transport.resume_reading()

    def _check(self) -> None:
        """Raise what makes further waiting vain."""
        if self._error is not None:
            raise self._error

    def _fail(self, error: httpx.HTTPError) -> None:
        self._error = self._error or error
        self.close()

    def _describe_cut(self, exc: Exception | None) -> httpx.HTTPError:
        if self._responses and not self._has_begun:
            return ReusedConnectionClosedError("closed without a byte")
        if exc is None:
            return httpx.RemoteProtocolError("closed in the middle")
        return httpx.ReadError(type(exc).__name__)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _nothing() -> None:
    """Do nothing: nobody has to know."""
