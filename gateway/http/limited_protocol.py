"""A connection that holds no more than a small head of a request, and not for long. See uvicorn.

A head that is too large is refused while it arrives: with 431, or 414 for its address, in the shape of the API that it
is for, and then the connection closes. HeadMiddleware makes the responses.
A connection closes without a word where no whole head arrives in time, or no more of a body that nobody waits for: of
others BodyReader knows. So it does where too many requests wait behind one that is being answered: each takes a hundred
times as much memory as it has bytes. Of few small ones everything is read: a connection that isn't read from doesn't
notice that its client leaves. A client that has too many connections gets 503 on a further one.
A path of more than some kB is refused with 414 before it is decoded, which takes longer than its request.
"""

import asyncio
from typing import Any

from gateway.errors import ERRORS, Problem
from gateway.http.handshake_check import find_handshake_fault
from gateway.http.open_connections import OpenConnections
from gateway.http.responses import encode_error
from gateway.http.sliced_protocol import SlicedProtocol
from wire.reasons import Reason

# In bytes: uvicorn's parser of addresses takes no longer one.
_LONGEST_ADDRESS = 65535
# Of these for the path: questions are in the query, and no endpoint has a long one.
LONGEST_PATH = 4096
# In bytes, and in number, of a request's headers.
LARGEST_HEADERS = 64 * 1024
MOST_HEADERS = 100
# Requests that wait on a connection until the one in front is answered.
MOST_WAITING = 32
# Up to so many, and so many bytes of them, the connection is read from all the same.
_FEW_WAITING = MOST_WAITING // 2
_FEW_AHEAD = 64 * 1024
_BUSY = encode_error(Problem(503, ERRORS[Reason.QUEUE_FULL].zh))
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: %d\r\nretry-after: 1\r\n"
    b"connection: close\r\n\r\n%b" % (len(_BUSY), _BUSY)
)


class LimitedProtocol(SlicedProtocol):
    """A connection with requests, whose heads are bounded."""

    # Whether a head, or a body, has begun and not ended.
    _in_head = False
    _in_body = False
    # Whether it counts among its client's connections.
    _entered = False
    # Whether so many requests wait that the rest of what has arrived already is dropped.
    _flooded = False
    # The size of the headers so far.
    _size = 0
    # The bytes that the parser has taken and not reported; at least so many as it holds.
    _pending = 0
    # The bytes that have arrived since requests wait.
    _ahead = 0

    def __init__(self, open_connections: OpenConnections, *args: Any, **kwargs: Any) -> None:
        super().__init__(open_connections.reads, *args, **kwargs)
        self._open_connections = open_connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._entered = self.client is not None and self._open_connections.enter(self.client[0])
        self._reader = self._open_connections.name_reader(self.client[0]) if self.client is not None else ""
        if self._entered or self.client is None:
            self._open_connections.heads.begin(self)
        else:
            self._cut = True
            transport.write(_REFUSAL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._open_connections.heads.end(self)
        self._open_connections.bodies.end(self)
        if self._entered and self.client is not None:
            self._open_connections.leave(self.client[0])

    def give_up(self) -> bool:
        """See Unfinished: while a request is answered its client may take its time, and so it may where we did."""
        if self._has_waited:
            self._has_waited = self.is_holding
            return False
        if self.flow.read_paused or not (self.cycle is None or self.cycle.response_complete):
            return False
        self.transport.close()
        return True

    def parse(self, data: bytes) -> None:
        """See SlicedProtocol."""
        self._pending += len(data)
        super().parse(data)
        self._read_ahead(len(data))
        if self._pending > LARGEST_HEADERS and not self.transport.is_closing():
            self._refuse_pending()
        elif self._in_head and self._is_refused():
            self._refuse_head(414 if self._is_long() else 431)
        elif self._in_body:
            self._open_connections.bodies.renew(self)
        elif self._in_head or self._pending:
            self._open_connections.heads.begin(self)

    def end_read(self) -> None:
        """Refuse an address that is too long: not before, since headers behind it say in which language."""
        if self._in_head and not self._cut and self._is_long():
            self._refuse_head(414)

    def _read_ahead(self, size: int) -> None:
        """Read on, though uvicorn doesn't, while little waits; `size` bytes have arrived."""
        self._ahead = self._ahead + size if self.pipeline else 0
        few = 0 < self._ahead <= _FEW_AHEAD and len(self.pipeline) <= _FEW_WAITING
        if few and not self.transport.is_closing():
            self.flow.resume_reading()

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
        if self._flooded or len(self.pipeline) >= MOST_WAITING:
            self._drop_flood()
            return
        self._in_head, self._in_body, self._pending, self._has_waited = False, True, 0, False
        self._open_connections.heads.end(self)
        if self._is_long():
            self.scope["state"].setdefault("refused_head", 414)
            self.url = self.url.partition(b"?")[0][:LONGEST_PATH]
        if self.parser.should_upgrade() and (fault := find_handshake_fault(self.headers)):
            self.scope["state"].setdefault("refused_head", fault)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self._begin_request()

    def _is_long(self) -> bool:
        """Return whether the address is too long, or its path, as far as it has arrived."""
        size = len(self.url)
        return size > _LONGEST_ADDRESS or (size > LONGEST_PATH and self.url.find(b"?", 0, LONGEST_PATH + 1) < 0)

    def _drop_flood(self) -> None:
        """Close a connection on which too much waits; whoever sends so much reads no answers."""
        self._cut = self._flooded = True
        self.pipeline.clear()
        self.transport.close()

    def _begin_request(self) -> None:
        """Prepare a request, before it is served."""
        if self._cut or self.scope["state"].get("refused_head") == 431:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """See uvicorn: some more of a body has arrived."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See uvicorn: a request has arrived whole."""
        self._in_body, self._pending = False, 0
        self._open_connections.bodies.end(self)
        super().on_message_complete()

    def _report(self, size: int) -> None:
        self._pending = max(0, self._pending - size)

    def _is_refused(self) -> bool:
        return "refused_head" in self.scope["state"]

    def _should_upgrade(self) -> bool:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        return not (self._is_refused() or is_answering) and super()._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """Drop what follows a request for a socket that is refused, or waits: the parser takes nothing any more."""
        if self._is_refused() or self._get_upgrade() == b"websocket":
            self._cut = True
        else:
            super()._unsupported_upgrade_warning()
