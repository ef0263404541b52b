"""An answer whose events are gone is followed as its end alone."""

import pytest

from gateway.answering.recalled import RecalledAnswer
from wire.answer_reader import AnswerEvent
from wire.messages import Final

pytestmark = pytest.mark.anyio


async def test_its_only_event_is_its_end() -> None:
    end = AnswerEvent(1, Final("a"))
    async with RecalledAnswer("s0-1", Final("a")) as events:
        assert events.answer == "s0-1"
        assert await events.peek(0) == end
        assert [entry async for entry in events] == [end]
        assert await events.peek(0) is None
