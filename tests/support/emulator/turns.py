"""Turns of both APIs without a server, and what a scenario sends for them."""

from collections.abc import Iterable

from emulator.bing import outcomes as bing_outcomes
from emulator.bing.conversations import ChatHubConversation
from emulator.bing.turn import BingTurn, SendDelta
from emulator.clock import EmulatorClock
from emulator.directives import Directives
from emulator.openai import outcomes as openai_outcomes
from emulator.openai.turn import CompletionTurn, SendChunk
from emulator.steps import Step


def bing_turn(question: str = "cats") -> BingTurn:
    """Return the first turn of a conversation with Bing."""
    conversation = ChatHubConversation("c1", "client", "signature", "token", "a1", limit=30, expires=0.0, turns=1)
    return BingTurn(
        directives=Directives.parse(question, bing_outcomes.CHAT),
        question=question,
        tone=None,
        previous=None,
        number=1,
        locale="en-US",
        invocation="3",
        request_id="r1",
        conversation=conversation,
        clock=EmulatorClock(),
        started=0.0,
    )


def completion_turn(question: str = "cats") -> CompletionTurn:
    """Return the turn of a question under /v1."""
    return CompletionTurn(
        directives=Directives.parse(question, openai_outcomes.CHAT),
        question=question,
        tone=None,
        previous=None,
        number=1,
        model="stand-in",
        stream=True,
        include_usage=False,
        prompt_tokens=1,
        created=0,
    )


def text_length(steps: Iterable[Step]) -> int:
    """Return how many characters of the answer the steps send."""
    length = 0
    for step in steps:
        if isinstance(step, SendChunk):
            length += len(step.piece)
        if isinstance(step, SendDelta):
            length = step.length
    return length
