"""The table of outcomes under /v1: how a question or a prompt for pictures can go, and how a stream is framed."""

from dataclasses import dataclass

from emulator import failure_scenarios, scenarios
from emulator.accounts import RequestKind
from emulator.openai import broken_streams, refusals
from emulator.openai import scenarios as openai_scenarios
from emulator.openai.refusals import CompletionRefusal
from emulator.openai.turn import CompletionTurn
from emulator.scenarios import Scenario
from emulator.sse_layout import ORDINARY, SseLayout


@dataclass(frozen=True)
class CompletionOutcome:
    """An answer that is begun, and so counts against the account's quota."""

    scenario: Scenario[CompletionTurn]
    meaning: str
    layout: SseLayout = ORDINARY


@dataclass(frozen=True)
class ShapeOutcome:
    """The bytes of a row of shapes.json."""

    meaning: str


ANSWERS: dict[str, CompletionOutcome] = {
    "plain": CompletionOutcome(scenarios.plain, "an ordinary answer, its sources as annotations"),
    "search": CompletionOutcome(scenarios.plain, "the same"),
    "citations": CompletionOutcome(openai_scenarios.citations, "the sources as a list `citations` beside the choices"),
    "unsourced": CompletionOutcome(openai_scenarios.unsourced, "no sources"),
    "learning": CompletionOutcome(scenarios.learning, "the answer says “I’m still learning” or 我还在学习"),
    "surrogate": CompletionOutcome(scenarios.surrogate, "an emoji's two surrogates come in two deltas"),
    "surrogate-end": CompletionOutcome(scenarios.surrogate_end, "the answer ends with half a surrogate pair"),
    "cite-cut": CompletionOutcome(openai_scenarios.cite_cut, "Bing's citation marks, each cut over three deltas"),
    "open-mark": CompletionOutcome(scenarios.open_mark, "the answer ends with `[^1`"),
    "reasoning": CompletionOutcome(openai_scenarios.reasoning, "deltas of reasoning_content before the text"),
    "no-role": CompletionOutcome(openai_scenarios.no_role, "no event for the role; each delta repeats it"),
    "no-choices": CompletionOutcome(
        openai_scenarios.no_choices, "events without choices, at the start and in the middle"
    ),
    "empty": CompletionOutcome(openai_scenarios.empty, "no text, finish_reason stop"),
    "refusal": CompletionOutcome(openai_scenarios.refusal, "text only in the field `refusal`"),
    "length": CompletionOutcome(openai_scenarios.cut_off("length"), "half the text, finish_reason length"),
    "filtered": CompletionOutcome(
        openai_scenarios.cut_off("content_filter"), "half the text, finish_reason content_filter"
    ),
    "unknown-value": CompletionOutcome(
        openai_scenarios.cut_off("something_new"), "half the text, a finish_reason that no client knows"
    ),
    "pause-mid": CompletionOutcome(
        scenarios.pause_mid, "nothing for `=S` seconds in the middle (else 5), then the rest"
    ),
    "empty-events": CompletionOutcome(openai_scenarios.empty_events, "events without data in the middle"),
    "big": CompletionOutcome(openai_scenarios.big, "a line above 4 MiB in the middle"),
    "after-final": CompletionOutcome(openai_scenarios.after_final, "an event behind [DONE]"),
    "pings": CompletionOutcome(scenarios.plain, "a comment line before each event", SseLayout(ping=True)),
    "batch": CompletionOutcome(scenarios.plain, "four events in each write", SseLayout(batch=4)),
    "split-record": CompletionOutcome(
        scenarios.plain, "the bytes in writes of seven, across events and characters", SseLayout(cut=7)
    ),
    "crlf": CompletionOutcome(scenarios.plain, "lines end with CR LF", SseLayout(line_end="\r\n")),
    "tight": CompletionOutcome(scenarios.plain, "no space after `data:`", SseLayout(space="")),
    "silence": CompletionOutcome(failure_scenarios.silence, "nothing after the question"),
    "silence-first": CompletionOutcome(broken_streams.silence_first, "nothing after the role"),
    "silence-mid": CompletionOutcome(failure_scenarios.silence_mid, "nothing from the middle on"),
    "silence-late": CompletionOutcome(failure_scenarios.silence_late, "all the text, then nothing"),
    "close-before": CompletionOutcome(failure_scenarios.close, "the connection closes before any answer"),
    "close-mid": CompletionOutcome(failure_scenarios.close_mid, "the connection closes in the middle"),
    "close-late": CompletionOutcome(failure_scenarios.close_late, "the connection closes after all the text"),
    "reset-before": CompletionOutcome(failure_scenarios.reset, "TCP reset before any answer"),
    "reset-mid": CompletionOutcome(failure_scenarios.reset_mid, "TCP reset in the middle"),
    "no-finish": CompletionOutcome(
        broken_streams.no_finish, "half the text, then the response ends: no finish_reason, no [DONE]"
    ),
    "no-done": CompletionOutcome(broken_streams.no_done, "all the text, finish_reason stop, no [DONE]"),
    "no-reason": CompletionOutcome(broken_streams.no_reason, "half the text, [DONE], no finish_reason"),
    "internal-after-text": CompletionOutcome(
        broken_streams.internal_after_text, "the whole text, then an error event (server_error)"
    ),
    "throttled-after-text": CompletionOutcome(
        broken_streams.throttled_after_text, "half the text, then an error event (rate limit)"
    ),
    "error-first": CompletionOutcome(broken_streams.error_first, "status 200, then an error event"),
    "error-mid": CompletionOutcome(broken_streams.error_mid, "half the text, then an error event"),
    "error-done": CompletionOutcome(broken_streams.error_done, "half the text, then an error event and [DONE]"),
    "bad-json": CompletionOutcome(broken_streams.bad_json, "an event that is no JSON in the middle, then the rest"),
    "not-object": CompletionOutcome(
        broken_streams.not_object, "events that are no objects in the middle, then the rest"
    ),
    "wrong-types": CompletionOutcome(
        broken_streams.wrong_types, "numbers where texts and lists belong in the middle, then the rest"
    ),
}

SHAPES = {"shape": ShapeOutcome("the bytes of the `=N`-th row of shapes.json, counted from 0")}

CHAT: dict[str, CompletionOutcome | CompletionRefusal | ShapeOutcome] = {**ANSWERS, **refusals.CHAT, **SHAPES}

PICTURES: dict[str, str] = {
    "success": "as many pictures as asked for",
    "one": "one picture, whatever was asked for",
    "none": "an empty list",
    "base64": "as many pictures as asked for, as PNG in base64, never by their addresses",
    "slow-post": "pictures after `=S` seconds (else 6), whatever the pace",
    "pending": "no answer until the client leaves",
    "reset": "TCP reset",
}

DELAYS: dict[str, str] = {
    "plain": "an ordinary answer",
    "slow": "the answer after `=S` seconds (else 5), whatever the pace",
    "silence": "nothing until the client leaves",
    "reset-before": "TCP reset",
}

CALL: dict[str, str] = {**DELAYS, **{name: row.meaning for name, row in refusals.CHAT.items()}}

IMAGE: dict[str, str] = {**PICTURES, **{name: row.meaning for name, row in refusals.IMAGE.items()}}


def names(kind: RequestKind) -> frozenset[str]:
    """Return the outcomes of a kind of request; there are none for what only Bing has."""
    tables: dict[RequestKind, frozenset[str]] = {
        "chat": frozenset(CHAT),
        "image": frozenset(IMAGE),
        "call": frozenset(CALL),
    }
    return tables.get(kind, frozenset())
