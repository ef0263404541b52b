"""Each row of the table does what its meaning describes, as a plain client sees it."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import emulator
from emulator.anthropic import outcomes, refusals
from emulator.server import Emulator
from tests.support.conditions import until
from tests.support.emulator.anthropic_client import AnthropicClient, text_of
from tests.support.emulator.event_reply import EventReply

pytestmark = pytest.mark.anyio

WELL: dict[str, Callable[[EventReply], bool]] = {
    "plain": lambda reply: text_of(reply).endswith("conversation."),
    "search": lambda reply: text_of(reply).endswith("conversation."),
    "unsourced": lambda reply: text_of(reply).endswith("conversation."),
    "learning": lambda reply: "I’m still learning" in text_of(reply),
    "surrogate": lambda reply: "\\ud83d" in reply.body and "\\ude00" in reply.body,
    "surrogate-end": lambda reply: text_of(reply).endswith("\ud83d"),
    "open-mark": lambda reply: text_of(reply).endswith("[^1"),
    "reasoning": lambda reply: reply.events[1]["content_block"]["type"] == "thinking",
    "empty": lambda reply: reply.names == ["message_start", "message_delta", "message_stop"],
    "refusal": lambda reply: reason(reply) == "refusal",
    "filtered": lambda reply: reason(reply) == "refusal",
    "length": lambda reply: reason(reply) == "max_tokens",
    "pause-turn": lambda reply: reason(reply) == "pause_turn",
    "window": lambda reply: reason(reply) == "model_context_window_exceeded",
    "unknown-value": lambda reply: reason(reply) == "something_new",
    "pause-mid": lambda reply: text_of(reply).endswith("conversation."),
    "empty-events": lambda reply: reply.body.count("retry: 1000") == 3,
    "unknown-type": lambda reply: "something_new" in reply.names,
    "big": lambda reply: len(text_of(reply)) > 4 * 1024 * 1024,
    "after-final": lambda reply: reply.names[-2:] == ["message_stop", "content_block_delta"],
    "pings": lambda reply: reply.names.count("ping") > 50,
    "batch": lambda reply: text_of(reply).endswith("conversation."),
    "split-record": lambda reply: text_of(reply).endswith("conversation."),
    "crlf": lambda reply: reply.body.count("\n") == reply.body.count("\r\n") > 10,
    "tight": lambda reply: "data: " not in reply.body and "event: " not in reply.body,
    "bad-json": lambda reply: any(isinstance(value, str) for _, value in reply.named),
    "not-object": lambda reply: None in [value for _, value in reply.named],
    "wrong-types": lambda reply: {"type": "text_delta", "text": 7} in [event.get("delta") for event in reply.events],
}
ERRORS = {
    "internal-after-text": ("api_error", 500, "InternalError"),
    "throttled-after-text": ("rate_limit_error", 429, "Throttled"),
    "error-first": ("api_error", 500, "InternalError"),
    "error-mid": ("api_error", 500, "InternalError"),
    "overloaded-first": ("overloaded_error", 529, "Unavailable"),
    "overloaded-mid": ("overloaded_error", 529, "Unavailable"),
}
TRUNCATED = {"no-finish": (False, False), "no-done": (True, False), "no-reason": (False, True)}
HELD = ("silence", "silence-first", "silence-mid", "silence-late")
DROPPED = ("close-before", "close-mid", "close-late", "reset-before", "reset-mid")
REFUSED = {
    "throttled": (429, "rate_limit_error", "5"),
    "throttled-bare": (429, "rate_limit_error", None),
    "quota": (400, "invalid_request_error", None),
    "billing": (402, "billing_error", None),
    "unauthorized": (401, "authentication_error", None),
    "forbidden": (403, "permission_error", None),
    "model-not-found": (404, "not_found_error", None),
    "context-length": (400, "invalid_request_error", None),
    "content-filter": (400, "invalid_request_error", None),
    "invalid-request": (400, "invalid_request_error", None),
    "too-large": (413, "request_too_large", None),
    "internal": (500, "api_error", None),
    "http-502-json": (502, "api_error", None),
    "http-503": (503, "api_error", None),
    "http-504": (504, "timeout_error", None),
    "overloaded": (529, "overloaded_error", None),
}
PAGES = {"html": 200, "http-404": 404, "http-502": 502}


def reason(reply: EventReply) -> str:
    (ending,) = [event for event in reply.events if event["type"] == "message_delta"]
    return str(ending["delta"]["stop_reason"])


def test_every_outcome_has_a_test() -> None:
    assert {*WELL, *ERRORS, *TRUNCATED, *HELD, *DROPPED} == outcomes.ANSWERS.keys()
    assert {*REFUSED, *PAGES} == refusals.CHAT.keys()
    assert outcomes.names("chat") == outcomes.CHAT.keys()
    assert not outcomes.names("image")


def test_the_readme_lists_every_word_with_its_meaning() -> None:
    readme = (Path(str(emulator.__file__)).parent / "README.md").read_text(encoding="utf-8")
    questions = readme.partition("### Questions under /v1/messages")[2]
    for name, row in outcomes.CHAT.items():
        assert f"| `{name}` | {row.meaning} |" in questions


@pytest.mark.parametrize("name", WELL)
async def test_answers_that_end_well(asker: AnthropicClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}" + ("=0.01" if name == "pause-mid" else ""), stream=True)
    assert WELL[name](reply)
    assert "message_stop" in reply.names
    turn = upstream.ledger.turns[0]
    assert (turn.outcome, turn.scripted) == ("Success", name)


@pytest.mark.parametrize("name", ERRORS)
async def test_errors_in_a_stream_are_events(asker: AnthropicClient, upstream: Emulator, name: str) -> None:
    kind, status, outcome = ERRORS[name]
    reply = await asker.ask(f"tell me !{name}", stream=True)
    assert (reply.status, reply.names[-1]) == (200, "error")
    assert reply.events[-1]["error"]["type"] == kind
    assert ("message_start" in reply.names) == (not name.endswith("-first"))
    whole = await asker.ask(f"tell me !{name}")
    assert (whole.status, whole.error["type"]) == (status, kind)
    assert [turn.outcome for turn in upstream.ledger.turns] == [outcome] * 2


@pytest.mark.parametrize("name", TRUNCATED)
async def test_streams_without_their_proper_end(asker: AnthropicClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=True)
    assert ("message_delta" in reply.names, "message_stop" in reply.names) == TRUNCATED[name]
    assert upstream.ledger.turns[0].outcome == "truncated"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", DROPPED)
async def test_connections_that_drop(asker: AnthropicClient, upstream: Emulator, name: str, stream: bool) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=stream)
    assert reply.broken is not None
    assert (reply.status == 200) == (not name.endswith("-before"))
    assert upstream.ledger.turns[0].outcome == ("reset" if name.startswith("reset") else "closed")


@pytest.mark.parametrize("name", HELD)
async def test_answers_that_end_only_when_the_client_leaves(
    asker: AnthropicClient, upstream: Emulator, name: str
) -> None:
    asker.http.timeout = httpx.Timeout(0.5, connect=10)
    reply = await asker.ask(f"tell me !{name}", stream=True)
    assert reply.broken is httpx.ReadTimeout
    assert (reply.status == 0) == (name == "silence")
    assert (text_of(reply) != "") == (name in ("silence-mid", "silence-late"))
    await until(lambda: upstream.ledger.turns[0].outcome == "client gone")


@pytest.mark.parametrize("name", REFUSED)
async def test_refusals_have_the_real_shape(asker: AnthropicClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=True)
    status, kind, after = REFUSED[name]
    assert (reply.status, reply.error["type"], reply.headers.get("retry-after")) == (status, kind, after)
    assert reply.json == {"type": "error", "error": reply.error, "request_id": reply.headers["request-id"]}
    turn = upstream.ledger.turns[0]
    assert (turn.outcome, turn.length, turn.scripted) == (refusals.CHAT[name].outcome, 0, name)


@pytest.mark.parametrize("name", PAGES)
async def test_pages_where_json_belongs(asker: AnthropicClient, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}")
    assert (reply.status, reply.headers["content-type"]) == (PAGES[name], "text/html; charset=utf-8")


async def test_a_script_sets_outcomes_of_this_api_alone(asker: AnthropicClient) -> None:
    await asker.script(account="k1", chat={"outcome": "overloaded=7"})
    reply = await asker.ask("hello")
    assert (reply.status, reply.headers["retry-after"]) == (529, "7")
    assert (await asker.ask("hello")).status == 200
