import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.anthropic.whole_message import fold
from emulator.server import Emulator
from tests.support.emulator.anthropic_client import CALL, TIME, WEATHER, AnthropicClient, connect, text_of
from tests.support.emulator.event_reply import Json

pytestmark = pytest.mark.anyio

THINKING = {"type": "enabled", "budget_tokens": 2000}
WORDS = st.text('ab{}[]"\\ 猫\n', max_size=40)
BLOCKS = st.lists(
    st.one_of(
        st.builds(lambda text: {"kind": "text", "text": text}, WORDS),
        st.builds(lambda text: {"kind": "reasoning", "text": text}, WORDS),
        st.just({"kind": "reasoning", "extra": {"data": "c2VjcmV0"}}),
        st.just({"kind": "opaque", "extra": {"type": "redacted_thinking", "data": "YQ=="}}),
        st.just({"kind": "tool_call", "name": "f", "text": '{"a":{"b":[1,2]}}', "id": "toolu_1"}),
    ),
    min_size=1,
    max_size=5,
)


def without_ids(message: Json) -> Json:
    return {name: value for name, value in message.items() if name != "id"}


async def test_a_stream_has_the_real_order_of_events(asker: AnthropicClient) -> None:
    reply = await asker.ask("hello", stream=True)
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["request-id"].startswith("req_01")
    assert reply.headers["anthropic-ratelimit-requests-limit"] == "1000"
    assert reply.names[:4] == ["message_start", "content_block_start", "ping", "content_block_delta"]
    assert reply.names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert all(name == event["type"] for name, event in reply.named)
    assert "I am only a stand-in" in text_of(reply)


async def test_thoughts_and_calls_have_the_real_shape(asker: AnthropicClient) -> None:
    reply = await asker.ask(CALL, stream=True, tools=[WEATHER], thinking=THINKING)
    starts = [event["content_block"] for event in reply.events if event["type"] == "content_block_start"]
    deltas = [event["delta"] for event in reply.events if event["type"] == "content_block_delta"]
    assert starts[0] == {"type": "thinking", "thinking": "", "signature": ""}
    assert {**starts[1], "id": ""} == {"type": "tool_use", "id": "", "name": "get_weather", "input": {}}
    assert starts[1]["id"].startswith("toolu_01")
    kinds = [delta["type"] for delta in deltas]
    assert kinds == sorted(kinds, key=["thinking_delta", "signature_delta", "input_json_delta"].index)
    assert kinds.count("signature_delta") == 1
    fragments = [delta["partial_json"] for delta in deltas if "partial_json" in delta]
    assert fragments[0] == ""
    assert "".join(fragments) == '{"city":"Paris"}'
    ending = reply.events[-2]
    assert ending["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert ending["usage"]["output_tokens"] > ending["usage"]["output_tokens_details"]["thinking_tokens"] > 0
    assert ending["usage"]["input_tokens"] == reply.events[0]["message"]["usage"]["input_tokens"]


async def test_a_call_with_empty_arguments_sends_none(asker: AnthropicClient) -> None:
    reply = await asker.ask("tell me !tool=get_time {}", stream=True, tools=[TIME])
    assert [event["delta"]["partial_json"] for event in reply.events if event["type"] == "content_block_delta"] == [""]
    whole = await asker.ask("tell me !tool=get_time {}", tools=[TIME])
    assert whole.json["content"][0]["input"] == {}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BLOCKS, st.integers(1, 9))
async def test_a_whole_answer_is_what_its_stream_adds_up_to(
    asker: AnthropicClient, blocks: list[Json], size: int
) -> None:
    answer = {"blocks": blocks, "sizes": size, "extra": {"container": None}, "usage": {"output_tokens": 7}}
    await asker.script(account="k1", answers=[answer, answer])
    stream, whole = await asker.ask("hello", stream=True), await asker.ask("hello")
    assert without_ids(fold(stream.events)) == without_ids(whole.json)
    assert len(whole.json["content"]) == len(blocks)


async def test_a_conversation_with_tools_goes_to_its_end(asker: AnthropicClient, upstream: Emulator) -> None:
    question = {"role": "user", "content": f'{CALL} !and=get_time !say "It is sunny."'}
    tools: Json = {"tools": [WEATHER, TIME], "thinking": THINKING}
    called = (await asker.ask(question["content"], **tools)).json
    assert [block["type"] for block in called["content"]] == ["thinking", "tool_use", "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
        for block in called["content"]
        if block["type"] == "tool_use"
    ]
    ended = await asker.ask(results, question, {"role": "assistant", "content": called["content"]}, **tools)
    assert ended.json["content"][-1] == {"type": "text", "text": "It is sunny."}
    assert ended.json["stop_reason"] == "end_turn"
    assert [turn.question for turn in upstream.ledger.turns] == [question["content"]] * 2


async def test_the_ledger_has_the_request_as_it_came(asker: AnthropicClient, upstream: Emulator) -> None:
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    body = {"model": "stand-in", "max_tokens": 9, "system": system, "tools": [WEATHER], "top_k": 5}
    messages = [{"role": "user", "content": "hello"}]
    headers = {"anthropic-beta": "context-1m-2025-08-07"}
    await asker.send({**body, "messages": messages}, **headers)
    (turn,) = upstream.ledger.turns
    assert (turn.api, turn.account, turn.question, turn.outcome) == ("anthropic", "k1", "hello", "Success")
    assert turn.request is not None
    assert (turn.request.system, turn.request.messages, turn.request.tools) == (system, messages, [WEATHER])
    assert turn.request.parameters == {"max_tokens": 9, "top_k": 5}
    assert turn.request.headers.items() >= headers.items()
    assert "k1" not in turn.request.headers.values()


async def test_max_tokens_and_stop_sequences_cut_the_answer(asker: AnthropicClient) -> None:
    short = (await asker.ask("hello", max_tokens=3)).json
    assert (short["stop_reason"], short["usage"]["output_tokens"]) == ("max_tokens", 3)
    stopped = (await asker.ask('hello !say "one two three"', stop_sequences=[" two"])).json
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", " two")
    assert stopped["content"] == [{"type": "text", "text": "one"}]


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_time"}])
async def test_a_tool_that_has_to_be_called_is_called(asker: AnthropicClient, choice: Json) -> None:
    reply = await asker.ask("hello", tools=[WEATHER, TIME], tool_choice=choice)
    assert [block["name"] for block in reply.json["content"]] == [choice.get("name", "get_weather")]


async def test_calls_come_one_by_one_where_that_is_asked_for(asker: AnthropicClient) -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    reply = await asker.ask(f"{CALL} !and=get_time", tools=[WEATHER, TIME], tool_choice=choice)
    assert len(reply.json["content"]) == 1
    none = await asker.ask(CALL, tools=[WEATHER], tool_choice={"type": "none"})
    assert [block["type"] for block in none.json["content"]] == ["text"]


async def test_an_answer_has_the_form_that_a_schema_asks_for(asker: AnthropicClient) -> None:
    form = {"type": "json_schema", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    reply = await asker.ask("hello", output_config={"format": form})
    assert reply.json["content"] == [{"type": "text", "text": '{"n":1}'}]


async def test_thoughts_may_be_omitted_and_still_are_signed(asker: AnthropicClient) -> None:
    omitted = THINKING | {"display": "omitted"}
    block = (await asker.ask("hello", thinking=omitted)).json["content"][0]
    assert block["thinking"] == ""
    assert len(block["signature"]) > 80
    again = await asker.ask(
        "and now?",
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [block, {"type": "text", "text": "a"}]},
    )
    assert again.status == 200


async def test_a_prompt_that_is_too_long_for_the_model_is_refused(asker: AnthropicClient, upstream: Emulator) -> None:
    reply = await asker.ask("x" * 900_000, model="stand-in-mini")
    assert (reply.status, reply.error["type"]) == (400, "invalid_request_error")
    assert reply.error["message"].endswith(" tokens > 200000 maximum")
    assert upstream.ledger.turns[0].outcome == "ContextLength"


async def test_a_body_above_the_limit_is_413(asker: AnthropicClient) -> None:
    reply = await asker.ask("x" * 17_000_000)
    assert (reply.status, reply.error["type"]) == (413, "request_too_large")


async def test_unknown_models_are_404_and_listed(asker: AnthropicClient, upstream: Emulator) -> None:
    reply = await asker.ask("hello", model="nope")
    assert (reply.status, reply.error) == (404, {"type": "not_found_error", "message": "model: nope"})
    assert upstream.ledger.turns[0].scripted == "model-not-found"


async def test_a_quota_that_is_used_up_is_429(asker: AnthropicClient, upstream: Emulator) -> None:
    upstream._settings.daily_quota = 1
    await asker.ask("hello")
    reply = await asker.ask("hello")
    assert (reply.status, reply.error["type"]) == (429, "rate_limit_error")
    assert int(reply.headers["retry-after"]) > 80_000


async def test_a_dead_key_is_refused(asker: AnthropicClient) -> None:
    await asker.script(account="k1", dead=True)
    assert (await asker.ask("hello")).error == {"type": "authentication_error", "message": "invalid x-api-key"}


async def test_a_reset_forgets_what_was_cached(asker: AnthropicClient) -> None:
    marked = [{"type": "text", "text": "x" * 4000, "cache_control": {"type": "ephemeral"}}]
    usages = []
    for reset in (False, False, True):
        if reset:
            await asker.script(reset=True)
        usages.append((await asker.ask("hello", system=marked)).json["usage"])
    written = [usage["cache_creation_input_tokens"] > 0 for usage in usages]
    assert written == [True, False, True]
    assert usages[1]["cache_read_input_tokens"] == usages[0]["cache_creation_input_tokens"]


async def test_the_same_scripted_blocks_come_over_both_apis(asker: AnthropicClient, upstream: Emulator) -> None:
    await asker.script(account="bearer", answers=[{"blocks": [{"kind": "text", "text": "Scripted."}]}])
    async with connect(upstream.openai_url, None) as http:
        body = {"model": "stand-in", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
        reply = await AnthropicClient(http).send(body, authorization="Bearer bearer")
    assert reply.json["content"] == [{"type": "text", "text": "Scripted."}]
