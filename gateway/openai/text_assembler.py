"""An answer's text as clients of /v1 get it: up to a stop sequence, perhaps with its sources below."""

from collections.abc import Sequence

from gateway.openai.sources import Citation, citations, listed
from gateway.openai.stop_sequences import StopSequences
from wire.messages import Delta, Final, FinishReason, Replace, Source, Usage


class TextAssembler:
    """One answer as it comes. `sent` is all that has gone out: the answer, behind what the upstream took back of it.

    `whole` is the answer alone. It is over with its end, or with a stop sequence (`cut`).
    """

    def __init__(self, stops: Sequence[str] = (), *, list_sources: bool = False) -> None:
        self._stops = StopSequences(stops)
        self._list_sources = list_sources
        self._text = ""
        self._sources: tuple[Source, ...] = ()
        self.sent = ""
        self.whole = ""
        self.over = False
        self.finish: FinishReason = "stop"
        self.usage: Usage | None = None

    @property
    def cut(self) -> bool:
        """Whether it ended before its end."""
        return self._stops.hit

    def add(self, event: Delta | Replace | Final) -> str:
        """What goes out because of `event`."""
        match event:
            case Delta(text=text):
                out = self._more(text)
            case Replace(text=text):
                out = self._anew(text)
            case Final():
                out = self._end(event)
        self.sent += out
        self.whole += out
        self.over = self.over or self.cut
        return out

    def citations(self, text: str) -> list[Citation]:
        """The sources, of either `sent` or `whole`."""
        return citations(self._sources, text, in_text=self._list_sources)

    def _more(self, text: str) -> str:
        self._text += text
        return self._stops.add(text)

    def _anew(self, text: str) -> str:
        self._stops.forget()
        self.whole = self._text = ""
        return self._more(text)

    def _end(self, event: Final) -> str:
        goes_on = event.text.startswith(self._text)
        out = self._more(event.text.removeprefix(self._text)) if goes_on else self._anew(event.text)
        self.over = True
        if self.cut:
            return out
        self._sources, self.finish, self.usage = event.urls, event.finish, event.usage
        return out + self._stops.rest() + (listed(event.urls) if self._list_sources else "")
