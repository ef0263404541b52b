"""A model's reasoning in its text, between `<think>` tags: split off while the text grows."""

import re
from typing import Literal

from wire.text_parts import TextParts

_OPEN, _CLOSE = "<think>", "</think>"
# An end without a beginning, which some templates put into the prompt: at the start of a line. Also what may become
# one.
_LONE_CLOSE = r"[ \t]*</think>"
_MAYBE_CLOSE = r"[ \t]*(?:<|</|</t|</th|</thi|</thin|</think)?\Z"
_MAYBE_OPEN = re.compile(r"\n(?:<|<t|<th|<thi|<thin|<think)?\Z")
# How many characters are held back for what may follow them: white space, and the beginning of a tag.
_MOST_HELD = 1024
# What separates the reasoning from the answer, and a block within the answer from what follows.
_GAP = re.compile(r"(?:[ \t]*\r?\n)+|[ \t]+|")
_LINES = re.compile(r"(?:[ \t]*\r?\n)*")

# How a server begins its answers: in the middle of reasoning, or with a text or a tag. None: that isn't known yet.
Beginning = Literal["thought", "text"] | None
Split = tuple[Literal["text", "reasoning"], str]


class ThoughtSplitter:
    """One answer. Reasoning comes before the text, from `<think>` or without a beginning, up to `</think>`.

    Within the text only a whole block that begins a line is some. `beginning` is what is known of the server's answers,
    and at the end what this one has shown. While nothing is known, a text without tags is held back to the end.
    """

    def __init__(self, beginning: Beginning = None) -> None:
        self.beginning: Beginning = beginning
        self._state = self._start
        self._held = ""
        # What was held before that: it turns out later what it is.
        self._undecided = TextParts()
        self._splits: list[Split] = []
        # Whether `held` begins the answer, whether a block has ended, and whether an end may come without a beginning.
        self._at_start = True
        self._after_block = False
        self._lone_allowed = True
        self._gap = _GAP
        # White space at the beginning of reasoning that hasn't begun otherwise, and the last characters of the text.
        self._blank: str | None = ""
        self._tail = ""

    def feed(self, text: str) -> list[Split]:
        """Return what is known to be text or reasoning by now."""
        self._held += text
        while self._state():
            pass
        return self._take()

    def end(self) -> list[Split]:
        """Return what is left at the end of the answer."""
        held, undecided = self._held, self._undecided.text
        if self._state == self._thought:
            self._put_reasoning(held)
        elif self._state == self._unopened:
            # There was no end of any reasoning, so all of it may be the text; and so may the next answer: a client may
            # have had the model write what the one before began with.
            self._put_reasoning(held)
            self._splits.append(("text", undecided + held))
            self._held, self.beginning = "", None
            return self._take()
        elif self._state == self._inner:
            self._put_text(_OPEN + undecided + held)
        elif self._state == self._between or self._after_block:
            self._put_text(held[self._gap_end(held) :] if self._state != self._text else held)
        else:
            self._put_text(undecided + held)
        self._held = ""
        self.beginning = self.beginning or "text"
        return self._take()

    def _take(self) -> list[Split]:
        splits, self._splits = self._splits, []
        return [split for split in splits if split[1]]

    def _start(self) -> bool:
        """Before the text, where reasoning in tags may come."""
        start = self._held.lstrip()
        if start.startswith(_OPEN):
            self._held, self._blank = start[len(_OPEN) :], ""
            self._state, self.beginning, self._lone_allowed = self._thought, "text", False
            return True
        if _OPEN.startswith(start) and len(self._held) <= _MOST_HELD:
            return False
        if self._after_block:
            self._held, self._state = self._held[self._gap_end(self._held) :], self._text
        else:
            states = {"thought": self._unopened, "text": self._text, None: self._unknown}
            self._state = states[self.beginning]
        return True

    def _thought(self) -> bool:
        """In reasoning that has begun with a tag."""
        reasoning, closed, rest = self._held.partition(_CLOSE)
        if not closed:
            cut = len(reasoning) - _overlap(reasoning, _CLOSE)
            reasoning, rest = reasoning[:cut], reasoning[cut:]
        self._put_reasoning(reasoning)
        self._held = rest
        if closed:
            self._state, self._after_block = self._start, True
        return bool(closed)

    def _unopened(self) -> bool:
        """In what is reasoning, if the server begins as it did before."""
        if (lone := self._find(_LONE_CLOSE)) is not None:
            self._put_reasoning(self._held[: lone.start()])
            self._leave(lone)
            return True
        reasoning = self._keep_line()
        self._put_reasoning(reasoning)
        self._undecided.append(reasoning)
        return False

    def _unknown(self) -> bool:
        """In a text that may turn out to be reasoning."""
        lone, tag = self._find(_LONE_CLOSE), self._held.find(_OPEN)
        if lone is not None and not 0 <= tag < lone.start():
            self._put_reasoning(self._undecided.text + self._held[: lone.start()])
            self.beginning = "thought"
            self._leave(lone)
            return True
        if tag >= 0:
            self._held, self._at_start = self._undecided.text + self._held, True
            self._undecided, self.beginning, self._state = TextParts(), "text", self._text
            return True
        self._undecided.append(self._keep_line(len(_OPEN) - 1))
        return False

    def _text(self) -> bool:
        """In the text."""
        opened, lone = self._held.find("\n" + _OPEN), self._find(_LONE_CLOSE) if self._lone_allowed else None
        if lone is not None and not 0 <= opened < lone.start():
            if _OPEN in self._tail + self._held[: lone.start()]:
                self._lone_allowed = False
                return True
            # What came before it is shown already; the next answer is known to begin like this one.
            self._put_text(self._held[: lone.start() + lone[0].startswith("\n")])
            self.beginning = "thought"
            self._leave(lone)
            return True
        if opened >= 0:
            self._put_text(self._held[: opened + 1])
            self._held, self._lone_allowed = self._held[opened + 1 + len(_OPEN) :], False
            self._state, self._undecided, self._blank = self._inner, TextParts(), ""
            return True
        tags = [_MAYBE_OPEN.search(self._held), self._find(_MAYBE_CLOSE) if self._lone_allowed else None]
        cut = self._bounded(min((tag.start() for tag in tags if tag is not None), default=len(self._held)))
        self._put_text(self._held[:cut])
        self._at_start, self._held = self._at_start and not cut, self._held[cut:]
        return False

    def _inner(self) -> bool:
        """In a block within the text, which is reasoning if it ends."""
        reasoning, closed, rest = self._held.partition(_CLOSE)
        if not closed:
            cut = max(0, len(reasoning) - len(_CLOSE) + 1)
            self._undecided.append(reasoning[:cut])
            self._held = reasoning[cut:]
            return False
        self._put_reasoning(self._undecided.text + reasoning)
        self._held, self._undecided = rest, TextParts()
        self._state, self._gap = self._between, _LINES
        return True

    def _between(self) -> bool:
        """Between reasoning and text."""
        if not self._held.strip() and len(self._held) <= _MOST_HELD:
            return False
        end = self._gap_end(self._held)
        rest = self._held[end:]
        if self._gap is _LINES and end:
            if _OPEN.startswith(rest) and rest != _OPEN:
                return False
            if rest.startswith(_OPEN):
                self._held, self._blank, self._state = rest[len(_OPEN) :], "", self._inner
                return True
        self._held, self._state = rest, self._text
        return True

    def _leave(self, lone: re.Match[str]) -> None:
        """Go on behind an end without a beginning."""
        self._held, self._undecided = self._held[lone.end() :], TextParts()
        self._state, self._gap, self._lone_allowed = self._between, _GAP, False

    def _find(self, pattern: str) -> re.Match[str] | None:
        """Find what begins a line."""
        return re.search(rf"(?:\A|\n){pattern}" if self._at_start else rf"\n{pattern}", self._held)

    def _keep_line(self, most: int = 0) -> str:
        """Take all but what may become a lone end, and the `most` last characters."""
        maybe = self._find(_MAYBE_CLOSE)
        cut = self._bounded(maybe.start() if maybe is not None else len(self._held))
        cut = max(0, min(cut, len(self._held) - most))
        taken, self._held = self._held[:cut], self._held[cut:]
        self._at_start = self._at_start and not taken
        return taken

    def _bounded(self, cut: int) -> int:
        """Return where what is held back begins: at the end, if it would be too long to be read again and again."""
        return cut if len(self._held) - cut <= _MOST_HELD else len(self._held)

    def _gap_end(self, text: str) -> int:
        gap = self._gap.match(text)
        return gap.end() if gap else 0

    def _put_text(self, text: str) -> None:
        if self._lone_allowed:
            known = self._tail + text
            self._lone_allowed, self._tail = _OPEN not in known, known[-len(_OPEN) + 1 :]
        self._splits.append(("text", text))

    def _put_reasoning(self, text: str) -> None:
        """Put reasoning, of which white space alone is none."""
        if self._blank is not None:
            self._blank += text
            if not self._blank.strip() and len(self._blank) <= _MOST_HELD:
                return
            text, self._blank = self._blank, None
        self._splits.append(("reasoning", text))


def _overlap(text: str, tag: str) -> int:
    """Return how many characters at the end of a text may begin the tag."""
    return next((length for length in range(len(tag) - 1, 0, -1) if text.endswith(tag[:length])), 0)
