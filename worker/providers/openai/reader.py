"""Read an answer from the bytes of a response, whatever its label: events, a whole completion, or chunks in JSON."""

import re
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from wire.blocks import Piece
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.openai.json_documents import DocumentParser
from worker.providers.openai.sse import BOM, EventParser
from worker.providers.value_budget import MOST_VALUES, ValueBudget

# How an event stream begins, as far as a field's name can be seen.
_EVENTS = re.compile(rb":|(?:data|event|id|retry)[:\r\n]")
_FIELDS = (b"data:", b"event:", b"id:", b"retry:")
EVENT_STREAM = "text/event-stream"
# What ends a line, and what may end a document: there are no more events, or documents, than of these.
_LINE_ENDS = (b"\n", b"\r")
_DOCUMENT_ENDS = (b"}", b"]")
# How many lines an event has that brings nothing, and how many one may have beside its data that does: some servers
# send an id, a name, a comment and the time to wait with each.
_IDLE_EVENT = 2
_EVENT = 6
T = TypeVar("T")


class GrowingAnswer(Protocol):
    """An answer that is read event by event, in whichever API."""

    @property
    def done(self) -> bool:
        """Whether nothing more is to be read."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the server has sent the answer's end; what follows undoes nothing."""
        ...

    @property
    def size(self) -> int:
        """How much of the answer has arrived; it grows with each part."""
        ...

    def read_common(self, data: bytes) -> bool:
        """Read one event's data if it only adds text, as nearly all do; return whether it does."""
        ...

    def read(self, data: str) -> None:
        """Read one event's data, or a document. UpstreamError if it is none of the API's, or reports a failure."""
        ...

    def end_document(self) -> None:
        """Take a document that was read whole for the whole answer, as the response ends with it."""
        ...

    def take(self) -> tuple[Piece, ...]:
        """Return the pieces that the answer has more than at the last call."""
        ...


class CompletionReader:
    """Feeds an answer from bytes; the first ones decide which format they have."""

    def __init__(self, completion: GrowingAnswer, content_type: str = EVENT_STREAM) -> None:
        self._completion = completion
        self._labelled = content_type.partition(";")[0].strip().lower() == EVENT_STREAM
        self._head = b""
        self._parser: EventParser | DocumentParser | None = None
        self._values = ValueBudget()
        # How many lines have arrived that brought nothing of the answer, beyond those that belong to what did.
        self.idle = 0

    @property
    def marks(self) -> tuple[bytes, ...]:
        """The bytes that are counted to know how much is to be read: each may cost as much as a whole event."""
        if self._parser is None:
            return _LINE_ENDS + _DOCUMENT_ENDS
        return _LINE_ENDS if isinstance(self._parser, EventParser) else _DOCUMENT_ENDS

    @property
    def held(self) -> int:
        """How many bytes are held of an event, or a document, that hasn't ended."""
        return len(self._head) if self._parser is None else self._parser.held

    def feed(self, chunk: bytes) -> UpstreamError | None:
        """Read bytes; return the error that ends the answer, so that the text before it can be shown first."""
        try:
            if self._parser is None:
                self._head += chunk
                self._parser = self._choose_parser(self._head)
                if self._parser is None:
                    # White space ahead of an answer says nothing, however much of it there is.
                    self._head = self._head.rstrip()
                    self.idle += _count_lines(chunk)
                    return None
                chunk, self._head = self._head.removeprefix(BOM), b""
            if isinstance(parser := self._parser, EventParser):
                if (plain := parser.split_plain(chunk)) is None:
                    self.idle += _count_lines(chunk)
                events: Iterable[str | bytes] = parser.feed(chunk) if plain is None else plain
                self._read(self._read_event, events)
            else:
                self._read(self._read_document, parser.feed(chunk))
        except UpstreamError as error:
            return None if self._completion.ended else error
        return None

    def end(self) -> UpstreamError | None:
        """Read what is left at the end of the response; return the error that ends the answer."""
        parser = self._parser
        try:
            if isinstance(parser, DocumentParser):
                self._read(self._read_document, parser.end())
                self._completion.end_document()
            elif parser is not None:
                self._end_events(parser)
            elif self._head.strip() or not self._labelled:
                raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "neither events nor JSON")
        except UpstreamError as error:
            return None if self._completion.ended else error
        return None

    def _choose_parser(self, head: bytes) -> EventParser | DocumentParser | None:
        """Return the parser for a response that begins with `head`; None if it isn't clear yet."""
        start = head.removeprefix(BOM).lstrip()
        if not start or BOM.startswith(head):
            return None
        if start.startswith((b"{", b"[")):
            return DocumentParser()
        if start.startswith(b"<"):
            raise UpstreamError(Reason.ACCOUNT_BLOCKED, "a page", refused=True)
        if self._labelled or _EVENTS.match(start):
            return EventParser()
        if any(name.startswith(start) for name in _FIELDS):
            return None
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "neither events nor JSON")

    def _read(self, read: Callable[[T], None], parts: Iterable[T]) -> None:
        for part in parts:
            try:
                read(part)
            except UpstreamError:
                # One that comes after the answer's end undoes nothing.
                if not self._completion.ended:
                    raise

    def _read_event(self, data: str | bytes) -> None:
        """Read one event's data; bytes are most probably of the kind that nearly all of an answer's events have."""
        if self._completion.done:
            return
        if isinstance(data, bytes):
            if self._completion.read_common(data):
                return
            self.idle += _IDLE_EVENT
            data = data.decode(errors="replace")
        self._values.charge(data)
        self._read_part(data)

    def _read_document(self, data: str) -> None:
        """Read one document, which may be the whole answer."""
        if not self._completion.done:
            self.idle += _IDLE_EVENT
            self._values.charge(data, MOST_VALUES)
            self._read_part(data)

    def _read_part(self, data: str) -> None:
        size = self._completion.size
        self._completion.read(data)
        if self._completion.size > size:
            self.idle = max(0, self.idle - _EVENT - data.count("\n"))

    def _end_events(self, parser: EventParser) -> None:
        """Read an event that ends with the response; half of one is a cut, and no event."""
        for data in parser.end():
            try:
                self._read_event(data)
            except UpstreamError as error:
                if error.reason != Reason.UPSTREAM_PROTOCOL:
                    raise


def _count_lines(chunk: bytes) -> int:
    return max(chunk.count(end) for end in _LINE_ENDS)
