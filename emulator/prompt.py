"""A question and what its directives ask of the answer, whichever API it came by."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from emulator import answers
from emulator.answers import SampleAnswer
from emulator.directives import Directives
from emulator.steps import Pause, Step, Tick

TICK = 0.035  # seconds between two deltas of the real service


@dataclass
class TurnPrompt(ABC):
    """A question with its directives, and how its API begins, writes and ends an answer.

    number: the question's place in its conversation, from 1. previous: the question before it.
    """

    directives: Directives
    question: str
    tone: str | None
    previous: str | None
    number: int

    @abstractmethod
    def begin(self, answer: SampleAnswer) -> Iterator[Step]:
        """Yield what comes before the first text."""

    @abstractmethod
    def write(self, pieces: Iterable[str]) -> Iterator[Step]:
        """Send these pieces of text, one at each beat."""

    @abstractmethod
    def end(self, answer: SampleAnswer) -> Iterator[Step]:
        """Yield what comes after the last text, up to the proper end."""

    @property
    def options(self) -> dict[str, float]:
        """The number of each option that the question names."""
        return self.directives.options

    @property
    def tick(self) -> Tick:
        """The beat between two deltas."""
        rate = self.options.get("rate")
        return Tick(1 / rate, exact=True) if rate else Tick(TICK)

    @property
    def topic(self) -> str:
        """The question without its directives."""
        return self.directives.topic or self.question or "…"

    def pause(self, seconds: float) -> Iterator[Step]:
        """Yield a pause, which the option `stamp` leaves out."""
        if "stamp" not in self.options:
            yield Pause(seconds)

    def wait_for_text(self, seconds: float) -> Iterator[Step]:
        """Yield the pause before the first text, for which the option `first` may set the length."""
        if "first" in self.options:
            yield Pause(self.options["first"], exact=True)
        else:
            yield from self.pause(seconds)

    def sample(self) -> SampleAnswer:
        """Return the ordinary answer, whatever its length should be."""
        return answers.compose(self.topic, self.number, self.previous, self.tone)

    def compose(self) -> SampleAnswer:
        """Return the ordinary answer, as long as the options ask."""
        return self.fit(self.sample())

    def fit(self, answer: SampleAnswer) -> SampleAnswer:
        """Return an answer as long as the options ask; without sources if its pieces are given by them."""
        if "long" in self.options:
            text = answers.lengthen(answer.text, int(self.options["long"]))
            return SampleAnswer(text, answer.sources, answer.suggestions)
        if "deltas" in self.options or "stamp" in self.options:
            return SampleAnswer(answer.text, (), answer.suggestions)
        return answer

    def pieces(self, answer: SampleAnswer) -> list[str]:
        """Return the answer's text in the portions in which it is sent."""
        if "deltas" in self.options:
            return [f"delta {number:06d} " for number in range(1, int(self.options["deltas"]) + 1)]
        return list(answers.split(answer.text))

    def halves(self) -> tuple[SampleAnswer, list[str], list[str]]:
        """Return the ordinary answer, and its pieces before and after the middle, which the option `at` may move."""
        answer = self.compose()
        pieces = self.pieces(answer)
        middle = min(len(pieces), int(self.options.get("at", len(pieces) // 2)))
        return answer, pieces[:middle], pieces[middle:]
