import pytest

from emulator.server import Emulator
from tests.support.emulator.anthropic_client import WEATHER, AnthropicClient
from tests.support.emulator.event_reply import EventReply, Json

pytestmark = pytest.mark.anyio

BODY: Json = {"model": "stand-in", "messages": [{"role": "user", "content": "hello"}], "tools": [WEATHER]}


async def count(asker: AnthropicClient, **changes: object) -> EventReply:
    return await asker.send(BODY | changes, "messages/count_tokens")


async def test_tokens_are_counted_as_they_cost(asker: AnthropicClient) -> None:
    counted, asked = await count(asker), await asker.send(BODY | {"max_tokens": 9})
    assert counted.json == {"input_tokens": asked.json["usage"]["input_tokens"]}


async def test_each_count_is_a_call_in_the_ledger(asker: AnthropicClient, upstream: Emulator) -> None:
    counted = await count(asker, system="Be brief.")
    (call,) = upstream.ledger.calls
    assert (call.api, call.operation, call.inputs, call.outcome) == ("anthropic", "count_tokens", 1, "Success")
    assert call.tokens == counted.json["input_tokens"]
    assert call.request is not None
    assert call.request.system == "Be brief."
    assert not upstream.ledger.turns


async def test_what_is_wrong_is_refused(asker: AnthropicClient, upstream: Emulator) -> None:
    assert (await count(asker, max_tokens=9)).error["message"] == "max_tokens: Extra inputs are not permitted"
    signed = {"type": "thinking", "thinking": "a", "signature": "b"}
    answer = {"role": "assistant", "content": [signed, {"type": "text", "text": "a"}]}
    wrong = await count(asker, messages=[*BODY["messages"], answer, *BODY["messages"]])
    assert "Invalid `signature`" in wrong.error["message"]
    assert not upstream.ledger.calls
    assert (await count(asker, model="nope")).status == 404


async def test_a_script_makes_it_fail(asker: AnthropicClient, upstream: Emulator) -> None:
    await asker.script(account="k1", call={"outcome": "overloaded"})
    assert [(await count(asker)).status, (await count(asker)).status] == [529, 200]
    await asker.script(account="k1", dead=True)
    assert (await count(asker)).status == 401
    assert [call.outcome for call in upstream.ledger.calls] == ["Unavailable", "Success", "UnauthorizedRequest"]
