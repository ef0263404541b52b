"""The table of outcomes under /v1: how a question or a prompt for pictures can go, and how a stream is framed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emulator.accounts import Kind
from emulator.openai import faults, plays, refusals
from emulator.openai.framing import ORDINARY, Framing
from emulator.openai.refusals import Refusal
from emulator.openai.turn import Step, Turn


@dataclass(frozen=True)
class Outcome:
    """An answer that is begun, and so counts against the account's quota."""

    play: Callable[[Turn], Iterator[Step]]
    meaning: str
    framing: Framing = ORDINARY


ANSWERS: dict[str, Outcome] = {
    "plain": Outcome(plays.plain, "an ordinary answer, its sources as annotations"),
    "search": Outcome(plays.plain, "the same"),
    "citations": Outcome(plays.citations, "the sources as a list `citations` beside the choices"),
    "unsourced": Outcome(plays.unsourced, "no sources"),
    "learning": Outcome(plays.learning, "the answer says “I’m still learning” or 我还在学习"),
    "surrogate": Outcome(plays.surrogate, "an emoji's two surrogates come in two deltas"),
    "surrogate-end": Outcome(plays.surrogate_end, "the answer ends with half a surrogate pair"),
    "cite-cut": Outcome(plays.cite_cut, "Bing's citation marks, each cut over three deltas"),
    "open-mark": Outcome(plays.open_mark, "the answer ends with `[^1`"),
    "reasoning": Outcome(plays.reasoning, "deltas of reasoning_content before the text"),
    "no-role": Outcome(plays.no_role, "no event for the role; each delta repeats it"),
    "no-choices": Outcome(plays.no_choices, "events without choices, at the start and in the middle"),
    "empty": Outcome(plays.empty, "no text, finish_reason stop"),
    "refusal": Outcome(plays.refusal, "text only in the field `refusal`"),
    "length": Outcome(plays.length, "half the text, finish_reason length"),
    "filtered": Outcome(plays.filtered, "half the text, finish_reason content_filter"),
    "unknown-value": Outcome(plays.unknown_value, "half the text, a finish_reason that no client knows"),
    "pause-mid": Outcome(plays.pause_mid, "nothing for `=S` seconds in the middle (else 5), then the rest"),
    "empty-events": Outcome(plays.empty_events, "events without data in the middle"),
    "big": Outcome(plays.big, "a line above 4 MiB in the middle"),
    "after-final": Outcome(plays.after_final, "an event behind [DONE]"),
    "pings": Outcome(plays.plain, "a comment line before each event", Framing(ping=True)),
    "batch": Outcome(plays.plain, "four events in each write", Framing(batch=4)),
    "split-record": Outcome(plays.plain, "the bytes in writes of seven, across events and characters", Framing(cut=7)),
    "crlf": Outcome(plays.plain, "lines end with CR LF", Framing(line_end="\r\n")),
    "tight": Outcome(plays.plain, "no space after `data:`", Framing(space="")),
    "silence": Outcome(faults.silence, "nothing after the question"),
    "silence-first": Outcome(faults.silence_first, "nothing after the role"),
    "silence-mid": Outcome(faults.silence_mid, "nothing from the middle on"),
    "silence-late": Outcome(faults.silence_late, "all the text, then nothing"),
    "close-before": Outcome(faults.close_before, "the connection closes before any answer"),
    "close-mid": Outcome(faults.close_mid, "the connection closes in the middle"),
    "close-late": Outcome(faults.close_late, "the connection closes after all the text"),
    "reset-before": Outcome(faults.reset_before, "TCP reset before any answer"),
    "reset-mid": Outcome(faults.reset_mid, "TCP reset in the middle"),
    "no-finish": Outcome(faults.no_finish, "half the text, then the response ends: no finish_reason, no [DONE]"),
    "no-done": Outcome(faults.no_done, "all the text, finish_reason stop, no [DONE]"),
    "no-reason": Outcome(faults.no_reason, "half the text, [DONE], no finish_reason"),
    "internal-after-text": Outcome(faults.internal_after_text, "the whole text, then an error event (server_error)"),
    "throttled-after-text": Outcome(faults.throttled_after_text, "half the text, then an error event (rate limit)"),
    "error-first": Outcome(faults.error_first, "status 200, then an error event"),
    "error-mid": Outcome(faults.error_mid, "half the text, then an error event"),
    "error-done": Outcome(faults.error_done, "half the text, then an error event and [DONE]"),
    "bad-json": Outcome(faults.bad_json, "an event that is no JSON in the middle, then the rest"),
    "not-object": Outcome(faults.not_object, "events that are no objects in the middle, then the rest"),
    "wrong-types": Outcome(faults.wrong_types, "numbers where texts and lists belong in the middle, then the rest"),
}

CHAT: dict[str, Outcome | Refusal] = {**ANSWERS, **refusals.CHAT}

PICTURES: dict[str, str] = {
    "success": "as many pictures as asked for",
    "one": "one picture, whatever was asked for",
    "none": "an empty list",
    "slow-post": "pictures after `=S` seconds (else 6), whatever the pace",
    "pending": "no answer until the client leaves",
    "reset": "TCP reset",
}

IMAGE: dict[str, str] = {**PICTURES, **{name: one.meaning for name, one in refusals.IMAGE.items()}}


def names(kind: Kind) -> frozenset[str]:
    """The words of this API; it has none for what only Bing has."""
    tables: dict[Kind, frozenset[str]] = {"chat": frozenset(CHAT), "image": frozenset(IMAGE)}
    return tables.get(kind, frozenset())
