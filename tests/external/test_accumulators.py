"""The openai package's own readers of streams, before answers of any blocks, cut and merged anywhere."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from tests.gateway.openai.responses import test_events as responses
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


@given(scripted_answers(custom=True))
@settings(max_examples=300, deadline=None)
def test_the_sdk_follows_the_events_of_a_response_to_its_output(reader: Client, script: ScriptedAnswer) -> None:
    asked = responses.ASKED
    frames = asyncio.run(responses.render(responses.events(asked), *script.events))
    outcome = reader.do("follow", "", frames=[frame.data.decode() for frame in frames])
    expected = responses.whole(asked, script.end)["output"]
    assert [item | {"parsed_arguments": None} for item in expected if item["type"] == "function_call"] == [
        item for item in outcome["output"] if item["type"] == "function_call"
    ]
    assert [item["id"] for item in outcome["output"]] == [item["id"] for item in expected]
    calls = {item["id"]: item["arguments"] for item in expected if item["type"] == "function_call"}
    texts = {item["id"]: item["content"][0] for item in expected if item["type"] == "message"}
    grown = calls | {name: part["text"] for name, part in texts.items() if part["type"] == "output_text"}
    assert outcome["grown"] == {name: text for name, text in grown.items() if text}


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what a stream leaves out, an empty text or list, and without what the package adds to calls."""
    calls = [
        {name: call[name] for name in ("id", "type")} | {name: call["function"][name] for name in ("name", "arguments")}
        for call in message.get("tool_calls") or []
    ]
    return {name: value for name, value in message.items() if value and name != "tool_calls"} | {"calls": calls}
