"""The frames of the drop-in endpoints' streams."""

from hashlib import blake2b

from gateway.errors import failure_of, problem_of
from gateway.http.responses import encode_error
from gateway.http.sse import EventId, SseFrame, encode_event
from gateway.legacy.envelope import encode_answer, encode_final, encode_text, require_text
from wire.messages import Delta, Event, Failed, Final, Replace


class LegacyFrames:
    """The frames of one streamed answer; a Presenter. The joined deltas always end with the whole answer.

    `token` is None for a client that never got one. `reconnects`: see Presenter.
    """

    __slots__ = ("_digest", "_english", "_length", "_prefix", "_suffix", "_token", "finished", "reconnects")

    def __init__(self, token: str | None, *, english: bool = False, reconnects: bool = False) -> None:
        self._token = token
        self._english = english
        # All but the text is the same in each delta frame.
        frame = encode_answer("\0", (), done=False, reset=False, token=token)
        self._prefix, self._suffix = frame.split(rb'"\u0000"')
        # Of the text so far: the text itself would be most of an open stream's memory.
        self._digest = blake2b()
        self._length = 0
        self.finished = False
        self.reconnects = reconnects

    def encode(self, event: Event) -> list[bytes]:
        """Return the frames of `event`; the last one of a terminal event is the terminal frame."""
        match event:
            case Delta(text=text):
                self._add(text)
                return self._delta(text)
            case Replace(text=text):
                self._digest, self._length = blake2b(), 0
                self._add(text)
                return self._delta(text)
            case Final() | Failed():
                self.finished = True
                return self._end(require_text(event))

    def preamble(self, _: Event | None) -> list[SseFrame]:
        """Return an empty delta for a client that reconnects; for others a stream begins with its first delta."""
        return [SseFrame(self._empty())] if self.reconnects else []

    def sign(self, last: EventId | None) -> bytes:
        """Return an empty delta with the last id: handlers of events take no other form. Without ids nothing."""
        return b"" if last is None else encode_event(self._empty(), last)

    async def render(self, event: Event) -> list[SseFrame]:
        """Return the frames of `event`."""
        return [SseFrame(frame) for frame in self.encode(event)]

    def render_error(self, error: Exception) -> list[SseFrame]:
        """Return one error frame."""
        return [SseFrame(encode_error(problem_of(error, self._english)))]

    def _end(self, event: Final | Failed) -> list[bytes]:
        if isinstance(event, Failed):
            return [encode_error(failure_of(event, self._english))]
        return [*self._delta(self._missing(event.text)), encode_final(event, self._token, streaming=True)]

    def _add(self, text: str) -> None:
        self._digest.update(_bytes(text))
        self._length += len(text)

    def _missing(self, text: str) -> str:
        """Return what a client that has the deltas lacks of the whole answer: its rest, or all of a replaced one."""
        continued = blake2b(_bytes(text[: self._length])).digest() == self._digest.digest()
        return text[self._length :] if continued else text

    def _delta(self, text: str) -> list[bytes]:
        return [self._prefix + encode_text(text) + self._suffix] if text else []

    def _empty(self) -> bytes:
        return self._prefix + encode_text("") + self._suffix


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
