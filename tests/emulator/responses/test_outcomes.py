"""Each row of the table does what its meaning describes, as a plain client sees it."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import emulator
from emulator.openai import refusals
from emulator.responses import outcomes
from emulator.server import Emulator
from tests.support.conditions import until
from tests.support.emulator.event_reply import EventReply
from tests.support.emulator.responses_client import ResponsesClient, text_of

pytestmark = pytest.mark.anyio


def end_text(reply: EventReply) -> str:
    return text_of(reply.events[-1]["response"])


def is_whole(reply: EventReply) -> bool:
    return end_text(reply).endswith("conversation.")


WELL: dict[str, Callable[[EventReply], bool]] = {
    "plain": is_whole,
    "search": is_whole,
    "unsourced": is_whole,
    "learning": lambda reply: "I’m still learning" in end_text(reply),
    "surrogate": lambda reply: '"delta":" \\ud83d"' in reply.body,
    "surrogate-end": lambda reply: '"delta":" \\ud83d"' in reply.body,
    "open-mark": lambda reply: end_text(reply).endswith("[^1"),
    "reasoning": lambda reply: "response.reasoning_summary_text.delta" in reply.names,
    "empty": lambda reply: reply.events[-1]["response"]["output"] == [],
    "refusal": lambda reply: "response.refusal.done" in reply.names,
    "pause-mid": is_whole,
    "unknown-type": lambda reply: "response.something_new" in reply.names,
    "big": lambda reply: len(end_text(reply)) > 4 * 1024 * 1024,
    "pings": lambda reply: reply.body.count(": ping\n\n") == len(reply.named) > 0,
    "batch": is_whole,
    "split-record": is_whole,
    "crlf": lambda reply: reply.body.count("\n") == reply.body.count("\r\n") > 10,
    "tight": lambda reply: "data: " not in reply.body and "event: " not in reply.body,
    "bad-json": lambda reply: any(isinstance(value, str) for _, value in reply.named),
}
ENDED = {
    "length": ("response.incomplete", "Success"),
    "filtered": ("response.incomplete", "Success"),
    "internal-after-text": ("response.failed", "InternalError"),
    "throttled-after-text": ("response.failed", "Throttled"),
    "failed-mid": ("response.failed", "InternalError"),
    "error-first": ("error", "InternalError"),
    "error-mid": ("error", "InternalError"),
    "no-finish": ("response.output_text.delta", "truncated"),
    "no-done": ("response.output_item.done", "truncated"),
}
HELD = ("silence", "silence-first", "silence-mid", "silence-late")
DROPPED = ("close-before", "close-mid", "close-late", "reset-before", "reset-mid")


def test_every_outcome_has_a_test() -> None:
    assert {*WELL, *ENDED, *HELD, *DROPPED} == outcomes.ANSWERS.keys()
    assert outcomes.names("chat") == outcomes.CHAT.keys()
    assert not outcomes.names("image")


def test_the_readme_lists_every_word_with_its_meaning() -> None:
    readme = (Path(str(emulator.__file__)).parent / "README.md").read_text(encoding="utf-8")
    questions = readme.partition("### Questions under /v1/responses")[2].partition("\n### ")[0]
    for name, row in outcomes.ANSWERS.items():
        assert f"| `{name}` | {row.meaning} |" in questions


@pytest.mark.parametrize("name", WELL)
async def test_answers_that_end_well(asker: ResponsesClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}" + ("=0.01" if name == "pause-mid" else ""), stream=True)
    assert WELL[name](reply)
    assert "response.completed" in reply.body
    assert upstream.ledger.turns[0].outcome == "Success"


@pytest.mark.parametrize("name", ENDED)
async def test_answers_that_end_otherwise(asker: ResponsesClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=True)
    last, outcome = ENDED[name]
    assert (reply.status, reply.names[-1]) == (200, last)
    assert upstream.ledger.turns[0].outcome == outcome
    whole = await asker.ask(f"tell me !{name}")
    assert whole.status == (500 if last == "error" else 200)
    if last == "response.failed":
        assert whole.json["status"] == "failed"
        assert whole.json["error"] == reply.events[-1]["response"]["error"]


@pytest.mark.parametrize("name", DROPPED)
async def test_connections_that_drop(asker: ResponsesClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=True)
    assert reply.broken is not None
    assert upstream.ledger.turns[0].outcome == ("reset" if name.startswith("reset") else "closed")


@pytest.mark.parametrize("name", HELD)
async def test_answers_that_end_only_when_the_client_leaves(
    asker: ResponsesClient, upstream: Emulator, name: str
) -> None:
    asker.http.timeout = httpx.Timeout(0.5, connect=10)
    reply = await asker.ask(f"tell me !{name}", stream=True)
    assert reply.broken is httpx.ReadTimeout
    await until(lambda: upstream.ledger.turns[0].outcome == "client gone")


@pytest.mark.parametrize("name", ["throttled", "quota", "context-length", "http-503", "model-not-found"])
async def test_refusals_are_those_of_chats(asker: ResponsesClient, upstream: Emulator, name: str) -> None:
    assert (await asker.ask(f"tell me !{name}", stream=True)).status == refusals.CHAT[name].render(None).status
    assert upstream.ledger.turns[0].outcome == refusals.CHAT[name].outcome
