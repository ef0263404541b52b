"""A connection that parses what it reads in slices, and in its client's turn. See uvicorn and ReadTurns."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.http.long_steps import LONG
from gateway.http.read_flow import ReadFlow
from gateway.http.read_turns import ReadTurns

# Bytes that are parsed before a look at whether more of them may be.
SLICE = 8 * 1024


class SlicedProtocol(HttpToolsProtocol):
    """A connection with requests. It holds no more than one read, and reads nothing meanwhile."""

    flow: ReadFlow
    # Whether the rest of what arrives is dropped.
    _cut = False
    # Whose connection it is; '' where its reads have no turns.
    _reader = ""
    # What waits for its turn.
    _held = b""
    # Whether something has waited since the last head was whole: then the client may need more time.
    _has_waited = False

    def __init__(self, turns: ReadTurns, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turns = turns

    @property
    def is_holding(self) -> bool:
        """Whether something that has arrived waits for its turn."""
        return bool(self._held)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self.flow = ReadFlow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._drop_held()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol: parse what has arrived, or let it wait."""
        if self._cut:
            return
        if self._held or not self._turns.may_read(self._reader):
            self._hold(self._held + data)
        elif len(data) <= SLICE and not self._turns.is_measured(self._reader, len(data)):
            self.parse(data)
            self.end_read()
        else:
            self._read(data)

    def read_on(self) -> None:
        """See HeldRead."""
        data, self._held = self._held, b""
        self._read(data)
        if not (self._held or self.transport.is_closing()):
            self.flow.release()

    def parse(self, data: bytes) -> None:
        """Parse a slice of what has arrived."""
        super().data_received(data)

    def end_read(self) -> None:
        """Do what waits until all that has arrived is parsed."""

    def _read(self, data: bytes) -> None:
        """Parse up to a long step, and let the rest wait."""
        is_measured, took, place = bool(self._reader), 0.0, 0
        began = self._turns.steps.clock() if is_measured else 0.0
        while place < len(data) and took < LONG and self._is_open():
            self.parse(data[place : place + SLICE])
            place += SLICE
            if is_measured:
                took = self._turns.steps.clock() - began
        if is_measured:
            self._turns.steps.spend(self._reader, took)
        if place >= len(data):
            self.end_read()
        elif self._is_open():
            self._hold(data[place:])

    def _is_open(self) -> bool:
        """Return whether more may be parsed: nothing was refused, and no other protocol has taken over."""
        return not self._cut and self.parser is not None and not self.transport.is_closing()

    def _hold(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._held, self._has_waited = data, True
        self.flow.hold()
        self._turns.wait(self._reader, self)

    def _drop_held(self) -> None:
        self._held = b""
        self._turns.leave(self._reader, self)
