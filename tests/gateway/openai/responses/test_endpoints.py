"""/v1/responses over real connections."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.answering.timings import TIMINGS
from tests.gateway.openai.responses.test_events import RICH
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, Step, closing_gate, running, settings
from tests.support.gateway.openai_client import EVENTS, MODEL, data_of
from tests.support.redis_client import redis_client
from wire import keys
from wire.errors import StoreUnavailableError
from wire.messages import Chat, Delta, Failed, Final, HistoryMessage, Prompted, Source, Usage, Work
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

PATH = "/v1/responses"
SOURCE = Source("T", "https://e.org")
WHOLE: list[Step] = [Delta("a"), Delta("b"), Final("abc", (SOURCE,), usage=Usage(3, 4))]
ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.annotation.added",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def body(question: Any = "hi", **rest: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": question, **rest}


# A request of which much comes back.
STREAMED = body(
    stream=True,
    instructions="be brief",
    metadata={"a": "b"},
    reasoning={"summary": "auto"},
    include=["reasoning.encrypted_content"],
)


def talk(work: Work) -> list[str]:
    """The texts of the messages of a question."""
    assert isinstance(work, Prompted)
    return [message.text for message in work.prompt.messages]


async def respond(gateway: RunningGateway, question: Any = "hi", **rest: Any) -> Any:
    response = await gateway.client.post(PATH, json=body(question, **rest))
    assert response.status_code == 200, response.text
    return response.json()


async def forget_events(store: Store, answer: str) -> None:
    """Let ANSWER_TTL pass."""
    await redis_client(store).delete(keys.log_key(answer), keys.job_key(answer))


def events_of(stream: str) -> list[Any]:
    """The events of a stream, each of which has its name twice."""
    events = []
    for event in stream.removesuffix("\n\n").split("\n\n"):
        shown = json.loads(data_of(event))
        assert f"event: {shown['type']}\n" in event
        events.append(shown)
    return events


async def test_a_response_has_the_answer_in_its_one_message(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = WHOLE
    response = await gateway.client.post(PATH, json=body(instructions="be brief", metadata={"a": "b"}))
    reply, answer = response.json(), response.headers["x-answer-id"]
    assert (reply["id"], reply["object"], reply["status"], reply["model"]) == (
        f"resp_{answer}",
        "response",
        "completed",
        MODEL,
    )
    assert (reply["instructions"], reply["metadata"], reply["error"]) == ("be brief", {"a": "b"}, None)
    cited = {"type": "url_citation", "start_index": 3, "end_index": 3, "url": "https://e.org", "title": "T"}
    part = {"type": "output_text", "text": "abc", "annotations": [cited], "logprobs": []}
    message = {
        "id": f"msg_{answer}_0",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    assert reply["output"] == [message]
    assert reply["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }


async def test_a_stream_sends_everything_in_order(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = WHOLE
    events = events_of((await gateway.client.post(PATH, json=body(stream=True))).text)
    assert [event["type"] for event in events] == ORDER
    assert [event["sequence_number"] for event in events] == list(range(len(ORDER)))
    assert "".join(event["delta"] for event in events if "delta" in event) == "abc"
    assert (events[0]["response"]["status"], events[-1]["response"]["status"]) == ("in_progress", "completed")
    assert events[-1]["response"]["output"] == [events[-2]["item"]]


async def test_at_any_gateway_it_continues_after_any_event(store: Store) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = WHOLE
        response = await gateway.client.post(PATH, json=body(stream=True))
        events = events_of(response.text)
        url = f"{PATH}/resp_{response.headers['x-answer-id']}"
        assert events_of((await other.client.get(url, params={"stream": "true"})).text) == events
        for number in range(len(events) - 1):
            rest = await other.client.get(url, params={"stream": "true", "starting_after": number})
            assert events_of(rest.text) == events[number + 1 :]
        assert (await other.client.get(url)).json()["output"] == events[-1]["response"]["output"]


async def test_all_kinds_of_items_have_equal_bytes_wherever_they_are_read(store: Store) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = RICH
        response = await gateway.client.post(PATH, json=STREAMED)
        url = f"{PATH}/resp_{response.headers['x-answer-id']}"
        events = response.text.split("\n\n")
        for number in range(len(events) - 2):
            rest = await other.client.get(url, params={"stream": "true", "starting_after": number})
            assert rest.text.split("\n\n") == events[number + 1 :]
        whole = (await other.client.get(url)).text
        assert data_of(events[-2]).startswith(f'{{"response":{whole},')
        assert '"metadata":{"a":"b"}' in whole
        assert '"encrypted_content":"' in whole


async def test_who_has_an_events_id_gets_the_same_bytes_from_there_at_any_gateway(store: Store) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = RICH
        events = (await gateway.client.post(PATH, json=STREAMED, headers=EVENTS)).text.split("\n\n")
        ids = [(number, event.partition("\nid: ")[2]) for number, event in enumerate(events) if "\nid: " in event]
        assert len(ids) == len(RICH) + 1
        for number, id_ in ids[:-1]:
            rest = await other.client.post(PATH, json=STREAMED, headers=EVENTS | {"last-event-id": id_})
            assert rest.text.split("\n\n") == events[number + 1 :]


async def test_a_response_that_was_stopped_has_all_that_its_stream_had(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [*RICH[:2], gate, RICH[-1]]
        async with gateway.client.stream("POST", PATH, json=body(stream=True)) as response:
            url = f"{PATH}/resp_{response.headers['x-answer-id']}"
            text = response.aiter_text()
            while "Let" not in await anext(text):
                pass
            stopped = (await gateway.client.post(f"{url}/cancel")).json()
            last = events_of("".join([part async for part in text]))[-1]
    assert [item["type"] for item in stopped["output"]] == ["reasoning", "message"]
    assert (last["type"], last["response"]) == ("response.incomplete", stopped)


async def test_a_response_shows_its_progress(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a", provider="p"), gate, Final("ab")]
        async with gateway.client.stream("POST", PATH, json=body(stream=True)) as response:
            url = f"{PATH}/resp_{response.headers['x-answer-id']}"
            reply = await gateway.client.get(url)
            assert (reply.json()["status"], reply.json()["output"], reply.headers["x-provider"]) == (
                "in_progress",
                [],
                "p",
            )
            stopped = (await gateway.client.post(f"{url}/cancel")).json()
            assert (stopped["status"], stopped["output"][0]["content"][0]["text"]) == ("cancelled", "a")
            last = events_of("".join([part async for part in response.aiter_text()]))[-1]
            assert (last["type"], last["response"]["status"]) == ("response.incomplete", "cancelled")


async def test_a_response_that_is_too_long_is_incomplete(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Final("ab", finish="length")]
    reply = await respond(gateway)
    assert (reply["status"], reply["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    events = events_of((await gateway.client.post(PATH, json=body(stream=True))).text)
    assert events[-1]["type"] == "response.incomplete"


async def test_a_failure_is_an_error_of_http_or_an_event(gateway: RunningGateway) -> None:
    failed = Failed("interrupted", "half")
    gateway.worker.scripts |= {"hi": [failed], "half": [Delta("half"), failed]}
    for stream in (False, True):
        response = await gateway.client.post(PATH, json=body(stream=stream))
        assert (response.status_code, response.json()["error"]["code"]) == (500, "interrupted")
    response = await gateway.client.post(PATH, json=body("half", stream=True))
    *others, last = events_of(response.text)
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert not {"error", "response.failed"} & {event["type"] for event in others}
    # SDKs raise at this one only, in any event.
    assert last["error"]["code"] == "interrupted"
    assert last["response"]["error"] == {
        "code": "invalid_prompt",
        "message": "The answer was interrupted.",
        "reason": "interrupted",
    }
    url = f"{PATH}/resp_{response.headers['x-answer-id']}"
    assert (await gateway.client.get(url)).json()["error"] == last["response"]["error"]
    again = await gateway.client.get(url, params={"stream": "true"})
    assert events_of(again.text) == [*others, last]


async def test_a_failure_is_an_event_for_who_has_had_the_beginning(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Failed("interrupted")]
    refused = await gateway.client.post(PATH, json=body(stream=True))
    assert refused.status_code == 500
    answer = refused.headers["x-answer-id"]
    headers = EVENTS | {"last-event-id": f"{answer}.0"}
    rest = await gateway.client.post(PATH, json=body(stream=True), headers=headers)
    *_, event, _ = (await gateway.client.get(f"{PATH}/resp_{answer}?stream=true", headers=EVENTS)).text.split("\n\n")
    assert (rest.status_code, rest.text) == (200, f"{event}\n\n")
    assert events_of(rest.text)[0]["type"] == "response.failed"


async def test_a_stream_that_its_gateway_cuts_says_so(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("a")]
        async with gateway.client.stream("POST", PATH, json=body(stream=True), headers=EVENTS) as response:
            text = response.aiter_text()
            stream = await anext(text)
            gateway.active_requests.abort()
            stream += "".join([part async for part in text])
    last = json.loads(data_of(stream.split("\n\n")[-2]))
    assert (last["type"], last["code"], last["error"]["code"]) == ("error", "gateway.draining", "gateway.draining")


async def test_any_response_is_continued_and_its_last_one_in_its_own_conversation(gateway: RunningGateway) -> None:
    first = await respond(gateway, instructions="only here")
    second = await respond(gateway, "two", previous_response_id=first["id"], instructions="be brief")
    assert second["previous_response_id"] == first["id"]
    await respond(gateway, "other", previous_response_id=first["id"])
    await respond(gateway, "three", previous_response_id=second["id"])
    tokens = [token for token, _ in gateway.worker.asked]
    assert tokens == [tokens[0], tokens[0], tokens[2], tokens[0]]
    assert [talk(work) for _, work in gateway.worker.asked] == [
        ["only here", "hi"],
        ["be brief", "hi", '你好,wor"ld', "two"],
        ["hi", '你好,wor"ld', "other"],
        ["hi", '你好,wor"ld', "two", '你好,wor"ld', "three"],
    ]


async def test_a_repeat_under_a_key_finds_its_answer_after_the_conversation_went_on(gateway: RunningGateway) -> None:
    first, key = await respond(gateway), {"Idempotency-Key": "0123456789abcdef"}
    follow = body("two", previous_response_id=first["id"])
    second = await gateway.client.post(PATH, json=follow, headers=key)
    await respond(gateway, "three", previous_response_id=second.json()["id"])
    assert (await gateway.client.post(PATH, json=follow, headers=key)).content == second.content
    assert len(gateway.worker.asked) == 3


async def test_a_response_that_is_not_stored_is_not_continued_by_its_id(gateway: RunningGateway) -> None:
    first = await respond(gateway, store=False)
    refused = await gateway.client.post(PATH, json=body("two", previous_response_id=first["id"]))
    assert refused.status_code == 400
    items = [{"role": "user", "content": "hi"}, first["output"][0], {"role": "user", "content": "two"}]
    await respond(gateway, items)
    assert len({token for token, _ in gateway.worker.asked}) == 1
    (_, work) = gateway.worker.asked[-1]
    assert isinstance(work, Chat)
    assert work.history == (HistoryMessage("user", "hi"), HistoryMessage("assistant", '你好,wor"ld'))


async def test_another_client_continues_nothing_of_ones_own(gateway: RunningGateway) -> None:
    first = await respond(gateway)
    stranger = {"authorization": "Bearer stranger"}
    refused = await gateway.client.post(PATH, json=body("on", previous_response_id=first["id"]), headers=stranger)
    assert refused.status_code == 400


async def test_a_response_that_was_fetched_after_a_cut_is_continued(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("ab")]
        async with gateway.client.stream("POST", PATH, json=body(stream=True)) as response:
            id_ = f"resp_{response.headers['x-answer-id']}"
        gate.set()
        rest = await gateway.client.get(f"{PATH}/{id_}", params={"stream": "true", "starting_after": 0})
        assert events_of(rest.text)[-1]["type"] == "response.completed"
    await respond(gateway, "on", previous_response_id=id_)
    assert len({token for token, _ in gateway.worker.asked}) == 1


async def test_a_named_conversation_comes_back_with_its_response(gateway: RunningGateway) -> None:
    body = await respond(gateway, conversation="a-name-of-16-chars")
    assert body["conversation"] == {"id": "a-name-of-16-chars"}
    await respond(gateway, "two", conversation={"id": "a-name-of-16-chars"})
    assert len({token for token, _ in gateway.worker.asked}) == 1


@pytest.mark.parametrize("id_", ["resp_nothing", f"resp_s0-{0:032x}", "x"])
async def test_a_response_that_there_is_not_is_not_found(gateway: RunningGateway, id_: str) -> None:
    for method, path in (("GET", f"{PATH}/{id_}"), ("POST", f"{PATH}/{id_}/cancel")):
        response = await gateway.client.request(method, path)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


async def test_a_failed_response_whose_events_are_gone_is_not_found(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("half"), Failed("interrupted", "half")]
    answer = (await gateway.client.post(PATH, json=body(stream=True))).headers["x-answer-id"]
    await forget_events(gateway.store, answer)
    assert (await gateway.client.get(f"{PATH}/resp_{answer}")).status_code == 404


async def test_a_place_that_can_not_be_one_is_refused(gateway: RunningGateway) -> None:
    body = await respond(gateway)
    params = {"stream": "true", "starting_after": "x"}
    response = await gateway.client.get(f"{PATH}/{body['id']}", params=params)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "starting_after")


async def test_head_and_options_ask_nothing(gateway: RunningGateway) -> None:
    assert (await gateway.client.head(PATH)).status_code == 200
    assert (await gateway.client.options(PATH)).headers["allow"] == "POST, HEAD, OPTIONS"
    assert (await gateway.client.options(f"{PATH}/x")).headers["allow"] == "GET, HEAD, DELETE, OPTIONS"
    assert (await gateway.client.options(f"{PATH}/x/input_items")).headers["allow"] == "GET, HEAD, OPTIONS"
    assert gateway.worker.asked == []


async def test_an_item_refers_to_the_message_of_an_earlier_response(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = WHOLE
    first = await respond(gateway)
    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    user = {"role": "user", "content": "hi"}
    await respond(gateway, [user, reference, {"role": "user", "content": "and then?"}])
    _, work = gateway.worker.asked[-1]
    assert isinstance(work, Chat)
    assert [(message.role, message.text) for message in work.history] == [("user", "hi"), ("assistant", "abc")]
    refused = await gateway.client.post(PATH, json=body([user, {"type": "item_reference", "id": "msg_s0-0"}]))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input[1].id")


async def test_a_response_outlives_its_events(store: Store) -> None:
    async with running(store) as gateway, running(store, worker=False) as other:
        gateway.worker.scripts["hi"] = WHOLE
        streamed = await gateway.client.post(PATH, json=body(stream=True))
        answer = streamed.headers["x-answer-id"]
        url = f"{PATH}/resp_{answer}"
        before = (await other.client.get(url)).content
        await forget_events(store, answer)
        assert (await other.client.get(url, params={"include[]": "reasoning.encrypted_content"})).content == before
        assert (await other.client.post(f"{url}/cancel")).content == before
        replayed = events_of((await other.client.get(url, params={"stream": "true"})).text)
        assert [event["sequence_number"] for event in replayed] == list(range(len(replayed)))
        assert replayed[-1]["response"] == events_of(streamed.text)[-1]["response"]
        refused = await other.client.get(url, params={"stream": "true", "starting_after": 0})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "starting_after")
        await respond(other, "on", previous_response_id=f"resp_{answer}")
        assert talk(gateway.worker.asked[-1][1]) == ["hi", "abc", "on"]


async def test_a_deleted_response_is_gone_at_once_and_for_all(gateway: RunningGateway) -> None:
    first = await respond(gateway)
    second = await respond(gateway, "two", previous_response_id=first["id"])
    url = f"{PATH}/{first['id']}"
    deleted = await gateway.client.delete(url)
    assert deleted.json() == {"id": first["id"], "object": "response", "deleted": True}
    for method, path in (("GET", url), ("DELETE", url), ("GET", f"{url}/input_items"), ("POST", f"{url}/cancel")):
        assert (await gateway.client.request(method, path)).status_code == 404
    for previous in (first["id"], second["id"]):
        refused = await gateway.client.post(PATH, json=body("on", previous_response_id=previous))
        assert refused.json()["error"]["code"] == "previous_response_not_found"
    assert (await gateway.client.get(f"{PATH}/{second['id']}")).status_code == 200


async def test_deleting_a_response_that_runs_stops_it(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("ab")]
        async with gateway.client.stream("POST", PATH, json=body(stream=True)) as response:
            deleted = await gateway.client.delete(f"{PATH}/resp_{response.headers['x-answer-id']}")
            assert deleted.status_code == 200
            last = events_of("".join([part async for part in response.aiter_text()]))[-1]
            assert last["response"]["status"] == "cancelled"


async def test_a_response_that_is_not_stored_is_not_read_but_its_own_request_resumes(gateway: RunningGateway) -> None:
    asked = body(stream=True, store=False)
    streamed = await gateway.client.post(PATH, json=asked, headers=EVENTS)
    answer = streamed.headers["x-answer-id"]
    url = f"{PATH}/resp_{answer}"
    for method, path in (("GET", url), ("DELETE", url), ("GET", f"{url}/input_items"), ("POST", f"{url}/cancel")):
        assert (await gateway.client.request(method, path)).status_code == 404
    resumed = await gateway.client.post(PATH, json=asked, headers={**EVENTS, "Last-Event-ID": f"{answer}.2"})
    assert resumed.status_code == 200
    assert "response.completed" in resumed.text
    assert len(gateway.worker.asked) == 1


async def test_a_background_response_is_there_at_once_and_needs_no_reader(store: Store) -> None:
    async with running(store, settings(follow_grace=0.001)) as gateway, running(store, worker=False) as other:
        with closing_gate() as gate:
            gateway.worker.scripts["hi"] = [gate, Final("ab")]
            begun = await respond(gateway, background=True, store=True)
            assert (begun["status"], begun["output"]) in (("queued", []), ("in_progress", []))
            url = f"{PATH}/{begun['id']}"
            refused = await other.client.post(PATH, json=body("on", previous_response_id=begun["id"]))
            assert refused.json()["error"]["code"] == "previous_response_in_progress"
            gate.set()
            rest = await other.client.get(url, params={"stream": "true", "starting_after": 1})
            assert events_of(rest.text)[-1]["type"] == "response.completed"
            assert (await other.client.get(url)).json()["status"] == "completed"


async def test_a_background_response_that_no_worker_takes_ends_when_it_is_read(store: Store) -> None:
    soon = replace(TIMINGS, answer_margin=0.0)
    async with running(store, settings(queue_timeout=1.0), worker=False, timings=soon) as gateway:
        begun = await respond(gateway, background=True)

        async def has_failed() -> bool:
            read = (await gateway.client.get(f"{PATH}/{begun['id']}")).json()
            assert read["status"] in ("queued", "failed")
            return bool(read["status"] == "failed" and read["error"]["reason"] == "queue.timeout")

        await until(has_failed, "it has waited too long")


async def test_a_background_stream_may_be_left_and_resumed(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("a"), gate, Final("ab")]
        async with gateway.client.stream("POST", PATH, json=body(stream=True, background=True)) as response:
            url = f"{PATH}/resp_{response.headers['x-answer-id']}"
        gate.set()
        rest = await gateway.client.get(url, params={"stream": "true", "starting_after": 1})
        assert events_of(rest.text)[-1]["response"]["status"] == "completed"


async def test_a_cancelled_response_outlives_its_events_and_is_continued(gateway: RunningGateway) -> None:
    with closing_gate() as gate:
        gateway.worker.scripts["hi"] = [Delta("half"), gate, Final("ab")]
        begun = await respond(gateway, background=True)
        url = f"{PATH}/{begun['id']}"
        async with gateway.client.stream("GET", url, params={"stream": "true"}) as stream:
            async for line in stream.aiter_lines():
                if "half" in line:
                    break
        cancelled = await gateway.client.post(f"{url}/cancel")
        assert cancelled.json()["status"] == "cancelled"
    await forget_events(gateway.store, begun["id"].removeprefix("resp_"))
    assert (await gateway.client.get(url)).json()["status"] == "cancelled"
    await respond(gateway, "on", previous_response_id=begun["id"])
    assert talk(gateway.worker.asked[-1][1]) == ["hi", "half", "on"]


async def test_a_failed_response_is_not_continued(gateway: RunningGateway) -> None:
    gateway.worker.scripts["hi"] = [Delta("half"), Failed("interrupted", "half")]
    answer = (await gateway.client.post(PATH, json=body(stream=True))).headers["x-answer-id"]
    refused = await gateway.client.post(PATH, json=body("on", previous_response_id=f"resp_{answer}"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "previous_response_not_found")


async def test_only_a_conversation_with_a_name_knows_what_came_before_it(gateway: RunningGateway) -> None:
    named = {"conversation": "a-name-of-16-chars"}
    await respond(gateway, **named)
    second = await respond(gateway, "two", **named)
    third = await respond(gateway, "three", previous_response_id=second["id"])
    assert talk(gateway.worker.asked[-1][1]) == ["three"]
    assert len({token for token, _ in gateway.worker.asked}) == 1
    refused = await gateway.client.post(PATH, json=body("other", previous_response_id=second["id"]))
    assert refused.json()["error"]["code"] == "previous_response_not_found"
    await respond(gateway, "four", previous_response_id=third["id"])
    assert len({token for token, _ in gateway.worker.asked}) == 1


async def test_the_input_of_a_response_is_listed_a_page_at_a_time(gateway: RunningGateway) -> None:
    first = await respond(gateway, [{"role": "user", "content": text} for text in ("a", "b", "c")])
    second = await respond(gateway, "d", previous_response_id=first["id"])
    listed = (await gateway.client.get(f"{PATH}/{second['id']}/input_items")).json()
    assert [item["content"][0]["text"] for item in listed["data"]] == ["d"]
    url = f"{PATH}/{first['id']}/input_items"
    page = (await gateway.client.get(url, params={"limit": 2, "order": "asc"})).json()
    assert ([item["content"][0]["text"] for item in page["data"]], page["has_more"]) == (["a", "b"], True)
    rest = (await gateway.client.get(url, params={"order": "asc", "after": page["last_id"]})).json()
    assert ([item["content"][0]["text"] for item in rest["data"]], rest["has_more"]) == (["c"], False)
    refused = await gateway.client.get(url, params={"limit": 0})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "limit")


async def test_an_answer_goes_out_though_it_can_not_be_stored(gateway: RunningGateway) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreUnavailableError("OOM")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wire.response_memory.write_string", full)
        first = await respond(gateway)
    assert (await gateway.client.get(f"{PATH}/{first['id']}")).json() == first
    refused = await gateway.client.post(PATH, json=body("on", previous_response_id=first["id"]))
    assert refused.json()["error"]["code"] == "previous_response_not_found"
