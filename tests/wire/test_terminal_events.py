"""The terminal events that scripts write by themselves."""

import pytest

from wire.messages import Failed, decode_event, encode
from wire.terminal_events import BY_NAME, CANCELLED, INTERRUPTED_ONLY, QUEUE_TIMEOUT


@pytest.mark.parametrize("name", BY_NAME)
def test_each_is_read_as_it_was_written(name: str) -> None:
    assert decode_event(encode(BY_NAME[name])) == BY_NAME[name]


def test_no_two_of_them_are_the_same() -> None:
    assert len({(event.reason, event.reset) for event in BY_NAME.values()}) == len(BY_NAME)


def test_a_conversation_is_left_as_it_is_by_no_question_or_where_it_continues() -> None:
    continuing = [event for event in BY_NAME.values() if isinstance(event, Failed) and event.reset is False]
    assert continuing == [INTERRUPTED_ONLY, CANCELLED, QUEUE_TIMEOUT]
