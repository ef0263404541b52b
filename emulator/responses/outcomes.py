"""The table of outcomes of this API: how a question can go, and how a stream is framed."""

from dataclasses import dataclass

from emulator import failure_scenarios, scenarios
from emulator.accounts import RequestKind
from emulator.openai import refusals
from emulator.openai.refusals import CompletionRefusal
from emulator.responses import scenarios as own
from emulator.responses.turn import ResponseTurn
from emulator.scenarios import Scenario
from emulator.sse_layout import ORDINARY, SseLayout


@dataclass(frozen=True)
class ResponseOutcome:
    """An answer that is begun, and so counts against the account's quota."""

    scenario: Scenario[ResponseTurn]
    meaning: str
    layout: SseLayout = ORDINARY


ANSWERS: dict[str, ResponseOutcome] = {
    "plain": ResponseOutcome(scenarios.plain, "an ordinary answer"),
    "search": ResponseOutcome(scenarios.plain, "the same"),
    "unsourced": ResponseOutcome(scenarios.plain, "the same"),
    "learning": ResponseOutcome(scenarios.learning, "the answer says “I’m still learning” or 我还在学习"),
    "surrogate": ResponseOutcome(scenarios.surrogate, "an emoji's two surrogates come in two deltas"),
    "surrogate-end": ResponseOutcome(scenarios.surrogate_end, "the answer ends with half a surrogate pair"),
    "open-mark": ResponseOutcome(scenarios.open_mark, "the answer ends with `[^1`"),
    "reasoning": ResponseOutcome(own.reasoning, "a reasoning item with its summary before the message"),
    "empty": ResponseOutcome(own.empty, "no output, status completed"),
    "refusal": ResponseOutcome(own.refusal, "a message with a refusal alone"),
    "length": ResponseOutcome(own.cut_off("max_output_tokens"), "half the text, incomplete for max_output_tokens"),
    "filtered": ResponseOutcome(own.cut_off("content_filter"), "half the text, incomplete for content_filter"),
    "pause-mid": ResponseOutcome(scenarios.pause_mid, "nothing for `=S` seconds in the middle (else 5), then the rest"),
    "unknown-type": ResponseOutcome(own.unknown_events, "an event that no client knows in the middle"),
    "big": ResponseOutcome(own.big, "a line above 4 MiB in the middle"),
    "pings": ResponseOutcome(scenarios.plain, "a comment line before the data of each event", SseLayout(ping=True)),
    "batch": ResponseOutcome(scenarios.plain, "four events in each write", SseLayout(batch=4)),
    "split-record": ResponseOutcome(
        scenarios.plain, "the bytes in writes of seven, across events and characters", SseLayout(cut=7)
    ),
    "crlf": ResponseOutcome(scenarios.plain, "lines end with CR LF", SseLayout(line_end="\r\n")),
    "tight": ResponseOutcome(scenarios.plain, "no space after `event:` and `data:`", SseLayout(space="")),
    "silence": ResponseOutcome(failure_scenarios.silence, "nothing after the question"),
    "silence-first": ResponseOutcome(own.silence_first, "nothing after response.created"),
    "silence-mid": ResponseOutcome(failure_scenarios.silence_mid, "nothing from the middle on"),
    "silence-late": ResponseOutcome(failure_scenarios.silence_late, "all the text, then nothing"),
    "close-before": ResponseOutcome(failure_scenarios.close, "the connection closes before any answer"),
    "close-mid": ResponseOutcome(failure_scenarios.close_mid, "the connection closes in the middle"),
    "close-late": ResponseOutcome(failure_scenarios.close_late, "the connection closes after all the text"),
    "reset-before": ResponseOutcome(failure_scenarios.reset, "TCP reset before any answer"),
    "reset-mid": ResponseOutcome(failure_scenarios.reset_mid, "TCP reset in the middle"),
    "no-finish": ResponseOutcome(own.no_finish, "half the text, then the response of HTTP ends"),
    "no-done": ResponseOutcome(own.no_done, "the whole item, no response.completed"),
    "internal-after-text": ResponseOutcome(
        own.internal_after_text, "the whole text, then response.failed (server_error)"
    ),
    "throttled-after-text": ResponseOutcome(
        own.throttled_after_text, "half the text, then response.failed (rate_limit_exceeded)"
    ),
    "error-first": ResponseOutcome(own.error_first, "status 200, then an error event"),
    "error-mid": ResponseOutcome(own.error_mid, "half the text, then an error event"),
    "failed-mid": ResponseOutcome(own.failed_mid, "half the text, then response.failed (server_error)"),
    "bad-json": ResponseOutcome(own.bad_json, "an event that is no JSON in the middle, then the rest"),
}

CHAT: dict[str, ResponseOutcome | CompletionRefusal] = {**ANSWERS, **refusals.CHAT}


def names(kind: RequestKind) -> frozenset[str]:
    """Return the outcomes of a kind of request."""
    return frozenset(CHAT) if kind == "chat" else frozenset()
