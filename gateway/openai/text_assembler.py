"""An answer's text as clients of /v1 get it: up to a stop sequence, with its sources at the end if that is on."""

from collections.abc import Sequence

from gateway.openai.sources import Citation, format_sources, locate_citations
from gateway.openai.stop_sequences import StopSequences
from wire.messages import Delta, Final, FinishReason, Replace, Source, Usage


class TextAssembler:
    """The text of one answer. `sent` is all that was sent: text that the upstream replaced, then the answer.

    `text` is the answer alone. It is `finished` at its end, or at a stop sequence (`cut`).
    """

    def __init__(self, stops: Sequence[str] = (), *, list_sources: bool = False) -> None:
        self._stops = StopSequences(stops)
        self._list_sources = list_sources
        self._upstream_text = ""
        self._sources: tuple[Source, ...] = ()
        self.sent = ""
        self.text = ""
        self.finished = False
        self.finish: FinishReason = "stop"
        self.usage: Usage | None = None

    @property
    def cut(self) -> bool:
        """Whether it ended at a stop sequence."""
        return self._stops.hit

    def add(self, event: Delta | Replace | Final) -> str:
        """Add an event and return the text to send."""
        match event:
            case Delta(text=text):
                new = self._append(text)
            case Replace(text=text):
                new = self._replace(text)
            case Final():
                new = self._end(event)
        self.sent += new
        self.text += new
        self.finished = self.finished or self.cut
        return new

    def locate_citations(self, text: str) -> list[Citation]:
        """Return the citations of `sent` or of `text`."""
        return locate_citations(self._sources, text, in_text=self._list_sources)

    def _append(self, text: str) -> str:
        self._upstream_text += text
        return self._stops.add(text)

    def _replace(self, text: str) -> str:
        self._stops.discard()
        self.text = self._upstream_text = ""
        return self._append(text)

    def _end(self, event: Final) -> str:
        continues = event.text.startswith(self._upstream_text)
        new = self._append(event.text.removeprefix(self._upstream_text)) if continues else self._replace(event.text)
        self.finished = True
        if self.cut:
            return new
        self._sources, self.finish, self.usage = event.urls, event.finish, event.usage
        return new + self._stops.flush() + (format_sources(event.urls) if self._list_sources else "")
