"""Answers whose calls are broken, as their clients get them."""

import httpx
import pytest

from emulator.json_text import Json
from tests.emulator.openai.test_replies import WEATHER
from tests.support.emulator.openai_client import OpenaiClient, OpenaiReply

pytestmark = pytest.mark.anyio


async def ask(asker: OpenaiClient, server: str, question: str = "hi") -> OpenaiReply:
    return await asker.ask(question, model=f"stand-in-{server}", tools=[WEATHER])


def entries(reply: OpenaiReply) -> list[Json]:
    return [entry for choice in reply.choices for entry in choice["delta"].get("tool_calls", ())]


def arguments(reply: OpenaiReply) -> str:
    return "".join(entry["function"]["arguments"] for entry in entries(reply))


async def test_a_known_index_gets_another_id(asker: OpenaiClient) -> None:
    calls = entries(await ask(asker, "calls-new-id"))
    assert {call["index"] for call in calls} == {0}
    assert len({call["id"] for call in calls if "id" in call}) == 2


async def test_fragments_of_two_calls_alternate(asker: OpenaiClient) -> None:
    calls = entries(await ask(asker, "calls-interleaved"))
    assert [call["index"] for call in calls] == [0, 1] * (len(calls) // 2)


@pytest.mark.parametrize(("server", "field"), [("calls-no-id", "id"), ("calls-no-index", "index")])
async def test_a_field_is_missing(asker: OpenaiClient, server: str, field: str) -> None:
    calls = entries(await ask(asker, server))
    assert len(calls) > 1
    assert not any(field in call for call in calls)


@pytest.mark.parametrize(
    ("server", "expected", "reason"),
    [
        ("calls-bad-json", '{"city":"some city"', "tool_calls"),
        ("calls-no-arguments", "", "tool_calls"),
        ("calls-cut", '{"city":"some ci', "length"),
        ("calls-none", "", "tool_calls"),
        ("calls-stop", '{"city":"some city"}', "stop"),
    ],
)
async def test_arguments_and_reasons_are_wrong(asker: OpenaiClient, server: str, expected: str, reason: str) -> None:
    reply = await ask(asker, server)
    sent = arguments(reply)
    assert sent == expected if server != "calls-cut" else expected.startswith(sent[:9])
    assert reply.reasons == [reason]
    assert bool(entries(reply)) == (server != "calls-none")


async def test_the_name_comes_again(asker: OpenaiClient) -> None:
    calls = entries(await ask(asker, "calls-named-again"))
    assert len(calls) > 1
    assert {call["function"]["name"] for call in calls} == {"get_weather"}


async def test_the_connection_can_close_inside_a_call(asker: OpenaiClient) -> None:
    reply = await ask(asker, "vllm", '!tool=get_weather {"city":"Paris"} !close-mid !at=2')
    assert (arguments_after_name(reply), reply.broken) == ('{"city":"', httpx.RemoteProtocolError)


def arguments_after_name(reply: OpenaiReply) -> str:
    return "".join(entry["function"].get("arguments", "") for entry in entries(reply))
