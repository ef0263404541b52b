"""What is special about each turn that ends well, as a plain client sees it."""

from collections.abc import Callable

import pytest

from tests.support.emulator.bing_client import BingClient, SocketReply

pytestmark = pytest.mark.anyio


def joined(reply: SocketReply) -> bool:
    return reply.texts[-1] == reply.answer


CHECKS: dict[str, Callable[[SocketReply], bool]] = {
    "learning": lambda reply: "I’m still learning" in reply.answer,
    "surrogate": lambda reply: "\U0001f600" in reply.answer and any(text.endswith("\ud83d") for text in reply.texts),
    "surrogate-end": lambda reply: reply.answer.endswith("\ud83d"),
    "cite-cut": lambda reply: any(text.endswith("[^") for text in reply.texts) and joined(reply),
    "open-mark": lambda reply: reply.answer.endswith("The text ends [^1"),
    "shrink": lambda reply: any(len(b) < len(a) for a, b in zip(reply.texts, reply.texts[1:], strict=False)),
    "replace": lambda reply: reply.answer.startswith("Once more") and not reply.texts[2].startswith("Once more"),
    "final-only": lambda reply: reply.texts == [] and reply.answer != "",
    "final-longer": lambda reply: len(reply.answer) > len(reply.texts[-1]),
    "batch": lambda reply: any(message.count("\x1e") == 4 for message in reply.messages) and joined(reply),
    "pings": lambda reply: sum(record["type"] == 6 for record in reply.records) > 10,
    "image": lambda reply: reply.item["messages"][1]["messageType"] == "GenerateContentQuery",
    "apology": lambda reply: reply.item["messages"][-1]["contentOrigin"] == "Apology" and len(reply.texts) > 5,
    "apology-no-text": lambda reply: "text" not in reply.item["messages"][-1],
    "card-only": lambda reply: all("text" not in message for message in reply.item["messages"][1:]),
    "image-block": lambda reply: "text" not in reply.item["messages"][1]["adaptiveCards"][0]["body"][0],
    "no-cards": lambda reply: "adaptiveCards" not in reply.item["messages"][1],
    "empty": lambda reply: [message["author"] for message in reply.item["messages"]] == ["user"],
    "two-answers": lambda reply: reply.item["messages"][1]["text"] == "One moment please." and joined(reply),
}


@pytest.mark.parametrize("name", CHECKS)
async def test_what_is_special_about_a_turn(client: BingClient, name: str) -> None:
    reply = await client.ask(await client.create(), f"hello !{name}")
    assert CHECKS[name](reply)


async def test_learning_in_chinese(client: BingClient) -> None:
    assert "我还在学习" in (await client.ask(await client.create(), "你好 !learning")).answer


async def test_a_pause_in_the_middle_does_not_change_the_text(client: BingClient) -> None:
    conversation = await client.create()
    paused = await client.ask(conversation, "hello !pause-mid=0.01")
    assert paused.texts[-1] == paused.answer != ""
