import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.responses.turn import fold
from emulator.server import Emulator
from tests.support.emulator.event_reply import Json
from tests.support.emulator.responses_client import ADD, CALLS, NOTE, ResponsesClient, outputs, text_of

pytestmark = pytest.mark.anyio

WORDS = st.text('ab{}[]"\\ 猫\n', max_size=40)
BLOCKS = st.lists(
    st.one_of(
        st.builds(
            lambda kind, text: {"kind": kind, "text": text}, st.sampled_from(["text", "reasoning", "refusal"]), WORDS
        ),
        st.builds(lambda text: {"kind": "tool_call", "name": "f", "text": text, "id": "call_1"}, WORDS),
        st.builds(lambda text: {"kind": "tool_call", "name": "f", "text": text, "custom": True, "id": "c2"}, WORDS),
        st.just({"kind": "opaque", "extra": {"type": "web_search_call", "status": "completed"}}),
    ),
    min_size=1,
    max_size=5,
)
THINK: Json = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}


def without_ids(response: Json) -> Json:
    output = [{name: value for name, value in item.items() if name != "id"} for item in response["output"]]
    return {**response, "id": "", "created_at": 0, "output": output}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BLOCKS, st.integers(1, 9))
async def test_a_whole_response_is_what_its_stream_adds_up_to(
    asker: ResponsesClient, blocks: list[Json], size: int
) -> None:
    await asker.script(account="k1", answers=[{"blocks": blocks, "sizes": size}] * 2)
    stream, whole = await asker.ask("hello", stream=True, **THINK), await asker.ask("hello", **THINK)
    folded = fold(stream.events)
    assert without_ids(folded) | {"background": False} == without_ids(whole.json)
    assert [event["sequence_number"] for event in stream.events] == list(range(len(stream.events)))
    done = [event["item"] for event in stream.events if event["type"] == "response.output_item.done"]
    assert done == folded["output"]
    assert len(done) == len(blocks)


async def test_a_stream_has_the_real_order_of_events(asker: ResponsesClient) -> None:
    reply = await asker.ask('hello !say "Hi"', stream=True)
    assert reply.names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert all(name == event["type"] for name, event in reply.named)


async def test_calls_come_and_their_outputs_lead_to_the_end(asker: ResponsesClient, upstream: Emulator) -> None:
    question = {"role": "user", "content": CALLS}
    called = (await asker.ask([question], tools=[ADD, NOTE], store=False, **THINK)).json
    assert [item["type"] for item in called["output"]] == ["reasoning", "function_call", "custom_tool_call"]
    assert (called["output"][1]["arguments"], called["output"][2]["input"]) == ('{"a":1}', "some text")
    ended = await asker.ask([question, *called["output"], *outputs(called)], tools=[ADD, NOTE])
    assert text_of(ended.json) == "Done."
    assert [(turn.api, turn.outcome) for turn in upstream.ledger.turns] == [("responses", "Success")] * 2
    request = upstream.ledger.turns[0].request
    assert request is not None
    assert request.parameters["input"] == [question]


async def test_a_response_is_the_memory_of_those_after_it(asker: ResponsesClient) -> None:
    first = (await asker.ask("cats", instructions="Be brief.")).json
    second = (await asker.ask("dogs", previous_response_id=first["id"])).json
    assert "you asked “cats”" in text_of(second)
    called = (await asker.ask(CALLS, tools=[ADD, NOTE], previous_response_id=first["id"])).json
    ended = await asker.ask(outputs(called), tools=[ADD, NOTE], previous_response_id=called["id"])
    assert text_of(ended.json) == "Done."
    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    assert (await asker.ask([reference, {"role": "user", "content": "and?"}])).status == 200


async def test_a_stored_response_is_shown_as_it_was_sent(asker: ResponsesClient) -> None:
    sent = (await asker.ask("cats", metadata={"a": "b"})).json
    assert (await asker.http.get(f"responses/{sent['id']}")).json() == sent
    assert sent["metadata"] == {"a": "b"}
    hidden = (await asker.ask("cats", store=False)).json
    assert (await asker.http.get(f"responses/{hidden['id']}")).status_code == 404
    assert (await asker.ask("dogs", previous_response_id=hidden["id"])).error["code"] == "previous_response_not_found"
    await asker.script(reset=True)
    assert (await asker.http.get(f"responses/{sent['id']}")).status_code == 404
    await asker.script(account="k1", dead=True)
    assert (await asker.http.get(f"responses/{sent['id']}")).status_code == 401


async def test_thoughts_are_shown_and_sealed_only_if_asked(asker: ResponsesClient) -> None:
    plain = (await asker.ask("hello !think=1")).json["output"][0]
    assert (plain["type"], plain["summary"], "encrypted_content" in plain) == ("reasoning", [], False)
    shown = (await asker.ask("hello", **THINK)).json
    assert shown["output"][0]["summary"][0]["text"].startswith("The user asks")
    assert shown["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


async def test_a_limit_makes_a_response_incomplete(asker: ResponsesClient) -> None:
    response = (await asker.ask("hello", max_output_tokens=16)).json
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == 16


async def test_choices_and_forms_are_obeyed(asker: ResponsesClient) -> None:
    named = await asker.ask("hello", tools=[ADD, NOTE], tool_choice={"type": "custom", "name": "note"})
    assert [item["name"] for item in named.json["output"]] == ["note"]
    none = await asker.ask(CALLS, tools=[ADD, NOTE], tool_choice="none")
    assert [item["type"] for item in none.json["output"]] == ["message"]
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    assert text_of((await asker.ask("hello", text={"format": form})).json) == '{"n":1}'
