"""Each row of the table does what its meaning describes, as a plain client sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import emulator
from emulator.openai import outcomes, refusals
from emulator.openai.outcomes import CompletionOutcome
from emulator.server import Emulator
from tests.support.conditions import until
from tests.support.emulator.openai_client import DONE, OpenaiClient, OpenaiReply

pytestmark = pytest.mark.anyio

# Streams that end well: what is special about each.
WELL: dict[str, Callable[[OpenaiReply], bool]] = {
    "plain": lambda reply: len(reply.choices[-2]["delta"]["annotations"]) == 3,
    "search": lambda reply: len(reply.choices[-2]["delta"]["annotations"]) == 3,
    "citations": lambda reply: all(len(event["citations"]) == 3 for event in reply.events),
    "unsourced": lambda reply: "example.com" not in reply.body,
    "learning": lambda reply: "I’m still learning" in reply.text,
    "surrogate": lambda reply: " \ud83d" in reply.pieces and "\ude00 " in reply.pieces,
    "surrogate-end": lambda reply: reply.text.endswith("\ud83d"),
    "cite-cut": lambda reply: [reply.text.count(f"[^{n}^]") for n in (1, 2, 3)] == [1] * 3 and "[^" in reply.pieces,
    "open-mark": lambda reply: reply.text.endswith("The text ends [^1"),
    "reasoning": lambda reply: sum("reasoning_content" in one["delta"] for one in reply.choices) == 3,
    "no-role": lambda reply: all(one["delta"]["role"] == "assistant" for one in reply.choices[:-2]),
    "no-choices": lambda reply: (
        [event.get("choices") for event in reply.events].count([]) == 2
        and any("choices" not in event for event in reply.events)
    ),
    "empty": lambda reply: reply.text == "",
    "refusal": lambda reply: reply.text == "" and "I can't " in [one["delta"].get("refusal") for one in reply.choices],
    "pause-mid": lambda reply: reply.text.endswith("conversation."),
    "empty-events": lambda reply: "\n\n\n\n" in reply.body and reply.text.endswith("conversation."),
    "big": lambda reply: max(map(len, reply.data)) > 4 * 1024 * 1024,
    "pings": lambda reply: reply.body.count(": ping\n\n") == len(reply.data),
    "batch": lambda reply: reply.text.endswith("conversation."),
    "split-record": lambda reply: reply.text.endswith("conversation."),
    "crlf": lambda reply: reply.body.count("\n") == reply.body.count("\r\n") > 10,
    "tight": lambda reply: "data: " not in reply.body and reply.text.endswith("conversation."),
    "bad-json": lambda reply: len(reply.events) == len(reply.data) - 2 and "end" not in reply.reasons,
    "not-object": lambda reply: reply.data.count("null") == 1 and reply.text.endswith("conversation."),
    "wrong-types": lambda reply: any(event["choices"] == "text" for event in reply.events),
    "length": lambda reply: reply.reasons == ["length"],
    "filtered": lambda reply: reply.reasons == ["content_filter"],
    "unknown-value": lambda reply: reply.reasons == ["something_new"],
}
HALF = ("length", "filtered", "unknown-value", "no-finish", "no-reason", "error-mid", "error-done")
ERRORS = {
    "internal-after-text": ("InternalError", 500),
    "throttled-after-text": ("Throttled", 429),
    "error-first": ("InternalError", 500),
    "error-mid": ("InternalError", 500),
    "error-done": ("InternalError", 500),
}
TRUNCATED = {"no-finish": ([], False), "no-done": (["stop"], False), "no-reason": ([], True)}  # reasons, [DONE]
HELD = ("silence", "silence-first", "silence-mid", "silence-late")
CLOSED = ("close-before", "close-mid", "close-late")
RESET = ("reset-before", "reset-mid")
REFUSED = {
    "throttled": (429, "rate_limit_exceeded", "5"),
    "throttled-bare": (429, "rate_limit_exceeded", None),
    "quota": (429, "insufficient_quota", None),
    "unauthorized": (401, "invalid_api_key", None),
    "forbidden": (403, "unsupported_country_region_territory", None),
    "model-not-found": (404, "model_not_found", None),
    "context-length": (400, "context_length_exceeded", None),
    "content-filter": (400, "content_filter", None),
    "invalid-request": (400, "invalid_value", None),
    "internal": (500, None, None),
    "http-502-json": (502, "bad_gateway", None),
    "http-503": (503, None, None),
}
PAGES = {"html": 200, "http-404": 404, "http-502": 502}
MIDDLE = ("close-mid", "close-late", "reset-mid", "silence-mid", "silence-late")


def paired(text: str) -> str:
    """Return a text in which two halves of a surrogate pair are one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def whole(reply: OpenaiReply) -> bool:
    return reply.text.endswith("This is question 1 of our conversation.")


def test_every_outcome_is_tested_here() -> None:
    answered = {*WELL, "after-final", *ERRORS, *TRUNCATED, *HELD, *CLOSED, *RESET}
    # The rows of the outcome `shape` have a test file of their own.
    assert set(outcomes.CHAT) == answered | {*REFUSED, "throttled-date", *PAGES, *outcomes.SHAPES}
    assert {name for name, row in outcomes.CHAT.items() if isinstance(row, CompletionOutcome)} == answered


def test_the_readme_lists_every_word_with_its_meaning() -> None:
    readme = (Path(str(emulator.__file__)).parent / "README.md").read_text(encoding="utf-8")
    questions, pictures = readme.partition("### Questions under /v1")[2].split("### Pictures under /v1")
    for name, row in outcomes.CHAT.items():
        assert f"| `{name}` | {row.meaning} |" in questions
    for name, meaning in outcomes.IMAGE.items():
        assert f"| `{name}` | {meaning} |" in pictures


@pytest.mark.parametrize("name", WELL)
async def test_streams_that_end_well(asker: OpenaiClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}" + ("=0.01" if name == "pause-mid" else ""))
    turn = upstream.ledger.turns[0]
    assert WELL[name](reply)
    assert reply.data[-1] == DONE
    assert reply.reasons == (["stop"] if name not in HALF else reply.reasons)
    assert (turn.scripted, turn.outcome) == (name, "Success")
    if name != "wrong-types":
        assert turn.text == reply.text
        assert turn.deltas == len(reply.pieces)


@pytest.mark.parametrize("name", [name for name in WELL if name not in ("bad-json", "not-object", "wrong-types")])
async def test_the_same_as_one_completion(asker: OpenaiClient, name: str) -> None:
    text = f"tell me !{name}" + ("=0.01" if name == "pause-mid" else "")
    stream, reply = await asker.ask(text), await asker.ask(text, stream=False)
    assert paired(reply.message["content"] or "") == paired(stream.text)
    assert [reply.json["choices"][0]["finish_reason"]] == stream.reasons


@pytest.mark.parametrize("name", ["bad-json", "not-object", "wrong-types"])
async def test_what_breaks_a_stream_breaks_a_completion(asker: OpenaiClient, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=False)
    assert reply.status == 200
    with pytest.raises(json.JSONDecodeError):
        _ = reply.json


@pytest.mark.parametrize("name", ERRORS)
async def test_errors_within_a_stream(asker: OpenaiClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}")
    assert reply.status == 200
    assert reply.broken is None
    assert (reply.data[-1] == DONE) == (name == "error-done")
    assert reply.events[-1].keys() == {"error"}
    assert reply.reasons == []
    assert (reply.text == "") == (name == "error-first")
    assert whole(reply) == (name == "internal-after-text")
    assert (upstream.ledger.turns[0].outcome, upstream.ledger.turns[0].length) == (ERRORS[name][0], len(reply.text))


@pytest.mark.parametrize("name", ERRORS)
async def test_without_a_stream_they_are_the_response_and_no_text_was_sent(
    asker: OpenaiClient, upstream: Emulator, name: str
) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=False)
    assert reply.status == ERRORS[name][1]
    assert (upstream.ledger.turns[0].outcome, upstream.ledger.turns[0].length) == (ERRORS[name][0], 0)


@pytest.mark.parametrize("name", TRUNCATED)
async def test_streams_that_end_too_early_but_well_for_http(asker: OpenaiClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}")
    reasons, done = TRUNCATED[name]
    assert reply.broken is None
    assert (reply.reasons, DONE in reply.data) == (reasons, done)
    assert whole(reply) == (name == "no-done")
    assert reply.text == upstream.ledger.turns[0].text != ""
    assert upstream.ledger.turns[0].outcome == "truncated"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", [*CLOSED, *RESET])
async def test_connections_that_break(asker: OpenaiClient, upstream: Emulator, name: str, stream: bool) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=stream)
    assert reply.broken is (httpx.ReadError if name in RESET else httpx.RemoteProtocolError)
    assert (reply.status == 0) == (name not in MIDDLE)
    assert DONE not in reply.data
    turn = upstream.ledger.turns[0]
    assert turn.outcome == ("reset" if name in RESET else "closed")
    if name in CLOSED and stream:
        assert turn.text == reply.text
        assert whole(reply) == (name == "close-late")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", HELD)
async def test_answers_that_end_only_when_the_client_leaves(
    asker: OpenaiClient, upstream: Emulator, name: str, stream: bool
) -> None:
    asker.http.timeout = httpx.Timeout(1, connect=10)
    reply = await asker.ask(f"tell me !{name}", stream=stream)
    assert reply.broken is httpx.ReadTimeout
    assert (reply.status == 0) == (name == "silence" or (not stream and name not in MIDDLE))
    if stream:
        assert reply.text == upstream.ledger.turns[0].text
        assert (reply.text != "") == (name in MIDDLE)
    await until(lambda: upstream.ledger.turns[0].outcome == "client gone")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", REFUSED)
async def test_refusals_have_the_usual_shape(asker: OpenaiClient, upstream: Emulator, name: str, stream: bool) -> None:
    reply = await asker.ask(f"tell me !{name}", stream=stream)
    status, code, after = REFUSED[name]
    error = reply.json["error"]
    assert (reply.status, error["code"], reply.headers.get("retry-after")) == (status, code, after)
    assert list(error)[:4] == ["message", "type", "param", "code"]
    turn = upstream.ledger.turns[0]
    assert (turn.outcome, turn.length, turn.scripted) == (refusals.CHAT[name].outcome, 0, name)


@pytest.mark.parametrize("name", PAGES)
async def test_pages_where_json_belongs(asker: OpenaiClient, name: str) -> None:
    reply = await asker.ask(f"tell me !{name}")
    assert reply.status == PAGES[name]
    assert reply.headers["content-type"].startswith("text/html")


async def test_the_middle_can_be_chosen(asker: OpenaiClient) -> None:
    assert len((await asker.ask("tell me !no-finish !at=7")).pieces) == 7


@pytest.mark.parametrize("name", [name for name in outcomes.ANSWERS if name not in HELD])
async def test_an_answer_in_chinese_survives_every_outcome(asker: OpenaiClient, upstream: Emulator, name: str) -> None:
    reply = await asker.ask(f"你好 !{name}" + ("=0.01" if name == "pause-mid" else ""))
    if name not in ("wrong-types", "after-final", *RESET):
        assert reply.text == upstream.ledger.turns[0].text
