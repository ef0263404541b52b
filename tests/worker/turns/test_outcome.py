"""What is counted and kept of a turn's end."""

import pytest

from wire.errors import LeaseLostError, StateLostError
from wire.messages import Chat, Failed, Final, HistoryMessage, Image
from wire.terminal_events import INTERRUPTED, STATE_LOST
from worker.turns.outcome import Outcome, interrupted

EARLIER = (HistoryMessage("user", "one"), HistoryMessage("assistant", "first"))
ASKED = (HistoryMessage("user", "two"), HistoryMessage("assistant", "second"))


def test_an_answer_is_counted_by_its_provider() -> None:
    assert Outcome("DONE", Final("hello", provider="edgegpt"), None).label == ("edgegpt", "done", "")


@pytest.mark.parametrize(
    ("reason", "label"), [("timeout.idle", "timeout.idle"), ("interrupted", "interrupted"), ("my.own", "other")]
)
def test_a_failure_is_counted_by_its_reason_if_that_is_known(reason: str, label: str) -> None:
    failed = Failed(reason, provider="mine")
    assert Outcome("FAILED", failed, None).label == ("mine", "failed", label)


def test_a_stopped_turn_has_no_reason() -> None:
    assert Outcome("STOPPED", INTERRUPTED, None).label == ("", "stopped", "")


def test_the_transcript_gets_the_question_and_the_answer() -> None:
    outcome = Outcome("DONE", Final("second"), b"session", answer="second")
    assert outcome.transcript(Chat("balanced", "two", history=EARLIER)) == ASKED


def test_the_transcript_gets_the_question_of_an_answer_without_text() -> None:
    assert Outcome("DONE", Final(""), b"session", answer="").transcript(Chat("balanced", "two")) == ASKED[:1]


def test_a_transcript_that_starts_gets_the_clients_history_first() -> None:
    outcome = Outcome("DONE", Final("second"), b"session", answer="second", starts_transcript=True)
    assert outcome.transcript(Chat("balanced", "two", history=EARLIER)) == (*EARLIER, *ASKED)


def test_the_transcript_gets_nothing_of_pictures_and_of_failures() -> None:
    assert Outcome("DONE", Final("", images=("https://example.com/1",)), None).transcript(Image("Cat")) == ()
    assert Outcome("FAILED", INTERRUPTED, None).transcript(Chat("balanced", "two")) == ()


def test_a_turn_that_was_broken_off_is_interrupted_unless_its_state_is_lost() -> None:
    assert interrupted(LeaseLostError()) == Outcome("FAILED", INTERRUPTED, None)
    assert interrupted(StateLostError()) == Outcome("FAILED", STATE_LOST, None)
