import asyncio
import base64
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from emulator import answers
from emulator.openai import annotations
from emulator.pictures import draw_png
from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from tests.support.conditions import until
from tests.support.emulator.bing_client import BingClient
from tests.support.emulator.openai_client import DONE, OpenaiClient, OpenaiReply, connect

pytestmark = pytest.mark.anyio

ROLE = {"role": "assistant", "content": "", "refusal": None}


async def test_a_stream_has_the_real_shape(asker: OpenaiClient) -> None:
    reply = await asker.ask("hello")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.data[-1] == DONE
    assert len(reply.events) == len(reply.data) - 1
    first = reply.events[0]
    assert list(first) == ["id", "object", "created", "model", "system_fingerprint", "choices"]
    assert first["choices"] == [{"index": 0, "delta": ROLE, "logprobs": None, "finish_reason": None}]
    assert reply.choices[-1] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert {(event["id"], event["object"], event["model"]) for event in reply.events} == {
        (first["id"], "chat.completion.chunk", "stand-in")
    }


async def test_the_deltas_are_true_deltas(asker: OpenaiClient, upstream: Emulator) -> None:
    reply = await asker.ask("hello")
    expected, _ = annotations.remove_marks(answers.compose("hello", 1, None, None).text)
    assert reply.pieces == list(answers.split(expected))
    assert reply.text == upstream.ledger.turns[0].text == expected


async def test_usage_comes_only_when_asked_for(asker: OpenaiClient) -> None:
    assert all("usage" not in event for event in (await asker.ask("hello")).events)
    reply = await asker.ask("hello", stream_options={"include_usage": True})
    *others, last = reply.events
    assert all(event["usage"] is None for event in others)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == len(reply.pieces)
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]


async def test_a_completion_is_what_its_stream_adds_up_to(asker: OpenaiClient) -> None:
    reply, whole = await asker.ask("hello"), await asker.ask("hello", stream=False)
    assert list(whole.json) == ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"]
    assert whole.message["content"] == reply.text
    assert whole.message["annotations"] == reply.choices[-2]["delta"]["annotations"]
    assert whole.json["choices"][0]["finish_reason"] == "stop"


async def test_bing_answers_the_same_question_in_the_same_words(asker: OpenaiClient, client: BingClient) -> None:
    reply = await asker.ask("and dogs?", ("user", "cats"), ("assistant", "…"))
    conversation = await client.create()
    await client.ask(conversation, "cats")
    text = (await client.ask(conversation, "and dogs?", 4)).texts[-1]
    assert annotations.remove_marks(text)[0] == reply.text


async def test_the_conversation_is_remembered_from_the_messages(asker: OpenaiClient) -> None:
    before = (("system", "Be kind."), ("user", "你好 !plain"), ("assistant", "…"), ("user", "cats"), ("assistant", "…"))
    assert "question 3 of our conversation; before it you asked “cats”" in (await asker.ask("dogs", *before)).text
    assert "before it" not in (await asker.ask("dogs", ("system", "Be kind."))).text
    assert "在它之前您问的是“cats”" in (await asker.ask("狗", *before)).text


async def test_the_temperature_sets_the_style(asker: OpenaiClient) -> None:
    assert "briefly" in (await asker.ask("hello", temperature=0.1)).text
    assert "freely" in (await asker.ask("hello", temperature=1.2)).text


async def test_every_question_is_in_the_ledger_with_the_messages_before(asker: OpenaiClient) -> None:
    await asker.ask("cats")
    await asker.ask("dogs", ("user", "cats"), ("assistant", "Meow."), temperature=0)
    await asker.ask("birds", ("user", "cats"), ("assistant", "Woof."), stream=False)
    first_turn, second_turn, third_turn = (await asker.ledger())["turns"]
    assert first_turn["conversation"] == second_turn["conversation"] == third_turn["conversation"]
    assert [turn["invocation"] for turn in (first_turn, second_turn, third_turn)] == ["1", "2", "3"]
    assert [turn["messages"] for turn in (first_turn, second_turn, third_turn)] == [0, 2, 2]
    assert first_turn["digest"] == "" != second_turn["digest"] != third_turn["digest"]
    assert (first_turn["start_of_session"], second_turn["start_of_session"]) == (True, False)
    assert second_turn["context"] == "user: cats\nassistant: Meow."
    assert (second_turn["api"], second_turn["model"], second_turn["account"], second_turn["tone"]) == (
        "openai",
        "stand-in",
        "k1",
        "Precise",
    )
    assert all(
        turn["outcome"] == "Success" and turn["length"] == len(turn["text"])
        for turn in (first_turn, second_turn, third_turn)
    )
    assert all(turn["started"] <= turn["ended"] for turn in (first_turn, second_turn, third_turn))


async def test_the_ledger_has_what_was_received(asker: OpenaiClient) -> None:
    png = draw_png("a")
    url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    body = {
        "model": "stand-in",
        "messages": [{"role": "user", "content": content}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "none",
        "response_format": {"type": "text"},
        "seed": 7,
        "extra": {"a": [1]},
    }
    reply = await asker.send(body, **{"X-Session-ID": "s1"})
    assert reply.message["content"] == f"Pictures: 1.\nPicture 1: image/png, {len(png)} bytes, 64x64."
    request = (await asker.ledger())["turns"][0]["request"]
    assert [request[name] for name in ("messages", "tools", "tool_choice", "response_format")] == [
        body[name] for name in ("messages", "tools", "tool_choice", "response_format")
    ]
    assert request["parameters"] == {"seed": 7, "extra": {"a": [1]}}
    assert request["pictures"] == [{"media_type": "image/png", "bytes": len(png), "url": ""}]
    assert request["headers"]["x-session-id"] == "s1"
    assert "k1" not in str(request)


async def test_half_a_character_is_no_trouble_for_the_ledger(asker: OpenaiClient) -> None:
    reply = await asker.ask("tell me !surrogate-end")
    await asker.ask("half \ud83d")
    assert (await asker.ledger())["turns"][0]["text"] == reply.text
    assert (await asker.ledger())["turns"][1]["question"] == "half \ud83d"


async def test_bings_turns_are_marked_as_bings(client: BingClient) -> None:
    await client.ask(await client.create(), "hello")
    assert (await client.ledger())["turns"][0]["api"] == "bing"


async def test_an_unknown_model_is_refused_and_listed(asker: OpenaiClient, upstream: Emulator) -> None:
    reply = await asker.ask("hello", model="other")
    assert (reply.status, reply.json["error"]["code"]) == (404, "model_not_found")
    assert (upstream.ledger.turns[0].outcome, upstream.ledger.turns[0].model) == ("NotFound", "other")


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b'{"model": "stand-in"}'])
async def test_a_body_that_asks_nothing_is_refused_and_not_listed(
    asker: OpenaiClient, upstream: Emulator, body: bytes
) -> None:
    reply = await asker.send(body)
    assert reply.status == 400
    assert list(reply.json["error"]) == ["message", "type", "param", "code"]
    assert not upstream.ledger.turns


async def test_a_long_conversation_is_no_too_large_body(asker: OpenaiClient) -> None:
    assert (await asker.ask("hello", ("user", "x" * 2_000_000), ("assistant", "…"))).status == 200


async def test_a_script_of_the_account_comes_before_the_questions_words(asker: OpenaiClient) -> None:
    await asker.script(account="k1", chat={"outcome": "throttled=3", "times": 2})
    replies = [await asker.ask("hello !forbidden") for _ in range(3)]
    assert [reply.status for reply in replies] == [429, 429, 403]
    assert replies[0].headers["retry-after"] == "3"


async def test_a_script_of_options_shapes_an_ordinary_answer(asker: OpenaiClient, upstream: Emulator) -> None:
    await asker.script(account="*", chat={"outcome": "deltas=7 rate=1000 stamp"})
    reply = await asker.ask("hello")
    assert reply.text.count(" t=") == upstream.ledger.turns[0].deltas == 7
    assert reply.text.startswith("delta 000001 ")


async def test_a_word_that_only_bing_knows_changes_nothing(asker: OpenaiClient) -> None:
    await asker.script(account="k1", chat={"outcome": "captcha"})
    assert (await asker.ask("hello")).data[-1] == DONE


async def test_once_applies_to_the_first_arrival_only(asker: OpenaiClient) -> None:
    assert [(await asker.ask("hello !internal !once")).status for _ in "ab"] == [500, 200]


async def test_a_text_can_have_any_length(asker: OpenaiClient) -> None:
    assert len((await asker.ask("hello !long=5000")).text) == 5000


async def test_a_spent_quota_is_refused_until_its_day_is_over() -> None:
    async with (
        Emulator(EmulatorSettings(port=0, pace=0, daily_quota=2)) as upstream,
        connect(upstream.openai_url) as http,
    ):
        asker = OpenaiClient(http)
        await asker.ask("hello !throttled")
        replies = [await asker.ask("hello") for _ in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        assert 86_300 < int(replies[2].headers["retry-after"]) <= 86_400
        await asker.script(clock={"advance": 86_400})
        assert (await asker.ask("hello")).status == 200


async def test_a_reset_forgets_the_threads(asker: OpenaiClient, upstream: Emulator) -> None:
    await asker.ask("cats")
    old = upstream.ledger.turns[0].conversation
    await asker.script(reset=True)
    await asker.ask("dogs", ("user", "cats"))
    assert upstream.ledger.turns[0].conversation != old


async def first(lines: AsyncIterator[str]) -> str:
    """Return the first line that holds text of the answer."""
    async for line in lines:
        if '"content"' in line and '"role"' not in line:
            return line
    raise AssertionError("the stream ended")


async def test_a_client_that_hangs_up_is_noticed(asker: OpenaiClient, upstream: Emulator) -> None:
    body = {"model": "stand-in", "stream": True, "messages": [{"role": "user", "content": "x !deltas=1000 !rate=20"}]}
    async with asker.http.stream("POST", "chat/completions", json=body) as response:
        assert json.loads((await first(response.aiter_lines()))[6:])["choices"][0]["delta"]["content"]
    await until(lambda: upstream.ledger.turns[0].ended is not None)
    turn = upstream.ledger.turns[0]
    assert turn.outcome == "client gone"
    assert 0 < turn.deltas < 1000
    assert turn.text == "".join(f"delta {number:06d} " for number in range(1, turn.deltas + 1))


async def test_hundreds_of_streams_at_once(upstream: Emulator) -> None:
    limits = httpx.Limits(max_connections=200)
    base = f"{upstream.openai_url}/"
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=30) as http:
        replies: list[OpenaiReply] = await asyncio.gather(
            *(OpenaiClient(http).ask("x !deltas=5 !rate=20") for _ in range(200))
        )
    assert all(len(reply.pieces) == 5 and reply.data[-1] == DONE for reply in replies)
    assert len({turn.conversation for turn in upstream.ledger.turns}) == 200
