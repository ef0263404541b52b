"""The openai package's own reader of streams, before answers of any blocks, cut and merged anywhere."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from tests.gateway.openai.test_chunks import ABOUT, render, whole
from tests.support.external.client import Client, client
from tests.support.external.programs import program_of
from tests.support.gateway.scripted_answers import ScriptedAnswer, scripted_answers

pytestmark = pytest.mark.external


@pytest.fixture(scope="module")
def reader() -> Iterator[Client]:
    with client("accumulate", program_of("openai"), {}) as running:
        yield running


# It has no place for lists without an index, and so for some servers' own fields.
@given(scripted_answers(extras=False))
@settings(max_examples=300, deadline=None)
def test_the_sdk_reads_the_message_of_the_whole_answer(reader: Client, script: ScriptedAnswer) -> None:
    outcome = reader.do("accumulate", "", chunks=asyncio.run(render(ABOUT, *script.events)))
    expected = whole(ABOUT, *script.events)["choices"][0]
    assert outcome["finish_reason"] == expected["finish_reason"]
    assert plain(outcome["message"]) == plain(expected["message"])


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what a stream leaves out, an empty text or list, and without what the package adds to calls."""
    calls = [
        {name: call[name] for name in ("id", "type")} | {name: call["function"][name] for name in ("name", "arguments")}
        for call in message.get("tool_calls") or []
    ]
    return {name: value for name, value in message.items() if value and name != "tool_calls"} | {"calls": calls}
