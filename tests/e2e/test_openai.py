"""/v1 through real processes, in both shapes: what the upstream was asked, and in which conversation."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.processes import Deployment, wait_until

pytestmark = pytest.mark.usefixtures("well")

PATH = "/v1/chat/completions"


def unique(text: str) -> str:
    """A question that no other test asks."""
    return f"{text} {uuid.uuid4().hex[:8]}"


def body(*texts: str, **rest: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
    return {"model": "bing-balanced", "messages": messages, **rest}


def post(deployed: Deployment, gateway: int, sent: dict[str, Any], path: str = PATH, **headers: str) -> httpx.Response:
    url = deployed.gateways[gateway % len(deployed.gateways)] + path
    return httpx.post(url, json=sent, headers=headers, timeout=30, trust_env=False)


def answered(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def streamed(response: httpx.Response) -> str:
    *events, done, _ = response.text.split("\n\n")
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)


def conversations(deployed: Deployment, *questions: str) -> list[str]:
    """The upstream conversation of each question, which was asked once and as it is."""
    turns_of = [deployed.turns(question) for question in questions]
    assert [[turn["question"] for turn in turns] for turns in turns_of] == [[question] for question in questions]
    return [turn["conversation"] for turns in turns_of for turn in turns]


def test_three_turns_at_any_gateway_are_one_conversation(deployed: Deployment) -> None:
    """Each turn sends only what is new upstream."""
    one, two, three = (unique(text) for text in ("hello", "and then", "at last"))
    first = answered(post(deployed, 0, body(one)))
    second = streamed(post(deployed, 1, body(one, first, two, stream=True)))
    answered(post(deployed, 2, body(one, first, two, second, three)))
    assert len(set(conversations(deployed, one, two, three))) == 1
    assert [deployed.turns(question)[0]["context"] for question in (one, two, three)] == [""] * 3


def test_a_changed_history_is_sent_to_a_fresh_conversation(deployed: Deployment) -> None:
    one, two = unique("hello"), unique("and then")
    first = answered(post(deployed, 0, body(one)))
    answered(post(deployed, 1, body(f"{one}, edited", first, two)))
    assert len(set(conversations(deployed, one, two))) == 2
    context = deployed.turns(two)[0]["context"]
    assert f"{one}, edited" in context
    assert first in context


def test_two_users_with_the_same_first_messages_have_two_conversations(deployed: Deployment) -> None:
    one, two, other = unique("hello"), unique("and then"), unique("or else")
    users = [{"authorization": f"Bearer {name}"} for name in ("one", "other")]
    firsts = [answered(post(deployed, number, body(one), **user)) for number, user in enumerate(users)]
    for question, first, user in zip((two, other), firsts, users, strict=True):
        answered(post(deployed, 0, body(one, first, question), **user))
    begun = [turn["conversation"] for turn in deployed.turns(one)]
    assert len(set(begun)) == 2
    assert conversations(deployed, two, other) == begun


def test_parallel_repeats_under_a_key_are_one_turn(deployed: Deployment) -> None:
    one, two, key = unique("hello"), unique("!rate=200 and then"), uuid.uuid4().hex
    sent = body(one, answered(post(deployed, 0, body(one))), two)
    headers = {"idempotency-key": key}
    with ThreadPoolExecutor(12) as threads:
        results = list(threads.map(lambda number: post(deployed, number, sent, **headers).content, range(12)))
    assert len(set(results)) == 1
    assert len(set(conversations(deployed, one, two))) == 1


def test_parallel_forks_of_one_answer_never_share_a_conversation(deployed: Deployment) -> None:
    one = unique("hello")
    first = answered(post(deployed, 0, body(one)))
    forks = [unique(f"fork {number}") for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda pair: answered(post(deployed, pair[0], body(one, first, pair[1]))), enumerate(forks)))
    continued = conversations(deployed, *forks)
    assert len(set(continued)) == 6
    assert sum(conversation in conversations(deployed, one) for conversation in continued) == 1


def test_a_stop_sequence_hangs_up_upstream(deployed: Deployment) -> None:
    question = unique("!deltas=200 !rate=20 hello")
    began = answered(post(deployed, 0, body(question, stop=[" "], stream=False)))
    assert " " not in began
    wait_until(lambda: deployed.turns(question)[0]["outcome"] == "client gone", "the hang-up upstream", 3)


def test_a_cut_stream_continues_at_another_gateway_without_another_turn(deployed: Deployment) -> None:
    question = unique("!deltas=20 !rate=40 hello")
    sent, events = body(question, stream=True), {"accept": "text/event-stream"}
    begun = ""
    with httpx.stream("POST", deployed.url + PATH, json=sent, headers=events, timeout=30, trust_env=False) as response:
        for text in response.iter_text():
            begun += text
            if begun.count("id: ") >= 4:
                break
    begun = begun[: begun.rindex("\n\n") + 2]
    last = begun.rpartition("id: ")[2].partition("\n")[0]
    rest = post(deployed, 1, sent, **events, **{"last-event-id": last}).text
    opening, _, behind = begun.partition("\n\n")
    whole = post(deployed, 2, sent, **events, **{"last-event-id": last.partition(".")[0] + ".0"}).text
    assert opening.endswith(".0")
    assert behind + rest == whole
    assert "data: [DONE]\nid: " in whole
    assert len(deployed.turns(question)) == 1


def test_responses_go_on_from_one_another(deployed: Deployment) -> None:
    one, two = unique("hello"), unique("and then")
    sent = {"model": "bing-precise", "input": one}
    first = post(deployed, 0, sent, "/v1/responses").json()
    second = post(deployed, 1, sent | {"input": two, "previous_response_id": first["id"]}, "/v1/responses").json()
    assert (first["status"], second["status"]) == ("completed", "completed")
    assert len(set(conversations(deployed, one, two))) == 1
    other = unique("or else")
    branch = post(deployed, 2, sent | {"input": other, "previous_response_id": first["id"]}, "/v1/responses")
    assert branch.json()["status"] == "completed"
    assert len(set(conversations(deployed, one, two, other))) == 2


def test_pictures_have_addresses_that_work(deployed: Deployment) -> None:
    response = post(deployed, 0, {"prompt": unique("a red circle"), "n": 2}, "/v1/images/generations")
    addresses = [picture["url"] for picture in response.json()["data"]]
    assert 1 <= len(addresses) <= 2
    assert all(httpx.get(address, trust_env=False).status_code == 200 for address in addresses)
