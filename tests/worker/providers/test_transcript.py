"""The history of a conversation as a text."""

import pytest

from wire.messages import HistoryMessage
from wire.prompt import Message, Prompt, Text
from worker.providers.transcript import History, no_history, render_history


@pytest.mark.anyio
async def test_nothing_makes_no_text() -> None:
    assert render_history(await no_history()) == ""


def test_it_weighs_what_a_request_has_of_it() -> None:
    earlier = (HistoryMessage("user", "x" * 100),)
    assert History("Be brief.", earlier, earlier, earlier).weigh() == 309
    assert History("Be brief.", prompt=Prompt("chat", "m", (Message("user", (Text("x" * 1000),)),))).weigh() > 1000


def test_instructions_alone_are_sent_as_they_are() -> None:
    assert render_history(History("Be brief.")) == "Be brief."


def test_each_message_has_the_name_of_its_role() -> None:
    earlier = tuple(HistoryMessage(role, role[0]) for role in ("system", "user", "assistant", "tool"))
    instructions, head, *messages = render_history(History("Be brief.", earlier)).split("\n\n")
    assert instructions == "Be brief."
    assert head.startswith("The conversation so far")
    assert messages == ["System: s", "User: u", "Assistant: a", "Tool: t"]
