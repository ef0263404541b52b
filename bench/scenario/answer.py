"""An answer in the frames of the old protocol, checked as it arrives."""

import json
from typing import Any

from bench.scenario.errors import WrongEndError, check


class AnswerReader:
    """Takes frames one by one. `deltas` is how many had text, `token` the conversation's once it is known."""

    def __init__(self) -> None:
        self.deltas = 0
        self.token: str | None = None
        self.end: dict[str, Any] | None = None
        self._text = ""

    def take(self, frame: str | bytes) -> None:
        """Take the next frame. RefusedError; WrongEndError when it is an error, or what can't come here."""
        if self.end is not None:
            raise WrongEndError("more after the last frame")
        data = check(_parse(frame))
        if not isinstance(data, dict):
            raise WrongEndError("a frame without an answer")
        self.token = data.get("token", self.token)
        if data.get("done") is False:
            self._text += str(data["answer"])
            # One without text is a sign of life.
            self.deltas += bool(data["answer"])
            return
        self._check_text(str(data.get("answer")), streamed=data.get("done") is True)
        self.end = data

    def check_ended(self) -> dict[str, Any]:
        """Return the last frame's data. WrongEndError when there was none."""
        if self.end is None:
            raise WrongEndError("the stream ended without a last frame")
        return self.end

    def _check_text(self, text: str, *, streamed: bool) -> None:
        if streamed and text != self._text:
            raise WrongEndError(f"the deltas ({len(self._text)} characters) are not the answer ({len(text)})")
        if not text:
            raise WrongEndError("an empty answer")


def _parse(frame: str | bytes) -> object:
    try:
        return json.loads(frame)
    except ValueError:
        raise WrongEndError("a frame that is no JSON") from None
