"""Answers that fail over either API, as steps: at once, in the middle of their text, or after all of it."""

from collections.abc import Iterator

from emulator.prompt import TurnPrompt
from emulator.scenarios import P, Scenario
from emulator.steps import Close, Reset, Silence, Step


def midway(failure: Scenario[P]) -> Scenario[P]:
    """Return a scenario of an ordinary answer that ends with these steps in the middle of its text."""

    def play(prompt: P) -> Iterator[Step]:
        answer, first, _ = prompt.halves()
        yield from prompt.begin(answer)
        yield from prompt.write(first)
        yield from failure(prompt)

    return play


def after_text(failure: Scenario[P]) -> Scenario[P]:
    """Return a scenario of an ordinary answer that ends with these steps after all of its text."""

    def play(prompt: P) -> Iterator[Step]:
        answer = prompt.compose()
        yield from prompt.begin(answer)
        yield from prompt.write(prompt.pieces(answer))
        yield from failure(prompt)

    return play


def silence(_prompt: TurnPrompt) -> Iterator[Step]:
    """Send nothing until the client leaves."""
    yield Silence()


def close(_prompt: TurnPrompt) -> Iterator[Step]:
    """Close the connection."""
    yield Close()


def reset(_prompt: TurnPrompt) -> Iterator[Step]:
    """Reset the connection."""
    yield Reset()


silence_mid, silence_late = midway(silence), after_text(silence)
close_mid, close_late = midway(close), after_text(close)
reset_mid = midway(reset)
