import json

import pytest

from emulator.openai import scenarios
from emulator.openai.turn import SendChunk
from emulator.server import Emulator
from tests.support.emulator.openai_client import DONE, OpenaiClient
from tests.support.emulator.turns import completion_turn, text_length


@pytest.mark.anyio
async def test_an_event_behind_the_end(asker: OpenaiClient, upstream: Emulator) -> None:
    reply = await asker.ask("tell me !after-final")
    assert reply.data[-2] == DONE
    assert json.loads(reply.data[-1])["choices"][0]["delta"] == {"content": "Too late."}
    assert upstream.ledger.turns[0].text + "Too late." == reply.text


def test_an_answer_can_be_cut_off_for_any_reason() -> None:
    steps = list(scenarios.cut_off("length")(completion_turn()))
    reasons = [step.body["choices"][0]["finish_reason"] for step in steps if isinstance(step, SendChunk)]
    assert [reason for reason in reasons if reason] == ["length"]
    assert 0 < text_length(steps) < len(completion_turn().compose().text)


def test_citations_are_in_every_event_and_not_in_annotations() -> None:
    chunks = [step for step in scenarios.citations(completion_turn()) if isinstance(step, SendChunk)]
    assert all(len(chunk.body["citations"]) == 3 for chunk in chunks)
    assert not any("annotations" in chunk.body["choices"][0]["delta"] for chunk in chunks)


def test_marks_stay_in_the_text_if_they_are_cut() -> None:
    turn = completion_turn()
    assert text_length(scenarios.cite_cut(turn)) == len(turn.sample().text) > len(turn.compose().text)
