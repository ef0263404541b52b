"""Each server's answer with a thought and a call, held against goldens/NAME.json, written after the real servers'.

Ids and signatures are regular expressions there.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from emulator.openai.server_styles import SERVERS
from tests.emulator.openai.test_replies import WEATHER
from tests.support.emulator.openai_client import OpenaiClient

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).parent / "goldens"
QUESTION = 'hi !think !tool=get_weather {"city":"Paris"}'
HEAD = {"id", "object", "created", "model", "choices"}
PATTERNS = ("id", "thought_signature", "signature", "data")


def golden(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def matching(real: Any, expected: Any, name: str = "") -> Any:
    """Return a real value in which ids and signatures that match are replaced by their expressions."""
    if isinstance(real, dict) and isinstance(expected, dict):
        return {key: matching(value, expected.get(key), key) for key, value in real.items()}
    if isinstance(real, list) and isinstance(expected, list) and len(real) == len(expected):
        return [matching(one, other) for one, other in zip(real, expected, strict=True)]
    if name in PATTERNS and isinstance(expected, str) and re.fullmatch(expected, real):
        return expected
    return real


def test_every_server_that_takes_tools_has_a_golden() -> None:
    goldens = {path.stem for path in FOLDER.glob("*.json")}
    broken = {name for name in SERVERS if name.startswith("calls-")}
    assert goldens == SERVERS.keys() - broken - {"no-tools", "openai-reasoning"}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
async def test_a_stream_is_like_the_real_servers(asker: OpenaiClient, name: str) -> None:
    expected = golden(name)
    reply = await asker.ask(QUESTION, model=f"stand-in-{name}", tools=[WEATHER])
    deltas = [choice["delta"] for choice in reply.choices]
    assert matching(deltas[: len(expected["deltas"])], expected["deltas"]) == expected["deltas"]
    assert not any(delta.get("tool_calls") or delta.get("content") for delta in deltas[len(expected["deltas"]) :])
    assert reply.reasons == [expected["finish_reason"]]
    assert reply.choices[-1].get("native_finish_reason") == expected.get("native_finish_reason")
    head = reply.events[0]
    assert {key: value for key, value in head.items() if key not in HEAD} == expected["head"]
    assert reply.body.startswith(expected.get("comment", "data:"))


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.json")))
async def test_a_whole_answer_is_like_the_real_servers(asker: OpenaiClient, name: str) -> None:
    expected = golden(name)
    reply = await asker.ask(QUESTION, model=f"stand-in-{name}", tools=[WEATHER], stream=False)
    assert matching(reply.message, expected["message"]) == expected["message"]
    assert reply.json["choices"][0]["finish_reason"] == expected["finish_reason"]
