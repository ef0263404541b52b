"""A question and what its words ask of the answer, whichever API it came by."""

from dataclasses import dataclass

from emulator import answers
from emulator.answers import Answer
from emulator.pace import Tick
from emulator.words import Words

TICK = 0.035  # seconds between two deltas of the real service


@dataclass
class Asked:
    """number: the question's place in its conversation, from 1. previous: the question before it."""

    words: Words
    question: str
    tone: str | None
    previous: str | None
    number: int

    @property
    def option(self) -> dict[str, float]:
        return self.words.options

    @property
    def tick(self) -> Tick:
        rate = self.option.get("rate")
        return Tick(1 / rate, exact=True) if rate else Tick(TICK)

    def compose(self) -> Answer:
        """The ordinary answer, as long as the options ask."""
        return self.sized(answers.compose(self.topic, self.number, self.previous, self.tone))

    @property
    def topic(self) -> str:
        return self.words.topic or self.question or "…"

    def sized(self, answer: Answer) -> Answer:
        """An answer as long as the options ask; without sources if its pieces are given by them."""
        if "long" in self.option:
            return Answer(answers.lengthen(answer.text, int(self.option["long"])), answer.sources, answer.suggestions)
        if "deltas" in self.option or "stamp" in self.option:
            return Answer(answer.text, (), answer.suggestions)
        return answer

    def pieces(self, answer: Answer) -> list[str]:
        """The answer's text in the portions it is sent in."""
        if "deltas" in self.option:
            return [f"delta {number:06d} " for number in range(1, int(self.option["deltas"]) + 1)]
        return list(answers.pieces(answer.text))

    def cut(self, count: int) -> int:
        """After how many of so many pieces the middle is."""
        return min(count, int(self.option.get("at", count // 2)))
