"""The openai packages for Python and Node at /v1/responses, and the AI SDK with both APIs of OpenAI."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.external.test_clients import ACCOUNTS, KEY, ask, deployed, ended, over_api, unique
from tests.support.external.client import Client
from tests.support.processes import Deployment, deployment

__all__ = ["deployed"]
pytestmark = pytest.mark.external


@pytest.fixture(params=["openai", "openai-node"], scope="module")
def client(request: pytest.FixtureRequest) -> Client:
    running: Client = request.getfixturevalue("clients")(request.param)
    return running


@pytest.fixture(scope="module")
def ai_sdk(request: pytest.FixtureRequest) -> Client:
    running: Client = request.getfixturevalue("clients")("ai-sdk")
    return running


def respond(client: Client, deployed: Deployment, question: str, **more: Any) -> dict[str, Any]:
    return client.do("respond", deployed.url, key=KEY, question=question, **more)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_response(client: Client, deployed: Deployment, stream: bool) -> None:
    question = unique("!deltas=40 !rate=100 hello")
    reply = respond(client, deployed, question, stream=stream)
    assert len(deployed.turns(question)) == 1
    assert (reply["status"], reply["text"]) == ("completed", over_api(deployed, question))
    if stream:
        assert "".join(reply["deltas"]) == reply["text"]
        assert len(reply["deltas"]) > 5, "it was a stream"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_next_response_continues_the_conversation(client: Client, deployed: Deployment, stream: bool) -> None:
    one, two = unique("one"), unique("two")
    first = respond(client, deployed, one, stream=stream)
    assert one in respond(client, deployed, two, stream=stream, previous=first["id"])["text"], "the stand-in remembers"
    (before,), (after,) = deployed.turns(one), deployed.turns(two)
    assert (after["question"], after["context"], after["start_of_session"]) == (two, "", False)
    assert after["conversation"] == before["conversation"]


def test_items_that_refer_to_an_answer_continue_its_conversation(client: Client, deployed: Deployment) -> None:
    one, two = unique("one"), unique("two")
    reference = {"type": "item_reference", "id": respond(client, deployed, one)["item"]}
    items = [{"role": "user", "content": one}, reference, {"role": "user", "content": two}]
    assert respond(client, deployed, two, items=items)["status"] == "completed"
    (before,), (after,) = deployed.turns(one), deployed.turns(two)
    assert (after["question"], after["conversation"]) == (two, before["conversation"])


def test_a_reference_to_an_item_of_somebody_else_is_an_error(client: Client, deployed: Deployment) -> None:
    question = unique("hello")
    items = [{"type": "item_reference", "id": "msg_elsewhere"}, {"role": "user", "content": question}]
    reply = respond(client, deployed, question, items=items)
    assert reply["error"] == "BadRequestError"
    assert "Item with id 'msg_elsewhere' not found" in reply["message"]
    assert not deployed.turns(question)


def test_going_on_from_an_unknown_response_is_an_error(client: Client, deployed: Deployment) -> None:
    question = unique("hello")
    reply = respond(client, deployed, question, previous="resp_unknown")
    assert reply["error"] == "BadRequestError"
    assert not deployed.turns(question)


def test_a_response_that_fails_is_an_error_and_not_asked_again(client: Client, deployed: Deployment) -> None:
    question = unique("!internal hello")
    assert respond(client, deployed, question)["error"] == client.errors.failed
    assert len(deployed.turns(question)) == 1


@pytest.mark.parametrize("events", [False, True], ids=["collected", "events"])
def test_a_response_that_breaks_off_is_an_error(client: Client, deployed: Deployment, events: bool) -> None:
    question = unique("!close-mid hello")
    reply = respond(client, deployed, question, stream=True, events=events)
    assert "".join(reply["deltas"]), "it had begun"
    assert reply["error"] == client.errors.broken_off
    assert ended(deployed, question)["outcome"] == "closed"


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_the_ai_sdk_reads_a_stream_of_openai(ai_sdk: Client, deployed: Deployment, dialect: str) -> None:
    question = unique("!deltas=40 !rate=100 hello")
    reply = ask(ai_sdk, deployed, question, stream=True, dialect=dialect)
    assert reply["text"] == over_api(deployed, question)
    assert len(reply["deltas"]) > 5, "it was a stream"


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Ours, whose limit of silence ends after a stream has begun without its first event, which takes 5 s."""
    settings = {"FIRST_TEXT_TIMEOUT": "7", "IDLE_TIMEOUT": "30"}
    with deployment(tmp_path_factory.mktemp("brief"), None, accounts=ACCOUNTS, settings=settings) as running:
        yield running


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_the_ai_sdk_does_not_repeat_a_stream_that_fails_before_its_text(
    ai_sdk: Client, brief: Deployment, dialect: str
) -> None:
    question = unique("!silence hello")
    reply = ask(ai_sdk, brief, question, stream=True, dialect=dialect)
    assert (reply["error"], reply["status"], reply["deltas"]) == ("APICallError", 400, [])
    assert reply["message"] == "The upstream took too long."
    assert len(brief.turns(question)) == 1


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_the_ai_sdk_reports_a_stream_that_breaks_off(ai_sdk: Client, deployed: Deployment, dialect: str) -> None:
    question = unique("!close-mid hello")
    reply = ask(ai_sdk, deployed, question, stream=True, dialect=dialect)
    assert reply["error"] == ai_sdk.errors.broken_off
    assert "".join(reply["deltas"]), "it had begun"
    assert len(deployed.turns(question)) == 1


@pytest.mark.parametrize(("dialect", "stream"), [("responses", False), ("responses", True), ("chat", False)])
def test_the_ai_sdk_asks_three_times_after_an_error_of_http(
    ai_sdk: Client, deployed: Deployment, dialect: str, stream: bool
) -> None:
    """README says so; with an Idempotency-Key that is one question (test_clients)."""
    question = unique("!internal hello")
    reply = ask(ai_sdk, deployed, question, stream=stream, dialect=dialect)
    assert (reply["error"], reply["status"]) == ("RetryError", 500)
    assert len(deployed.turns(question)) == 3
