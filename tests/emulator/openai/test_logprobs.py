import pytest

from emulator.openai import logprobs
from tests.support.emulator.openai_client import OpenaiClient


def test_a_token_has_as_many_alternatives_as_asked_for() -> None:
    (entry,) = logprobs.describe("é", 2)["content"]
    assert (entry["token"], entry["bytes"], len(entry["top_logprobs"])) == ("é", [0xC3, 0xA9], 2)
    assert entry["logprob"] <= 0
    assert entry["top_logprobs"][0]["token"] == "é"


@pytest.mark.anyio
async def test_each_delta_of_text_has_its_own_and_the_whole_has_all(asker: OpenaiClient) -> None:
    stream = await asker.ask("hi", logprobs=True, top_logprobs=1)
    whole = await asker.ask("hi", stream=False, logprobs=True, top_logprobs=1)
    entries = [entry for choice in stream.choices for entry in (choice["logprobs"] or {}).get("content", [])]
    assert [entry["token"] for entry in entries] == stream.pieces
    assert whole.json["choices"][0]["logprobs"]["content"] == entries
