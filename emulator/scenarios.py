"""Answers that run to a proper end over either API, as steps."""

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from emulator import answers
from emulator.answers import SampleAnswer
from emulator.prompt import TurnPrompt
from emulator.steps import Pause, Step

P = TypeVar("P", bound=TurnPrompt)
Scenario = Callable[[P], Iterator[Step]]

MARK = re.compile(r"(\[\^)(\d+)(\^\])")
TOO_BIG = 4 * 1024 * 1024 + 1024
LEARNING = "I’m still learning, so I would rather not go on with this. Thank you for your patience."
LEARNING_CHINESE = "我还在学习，所以不想继续这个话题。感谢您的耐心。"


def plain(prompt: TurnPrompt) -> Iterator[Step]:
    """Give an ordinary answer."""
    yield from give(prompt, prompt.compose())


def give(prompt: TurnPrompt, answer: SampleAnswer, pieces: list[str] | None = None) -> Iterator[Step]:
    """Give this answer in the ordinary way, its text in these pieces."""
    yield from prompt.begin(answer)
    yield from prompt.write(prompt.pieces(answer) if pieces is None else pieces)
    yield from prompt.end(answer)


def append(*pieces: str) -> Scenario[TurnPrompt]:
    """Return a scenario whose answer ends with these pieces."""

    def play(prompt: TurnPrompt) -> Iterator[Step]:
        answer = prompt.compose()
        yield from give(prompt, answer, [*prompt.pieces(answer), *pieces])

    return play


def interrupt(between: Scenario[P]) -> Scenario[P]:
    """Return a scenario of an ordinary answer with these steps in the middle of its text."""

    def play(prompt: P) -> Iterator[Step]:
        answer, first, second = prompt.halves()
        yield from prompt.begin(answer)
        yield from prompt.write(first)
        yield from between(prompt)
        yield from prompt.write(second)
        yield from prompt.end(answer)

    return play


surrogate = append(" \ud83d", "\ude00 ", "done.")  # an emoji whose two halves come in two pieces
surrogate_end = append(" \ud83d")
open_mark = append(" The text ends ", "[^1")  # what could have become a citation mark


def learning(prompt: TurnPrompt) -> Iterator[Step]:
    """Answer only that the model is still learning, in the question's language."""
    answer = prompt.compose()
    text = LEARNING_CHINESE if answers.is_chinese(answer.text) else LEARNING
    yield from give(prompt, SampleAnswer(text, (), answer.suggestions))


def split_at_marks(text: str) -> list[str]:
    """Return a text in pieces, each citation mark in three."""
    return [piece for piece in MARK.split(text) if piece]


@interrupt
def pause_mid(prompt: TurnPrompt) -> Iterator[Step]:
    """Send nothing for `=S` seconds in the middle (5 if not given), whatever the pace."""
    yield Pause(prompt.directives.seconds(5.0), exact=True)
