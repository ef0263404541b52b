"""A connection that holds no more than a small head of a request, however much of one is sent. See uvicorn.

A head that is too large is refused while it arrives: with 431, or 414 for its address, in the shape of the API that it
is for, and then the connection closes. HeadMiddleware makes the responses.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# In bytes: uvicorn's parser of addresses takes no longer one.
_LONGEST_ADDRESS = 65535
# In bytes, and in number, of a request's headers.
LARGEST_HEADERS = 64 * 1024
MOST_HEADERS = 100


class LimitedProtocol(HttpToolsProtocol):
    """A connection with requests, whose heads are bounded."""

    _in_head = False
    # Whether the rest of what arrives is dropped: a head was refused before its end.
    _cut = False
    # The size of the headers so far.
    _size = 0
    # The bytes that the parser has taken and not reported; at least so many as it holds.
    _pending = 0

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._cut:
            return
        self._pending += len(data)
        super().data_received(data)
        if self._pending > LARGEST_HEADERS and not self.transport.is_closing():
            self._refuse_pending()
        elif self._in_head and self._is_refused():
            self._refuse_head(431)

    def _refuse_pending(self) -> None:
        """Refuse a header without end; what is no header at all is worth no answer."""
        if self._in_head:
            self._refuse_head(431)
        else:
            self._cut = True
            self.transport.close()

    def _refuse_head(self, status: int) -> None:
        """Answer what has arrived of a head, and drop the rest."""
        self.scope["state"]["refused_head"] = status
        self._cut = True
        self.on_headers_complete()

    def on_message_begin(self) -> None:
        """See uvicorn: a request's first bytes have arrived."""
        super().on_message_begin()
        self._in_head, self._size = True, 0

    def on_url(self, url: bytes) -> None:
        """See uvicorn: some more of the address has arrived."""
        self._report(len(url))
        self.url = (self.url + url)[: _LONGEST_ADDRESS + 1]

    def on_header(self, name: bytes, value: bytes) -> None:
        """See uvicorn: a header has arrived whole; behind the body it would be a trailer, which nobody reads."""
        self._report(len(name) + len(value))
        if not self._in_head:
            return
        self._size += len(name) + len(value)
        if self._size > LARGEST_HEADERS or len(self.headers) >= MOST_HEADERS:
            self.scope["state"]["refused_head"] = 431
        else:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See uvicorn: a request begins, whose task hasn't run yet; or a socket, which is none."""
        self._in_head, self._pending = False, 0
        if len(self.url) > _LONGEST_ADDRESS:
            self.scope["state"].setdefault("refused_head", 414)
            self.url = self.url.partition(b"?")[0][:_LONGEST_ADDRESS]
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self._begin_request()

    def _begin_request(self) -> None:
        """Prepare a request, before it is served."""
        if self.scope["state"].get("refused_head") == 431:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """See uvicorn: some more of a body has arrived."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See uvicorn: a request has arrived whole."""
        self._pending = 0
        super().on_message_complete()

    def _report(self, size: int) -> None:
        self._pending = max(0, self._pending - size)

    def _is_refused(self) -> bool:
        return "refused_head" in self.scope["state"]

    def _should_upgrade(self) -> bool:
        return not self._is_refused() and super()._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """Drop what follows a refused request for a socket: the parser takes nothing any more."""
        if self._is_refused():
            self._cut = True
        else:
            super()._unsupported_upgrade_warning()
