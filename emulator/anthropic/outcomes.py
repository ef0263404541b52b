"""The table of outcomes of this API: how a question can go, and how a stream is framed."""

from dataclasses import dataclass

from emulator import failure_scenarios, scenarios
from emulator.accounts import RequestKind
from emulator.anthropic import refusals
from emulator.anthropic import scenarios as anthropic_scenarios
from emulator.anthropic.refusals import MessageRefusal
from emulator.anthropic.turn import MessageTurn
from emulator.openai.outcomes import DELAYS
from emulator.scenarios import Scenario
from emulator.sse_layout import ORDINARY, SseLayout


@dataclass(frozen=True)
class MessageOutcome:
    """An answer that is begun, and so counts against the account's quota."""

    scenario: Scenario[MessageTurn]
    meaning: str
    layout: SseLayout = ORDINARY


ANSWERS: dict[str, MessageOutcome] = {
    "plain": MessageOutcome(scenarios.plain, "an ordinary answer"),
    "search": MessageOutcome(scenarios.plain, "the same"),
    "unsourced": MessageOutcome(scenarios.plain, "the same"),
    "learning": MessageOutcome(scenarios.learning, "the answer says “I’m still learning” or 我还在学习"),
    "surrogate": MessageOutcome(scenarios.surrogate, "an emoji's two surrogates come in two deltas"),
    "surrogate-end": MessageOutcome(scenarios.surrogate_end, "the answer ends with half a surrogate pair"),
    "open-mark": MessageOutcome(scenarios.open_mark, "the answer ends with `[^1`"),
    "reasoning": MessageOutcome(anthropic_scenarios.reasoning, "a thinking block before the text"),
    "empty": MessageOutcome(anthropic_scenarios.empty, "no content, stop_reason end_turn"),
    "refusal": MessageOutcome(anthropic_scenarios.cut_off("refusal"), "half the text, stop_reason refusal"),
    "filtered": MessageOutcome(anthropic_scenarios.cut_off("refusal"), "the same"),
    "length": MessageOutcome(anthropic_scenarios.cut_off("max_tokens"), "half the text, stop_reason max_tokens"),
    "pause-turn": MessageOutcome(anthropic_scenarios.cut_off("pause_turn"), "half the text, stop_reason pause_turn"),
    "window": MessageOutcome(
        anthropic_scenarios.cut_off("model_context_window_exceeded"),
        "half the text, stop_reason model_context_window_exceeded",
    ),
    "unknown-value": MessageOutcome(
        anthropic_scenarios.cut_off("something_new"), "half the text, a stop_reason that no client knows"
    ),
    "pause-mid": MessageOutcome(scenarios.pause_mid, "nothing for `=S` seconds in the middle (else 5), then the rest"),
    "empty-events": MessageOutcome(anthropic_scenarios.empty_events, "events without data in the middle"),
    "unknown-type": MessageOutcome(
        anthropic_scenarios.unknown_events, "a ping and an event that no client knows in the middle"
    ),
    "big": MessageOutcome(anthropic_scenarios.big, "a line above 4 MiB in the middle"),
    "after-final": MessageOutcome(anthropic_scenarios.after_final, "an event behind message_stop"),
    "pings": MessageOutcome(anthropic_scenarios.pings, "a ping after each event but the last ones"),
    "batch": MessageOutcome(scenarios.plain, "four events in each write", SseLayout(batch=4)),
    "split-record": MessageOutcome(
        scenarios.plain, "the bytes in writes of seven, across events and characters", SseLayout(cut=7)
    ),
    "crlf": MessageOutcome(scenarios.plain, "lines end with CR LF", SseLayout(line_end="\r\n")),
    "tight": MessageOutcome(scenarios.plain, "no space after `event:` and `data:`", SseLayout(space="")),
    "silence": MessageOutcome(failure_scenarios.silence, "nothing after the question"),
    "silence-first": MessageOutcome(anthropic_scenarios.silence_first, "nothing after message_start"),
    "silence-mid": MessageOutcome(failure_scenarios.silence_mid, "nothing from the middle on"),
    "silence-late": MessageOutcome(failure_scenarios.silence_late, "all the text, then nothing"),
    "close-before": MessageOutcome(failure_scenarios.close, "the connection closes before any answer"),
    "close-mid": MessageOutcome(failure_scenarios.close_mid, "the connection closes in the middle"),
    "close-late": MessageOutcome(failure_scenarios.close_late, "the connection closes after all the text"),
    "reset-before": MessageOutcome(failure_scenarios.reset, "TCP reset before any answer"),
    "reset-mid": MessageOutcome(failure_scenarios.reset_mid, "TCP reset in the middle"),
    "no-finish": MessageOutcome(
        anthropic_scenarios.no_finish, "half the text, then the response ends: no message_delta, no message_stop"
    ),
    "no-done": MessageOutcome(anthropic_scenarios.no_done, "all the text, message_delta, no message_stop"),
    "no-reason": MessageOutcome(anthropic_scenarios.no_reason, "half the text, message_stop, no message_delta"),
    "internal-after-text": MessageOutcome(
        anthropic_scenarios.internal_after_text, "the whole text, then an error event (api_error)"
    ),
    "throttled-after-text": MessageOutcome(
        anthropic_scenarios.throttled_after_text, "half the text, then an error event (rate_limit_error)"
    ),
    "error-first": MessageOutcome(anthropic_scenarios.error_first, "status 200, then an error event (api_error)"),
    "error-mid": MessageOutcome(anthropic_scenarios.error_mid, "half the text, then an error event (api_error)"),
    "overloaded-first": MessageOutcome(
        anthropic_scenarios.overloaded_first, "status 200, then an error event (overloaded_error)"
    ),
    "overloaded-mid": MessageOutcome(
        anthropic_scenarios.overloaded_mid, "half the text, then an error event (overloaded_error)"
    ),
    "bad-json": MessageOutcome(anthropic_scenarios.bad_json, "an event that is no JSON in the middle, then the rest"),
    "not-object": MessageOutcome(
        anthropic_scenarios.not_object, "events that are no objects in the middle, then the rest"
    ),
    "wrong-types": MessageOutcome(
        anthropic_scenarios.wrong_types, "numbers where texts and objects belong in the middle, then the rest"
    ),
}

CHAT: dict[str, MessageOutcome | MessageRefusal] = {**ANSWERS, **refusals.CHAT}


def names(kind: RequestKind) -> frozenset[str]:
    """Return the outcomes of a kind of request; this API makes no pictures."""
    calls = {*DELAYS, *refusals.CHAT}
    tables: dict[RequestKind, frozenset[str]] = {"chat": frozenset(CHAT), "call": frozenset(calls)}
    return tables.get(kind, frozenset())
