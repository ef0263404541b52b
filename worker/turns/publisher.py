"""Publish one answer while it grows: one append in flight, what arrives meanwhile goes into the next one.

The first append begins when what has arrived from the upstream in this turn of the loop is read, so that an answer
which arrives whole is written by the call that writes its end. For each later one that would cost more than it saves.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from types import TracebackType

import msgspec

from wire.appends import Appended
from wire.blocks import BlockKind, Piece, join_pieces
from wire.errors import LeaseLostError, StateLostError, StoreUnavailableError
from wire.messages import Delta, Replace, encode
from wire.reasons import Reason
from wire.sessions import ClaimedJob, Sessions
from worker.errors import UpstreamError
from worker.turns.answer_room import AnswerRoom
from worker.turns.deltas import DeltaBuilder
from worker.turns.forgotten import Report, retry_forgotten
from worker.turns.recent_events import MOST_BYTES, RecentEvents

# What an append is repeated after; for others nothing can be done.
_REPEATED = (StoreUnavailableError, LeaseLostError, StateLostError)


class Publisher:
    """An async context manager around one job's answer.

    While Redis is away it repeats the same event for `retry_for` seconds; a repeat is harmless. It does so once more
    after a `report`, where Redis has lost what is ahead of it: `recent` are the events that can be appended again, of
    `most_bytes` at most.
    """

    def __init__(
        self, sessions: Sessions, job: ClaimedJob, retry_for: float, report: Report, most_bytes: int = MOST_BYTES
    ) -> None:
        self._sessions = sessions
        self._job = job
        self._retry_for = retry_for
        self._report = report
        self.recent = RecentEvents(most_bytes)
        self._deltas = DeltaBuilder()
        # What an answer in pieces consists of so far, and those of its pieces that no event contains yet.
        self._progress = BlockProgress()
        self._pieces: list[Piece] = []
        self.seq = 0
        # The bytes of all events, and the room for them.
        self._size = 0
        self._room = AnswerRoom(sessions, job)
        # The provider and the model that answer; clients get their names with the first event.
        self.provider = self.model = ""
        self._text = ""
        # The text that the last event was made from.
        self._published = ""
        self._append: asyncio.Future[Appended] | None = None
        self._last: Appended | None = None
        # The first append, which begins soon.
        self._due: asyncio.Handle | None = None
        self._ending = False
        self._error: BaseException | None = None

    async def __aenter__(self) -> "Publisher":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_publishing()
        while self._append is not None:
            self._append.cancel()
            await asyncio.wait([self._append])

    @property
    def published_text(self) -> str:
        """The text that clients have been sent."""
        return self._progress.text or self._deltas.text

    @property
    def has_begun(self) -> bool:
        """Whether the upstream has sent any part of the answer."""
        return bool(self._text or self._pieces or self.seq or self._append)

    def update(self, text: str) -> None:
        """Publish the upstream's whole text so far. Raises the error of an earlier append, such as LeaseLostError.

        UpstreamError `result.full`: the answer takes more of Redis than its client leaves to others.
        """
        self._raise_error()
        self._text = text
        self._publish_next()

    def grow(self, pieces: Sequence[Piece]) -> None:
        """Publish what the answer has more than before. Raises as `update`."""
        self._raise_error()
        self._pieces += pieces
        self._publish_next()

    async def make_room(self, size: int) -> None:
        """Make room for an end of `size` bytes, or drop what is not published and raise UpstreamError `result.full`."""
        if not self._room.holds(size):
            await self._room.widen(size)
        if self._room.is_refused:
            self._pieces, self._text = [], self._published
            raise UpstreamError(Reason.RESULT_FULL)

    async def finish(self) -> None:
        """Publish all the rest. Raises as `update`."""
        event = await self.take_rest()
        if event is not None:
            self._start_append(event)
            await self._flush()

    async def take_rest(self, text: str | None = None) -> Delta | Replace | None:
        """Return the event for all that no event contains yet, of an answer in snapshots up to the final `text`.

        It is for the call that ends the answer, and has the next seq. Nothing is published after this. Raises as
        `update`.
        """
        if text is not None and not self._is_in_pieces:
            self._text = text
        self._stop_publishing()
        await self._flush()
        if not self._is_in_pieces:
            event = self._deltas.finish(self._text)
        else:
            event = self._progress.add(self._pieces) if self._pieces else None
            self._pieces = []
        return event and self._introduce(event)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
        if self._room.is_refused:
            raise UpstreamError(Reason.RESULT_FULL)

    @property
    def _is_in_pieces(self) -> bool:
        return bool(self._pieces or self._progress.count)

    async def _flush(self) -> None:
        while self._append is not None:
            await asyncio.wait([self._append])
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _publish_next(self) -> None:
        if self._append is not None or self._due is not None or self._ending:
            return
        if self.seq:
            self._publish()
        else:
            self._due = asyncio.get_running_loop().call_soon(self._publish)

    def _stop_publishing(self) -> None:
        self._ending = True
        if self._due is not None:
            self._due.cancel()

    def _publish(self) -> None:
        """Start an append of all that no event contains yet, if there is anything."""
        self._due = None
        event: Delta | Replace | None
        if self._pieces:
            event = self._progress.add(self._pieces)
            self._pieces = []
        else:
            self._published = self._text
            event = self._deltas.update(self._text)
        if event is not None:
            self._start_append(event)

    def _start_append(self, event: Delta | Replace) -> None:
        """Start an append. Its callback continues, since a waiting task per append would cost more than the append."""
        encoded = encode(self._introduce(event))
        until = asyncio.get_running_loop().time() + self._retry_for
        self._size += len(encoded)
        has_room = self._room.holds(self._size)
        self._append = self._send(encoded) if has_room else asyncio.create_task(self._send_larger(encoded))
        self._append.add_done_callback(partial(self._on_reply, encoded, until))

    async def _send_larger(self, event: bytes) -> Appended:
        """Append an event for which the answer needs more room. If there is none, this is the last one."""
        await self._room.widen(self._size)
        return await self._send(event)

    def _introduce(self, event: Delta | Replace) -> Delta | Replace:
        """Return the event, the first one with the provider and the model."""
        return event if self.seq else msgspec.structs.replace(event, provider=self.provider, model=self.model)

    def _send(self, event: bytes) -> asyncio.Future[Appended]:
        return self._sessions.append(self._job.lease, self._job.answer, self.seq + 1, event, self._last)

    def _on_reply(self, event: bytes, until: float, append: asyncio.Future[Appended]) -> None:
        if append.cancelled() or (error := append.exception()) is None or not isinstance(error, _REPEATED):
            self._on_end(event, append)
        else:
            self._append = asyncio.create_task(self._retry(event, until, append))
            self._append.add_done_callback(partial(self._on_end, event))

    async def _retry(self, event: bytes, until: float, failed: asyncio.Future[Appended]) -> Appended:
        """Repeat an append that found Redis away, or without what is ahead; its own error counts as the first try."""
        first = iter([failed])
        return await retry_forgotten(lambda: next(first, None) or self._send(event), self._report, until)

    def _on_end(self, event: bytes, append: asyncio.Future[Appended]) -> None:
        self._append = None
        try:
            last = self._last = append.result()
        except BaseException as error:  # noqa: BLE001 - the turn raises it
            self._error = error
            return
        self.seq += 1
        self.recent.add(event, last.at)
        if not self._ending and (self._pieces or self._published is not self._text):
            self._publish()


class BlockProgress:
    """How far an answer in pieces is: what its next event depends on. `count` is the number of its blocks."""

    def __init__(self) -> None:
        self.count = 0
        self._kind: BlockKind | None = None
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """The text that was added."""
        return "".join(self._texts)

    def add(self, pieces: Sequence[Piece]) -> Delta:
        """Return the event that adds pieces; where it brings only text, in the form that needs no pieces."""
        plain_block = self.count - (self._kind == "text")
        by_block: list[list[Piece]] = []
        for piece in pieces:
            if by_block and by_block[-1][0].block == piece.block:
                by_block[-1].append(piece)
            else:
                self._begin(piece)
                by_block.append([piece])
        merged = list(map(join_pieces, by_block))
        text = "".join([piece.text for piece in merged if piece.kind == "text"])
        self._texts.append(text)
        plain = Piece(plain_block, "text", text)
        return Delta(text) if merged == [plain] else Delta(text, pieces=tuple(merged))

    def _begin(self, piece: Piece) -> None:
        """Note the block of a piece. ValueError for one that has been passed, or of another kind."""
        if piece.block == self.count:
            self.count, self._kind = self.count + 1, piece.kind
        elif piece.block != self.count - 1 or piece.kind != self._kind:
            raise ValueError(f"a piece of {piece.kind} for block {piece.block} after {self.count} blocks")
