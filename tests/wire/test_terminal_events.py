"""The terminal events that scripts write by themselves."""

import pytest

from wire.messages import Failed, decode_event, encode
from wire.terminal_events import BY_NAME, CANCELLED


@pytest.mark.parametrize("name", BY_NAME)
def test_each_is_read_as_it_was_written(name: str) -> None:
    assert decode_event(encode(BY_NAME[name])) == BY_NAME[name]


def test_their_reasons_differ() -> None:
    assert len({event.reason for event in BY_NAME.values()}) == len(BY_NAME)


def test_only_a_job_that_was_never_sent_leaves_its_conversation_as_it_is() -> None:
    kept = [event for event in BY_NAME.values() if isinstance(event, Failed) and event.reset is False]
    assert kept == [CANCELLED]
