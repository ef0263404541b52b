import asyncio
import json
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.conditions import until
from tests.support.emulator.bing_client import SEPARATOR, BingClient, listen, question

pytestmark = pytest.mark.anyio


async def test_an_ordinary_answer_comes_in_the_real_order(client: BingClient) -> None:
    conversation = await client.create()
    reply = await client.ask(conversation, "hello there")
    updates = [record["arguments"][0] for record in reply.records if record["type"] == 1]
    assert list(updates[0]) == ["throttling", "requestId"]
    assert updates[0]["throttling"] == {"maxNumUserMessagesInConversation": 30, "numUserMessagesInConversation": 1}
    message_id = updates[1]["messages"][0]["messageId"]
    assert updates[1]["cursor"] == {"j": f"$['{message_id}'].adaptiveCards[0].body[0].text", "p": -1}
    assert updates[1]["messages"][0]["text"] == ""
    assert all(after.startswith(before) for before, after in pairwise(reply.texts))
    item = reply.item
    assert [message["author"] for message in item["messages"]] == ["user", "bot"]
    answer = item["messages"][1]
    assert answer["text"] == reply.texts[-1]
    assert answer["adaptiveCards"][0]["body"][0]["text"].endswith(answer["text"])
    assert len(answer["suggestedResponses"]) == len(answer["sourceAttributions"]) == 3
    assert "[^1^]" in answer["text"]
    assert item["result"]["value"] == "Success"


async def test_the_final_record_and_the_completion_share_a_message(client: BingClient) -> None:
    reply = await client.ask(await client.create(), "hello")
    assert [json.loads(part)["type"] for part in reply.messages[-1].split(SEPARATOR) if part] == [2, 3]
    assert all(message.endswith(SEPARATOR) for message in reply.messages)


async def test_in_a_search_turn_neither_the_second_nor_the_last_message_is_the_answer(client: BingClient) -> None:
    reply = await client.ask(await client.create(), "what is the latest news")
    kinds = [message.get("messageType") for message in reply.item["messages"]]
    assert kinds == [
        None,
        "InternalSearchQuery",
        "InternalSearchResult",
        "InternalLoaderMessage",
        None,
        "RenderCardRequest",
    ]
    assert reply.item["messages"][4]["text"] == reply.texts[-1]


async def test_answers_are_in_the_questions_language_and_remember_the_conversation(client: BingClient) -> None:
    conversation = await client.create()
    await client.ask(conversation, "你好")
    second = (await client.ask(conversation, "再说一次", 4)).item["messages"][-1]["text"]
    assert "第 2 个问题" in second
    assert "“你好”" in second
    third = (await client.ask(conversation, "and in English", 5)).item["messages"][-1]["text"]
    assert "question 3" in third


async def test_the_same_question_gets_the_same_answer(client: BingClient) -> None:
    first = await client.ask(await client.create(), "hello")
    second = await client.ask(await client.create(), "hello")
    assert first.texts == second.texts


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"conversationId": "51D|BingProd|0"}, "InvalidSession"),
        ({"conversationSignature": None}, "UnauthorizedRequest"),
        ({"conversationSignature": "wrong"}, "UnauthorizedRequest"),
        ({"participant": {"id": "1"}}, "InvalidSession"),
        ({"participant": None}, "InvalidSession"),
        ({"isStartOfSession": False}, "InvalidSession"),
    ],
)
async def test_a_question_must_fit_its_conversation(client: BingClient, changes: dict[str, Any], value: str) -> None:
    conversation = await client.create()
    result = (await client.ask(conversation, "hello", **changes)).item["result"]
    assert result["value"] == value
    assert ("error" in result) == (value != "InvalidSession")
    assert (await client.ask(conversation, "hello")).item["result"]["value"] == "Success"


async def test_another_account_may_not_use_a_conversation(client: BingClient, stranger: BingClient) -> None:
    conversation = await client.create()
    assert (await stranger.ask(conversation, "hello")).item["result"]["value"] == "UnauthorizedRequest"


async def test_invocations_must_grow_but_may_leave_gaps(client: BingClient) -> None:
    conversation = await client.create()
    questions = [("hello", 3), ("hello", 3), ("hello", 6), ("hello", 5), ("hello", 7)]
    values = [
        (await client.ask(conversation, text, invocation)).item["result"]["value"] for text, invocation in questions
    ]
    assert values == ["Success", "InvalidSession", "Success", "InvalidSession", "Success"]


async def test_a_refused_turn_uses_up_its_invocation_but_not_the_limit(client: BingClient) -> None:
    conversation = await client.create()
    await client.ask(conversation, "hello !throttled")
    assert (await client.ask(conversation, "hello", 3)).item["result"]["value"] == "InvalidSession"
    assert (await client.ask(conversation, "hello", 4)).item["throttling"]["numUserMessagesInConversation"] == 1


@pytest.mark.parametrize(("signed_in", "limit"), [(False, 5), (True, 30)])
async def test_a_conversation_has_a_limit(
    client: BingClient, stranger: BingClient, signed_in: bool, limit: int
) -> None:
    asker = client if signed_in else stranger
    conversation = await asker.create()
    for number in range(limit):
        item = (await asker.ask(conversation, "hello", 3 + number)).item
        assert item["messages"][-1]["contentOrigin"] == "DeepLeo"
    item = (await asker.ask(conversation, "hello", 3 + limit)).item
    assert item["messages"][-1]["contentOrigin"] == "TurnLimiter"
    assert item["throttling"]["numUserMessagesInConversation"] == limit + 1
    assert item["throttling"]["maxNumUserMessagesInConversation"] == limit


async def test_a_conversation_expires_six_hours_after_its_last_final(client: BingClient) -> None:
    conversation = await client.create()
    await client.script(clock={"advance": 6 * 3600 - 60})
    assert (await client.ask(conversation, "hello", 3)).item["result"]["value"] == "Success"
    await client.script(clock={"advance": 6 * 3600 - 60})
    assert (await client.ask(conversation, "hello", 4)).item["result"]["value"] == "Success"
    await client.script(clock={"advance": 6 * 3600 + 1})
    expired = (await client.ask(conversation, "hello", 5)).item
    assert expired["result"]["value"] == "InvalidSession"
    assert "messages" not in expired


async def test_the_quota_is_the_accounts_and_comes_back_after_a_day(session: aiohttp.ClientSession) -> None:
    async with Emulator(EmulatorSettings(port=0, pace=0, daily_quota=2)) as upstream:
        client, other = BingClient(session, upstream.url, "a1"), BingClient(session, upstream.url, "a2")
        values = [(await client.ask(await client.create(), "hello")).item["result"]["value"] for _ in range(3)]
        assert values == ["Success", "Success", "Throttled"]
        assert (await other.ask(await other.create(), "hello")).item["result"]["value"] == "Success"
        upstream.clock.advance(86_400)
        assert (await client.ask(await client.create(), "hello")).item["result"]["value"] == "Success"


async def test_the_captcha_flag_lasts_until_it_is_cleared(client: BingClient) -> None:
    conversation = await client.create()
    await client.script(account="a1", captcha=True)
    for invocation in (3, 4):
        result = (await client.ask(conversation, "hello", invocation)).item["result"]
        assert result["value"] == "CaptchaChallenge"
        assert result["error"] == result["message"]
    await client.script(account="a1", captcha=False)
    assert (await client.ask(conversation, "hello", 5)).item["result"]["value"] == "Success"


async def test_a_disengaged_conversation_answers_no_more(client: BingClient) -> None:
    conversation = await client.create()
    last = (await client.ask(conversation, "hello !disengaged")).item["messages"][-1]
    assert last["messageType"] == "Disengaged"
    assert "text" not in last
    item = (await client.ask(conversation, "hello", 4)).item
    assert [message["author"] for message in item["messages"]] == ["user"]


async def test_an_invalid_session_is_gone(client: BingClient) -> None:
    conversation = await client.create()
    await client.ask(conversation, "hello !invalid-session")
    assert (await client.ask(conversation, "hello", 4)).item["result"]["value"] == "InvalidSession"


async def test_a_stop_record_ends_the_answer_at_once(client: BingClient, upstream: Emulator) -> None:
    socket = await client.open()
    await socket.send_str(question(await client.create(), "hello !deltas=1000 !rate=50"))
    await until(lambda: upstream.ledger.turns[0].deltas > 3 if upstream.ledger.turns else False)
    await socket.send_str('{"arguments":[{}],"invocationId":"3","target":"stop","type":1}' + SEPARATOR)
    await until(lambda: upstream.ledger.turns[0].outcome == "stopped")
    assert upstream.ledger.turns[0].deltas < 1000
    reply = await socket.receive_str(timeout=5)
    while json.loads(reply.rstrip(SEPARATOR))["type"] == 1:
        reply = await socket.receive_str(timeout=5)
    assert json.loads(reply.rstrip(SEPARATOR)) == {"type": 3, "invocationId": "3"}
    await socket.close()


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_leaves_ends_the_answer_at_once(
    client: BingClient, upstream: Emulator, politely: bool
) -> None:
    socket = await client.open()
    await socket.send_str(question(await client.create(), "hello !deltas=1000 !rate=50"))
    await until(lambda: upstream.ledger.turns[0].deltas > 3 if upstream.ledger.turns else False)
    if politely:
        await socket.close()
    else:
        transport = socket.get_extra_info("socket")
        transport.shutdown(2)
    await until(lambda: upstream.ledger.turns[0].outcome == "client gone")
    sent = upstream.ledger.turns[0].deltas
    reply = await client.ask(await client.create(), "hello !deltas=5 !rate=50")
    assert reply.item["result"]["value"] == "Success", "five more would have been sent by now"
    assert upstream.ledger.turns[0].deltas == sent < 1000


async def test_a_flood_of_pings_changes_nothing(client: BingClient) -> None:
    socket = await client.open()
    await socket.send_str(question(await client.create(), "hello !deltas=20 !rate=100"))
    for _ in range(300):
        await socket.send_str('{"type":6}' + SEPARATOR)
    assert (await listen(socket)).item["result"]["value"] == "Success"
    await socket.close()


async def test_deltas_come_at_the_rate_and_with_the_time_asked_for(client: BingClient) -> None:
    reply = await client.ask(await client.create(), "hello !deltas=10 !rate=100 !stamp")
    texts = [text for text in reply.texts if text]
    stamps = [int(part.split()[0]) for part in texts[-1].split(" t=")[1:]]
    assert len(stamps) == 10
    assert 0.08 < (stamps[-1] - stamps[0]) / 1e9 < 1.0


async def test_overlapping_turns_of_a_conversation_show_in_the_ledger(client: BingClient, upstream: Emulator) -> None:
    conversation = await client.create()
    slow = asyncio.create_task(client.ask(conversation, "one !deltas=10 !rate=50"))
    await until(lambda: len(upstream.ledger.turns) == 1)
    await client.ask(conversation, "two", 4)
    await slow
    slow_turn, second_turn = upstream.ledger.turns
    assert slow_turn.ended is not None
    assert slow_turn.started < second_turn.started < slow_turn.ended


async def test_the_first_handshake_must_be_json(client: BingClient) -> None:
    socket = await client.session.ws_connect(f"{client.url}/sydney/ChatHub")
    await socket.send_str('{"protocol":"messagepack","version":1}' + SEPARATOR)
    assert "error" in json.loads((await socket.receive_str()).rstrip(SEPARATOR))
    assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    await socket.close()


async def test_a_question_that_is_no_record_ends_the_socket(client: BingClient) -> None:
    for broken in ("{", '{"type":4}', "[]"):
        socket = await client.open()
        await socket.send_str(broken + SEPARATOR)
        reply = await listen(socket)
        assert reply.records[-1]["type"] == 7
        await socket.close()


@pytest.mark.parametrize(
    ("outcome", "status"), [("http-200", 200), ("http-403", 403), ("http-404", 404), ("http-502", 502)]
)
async def test_an_upgrade_can_be_refused(client: BingClient, upstream: Emulator, outcome: str, status: int) -> None:
    await client.script(account="a1", upgrade={"outcome": outcome})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.open()
    assert refused.value.status == status
    assert not upstream.ledger.turns
    await (await client.open()).close()


@pytest.mark.parametrize("outcome", ["silent-handshake", "handshake-error", "handshake-close"])
async def test_a_handshake_can_fail(client: BingClient, outcome: str) -> None:
    await client.script(account="a1", upgrade={"outcome": outcome})
    socket = await client.session.ws_connect(f"{client.url}/sydney/ChatHub", headers=client.headers)
    await socket.send_str('{"protocol":"json","version":1}' + SEPARATOR)
    if outcome == "silent-handshake":
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.1)
    elif outcome == "handshake-error":
        assert "error" in json.loads((await socket.receive_str()).rstrip(SEPARATOR))
    else:
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    await socket.close()
