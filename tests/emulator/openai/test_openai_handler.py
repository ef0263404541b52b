import pytest

from emulator.server import Emulator
from tests.support.emulator.event_reply import Json, post
from tests.support.emulator.openai_client import connect

pytestmark = pytest.mark.anyio

QUESTIONS: dict[str, Json] = {
    "chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "completions": {"prompt": "hi"},
    "responses": {"input": "hi"},
}


@pytest.mark.parametrize("path", QUESTIONS)
async def test_every_endpoint_refuses_in_the_same_way(upstream: Emulator, path: str) -> None:
    async with connect(upstream.openai_url) as http:
        unknown = await post(http, path, {"model": "nope"} | QUESTIONS[path])
        upstream.run_script(b'{"account": "k1", "dead": true}')
        dead = await post(http, path, {"model": "stand-in"} | QUESTIONS[path])
    assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")
    assert (dead.status, dead.error["code"]) == (401, "invalid_api_key")
    assert [turn.outcome for turn in upstream.ledger.turns] == ["NotFound", "UnauthorizedRequest"]
    assert [turn.question for turn in upstream.ledger.turns] == ["hi", "hi"]
