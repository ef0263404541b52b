"""The openai packages for Python and Node at /v1/responses, and the AI SDK with both APIs of OpenAI."""

from typing import Any

import pytest

from tests.external.test_clients import KEY, ask, deployed, ended, over_api, unique
from tests.support.external.client import Client
from tests.support.processes import Deployment

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
def test_the_next_response_goes_on_with_the_conversation(client: Client, deployed: Deployment, stream: bool) -> None:
    one, two = unique("one"), unique("two")
    first = respond(client, deployed, one, stream=stream)
    assert one in respond(client, deployed, two, stream=stream, previous=first["id"])["text"], "the stand-in remembers"
    (before,), (after,) = deployed.turns(one), deployed.turns(two)
    assert (after["question"], after["context"], after["start_of_session"]) == (two, "", False)
    assert after["conversation"] == before["conversation"]


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


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_the_ai_sdk_does_not_repeat_a_stream_that_fails_before_its_text(
    ai_sdk: Client, deployed: Deployment, dialect: str
) -> None:
    """The stream begins without its first event after 5 s, and then it can't be an error of HTTP."""
    question = unique("!internal !first=6 hello")
    reply = ask(ai_sdk, deployed, question, stream=True, dialect=dialect)
    assert (reply["error"], reply["status"], reply["deltas"]) == ("APICallError", 400, [])
    assert reply["message"] == "The upstream failed."
    assert len(deployed.turns(question)) == 1


@pytest.mark.parametrize("dialect", ["responses", "chat"])
def test_the_ai_sdk_reports_a_stream_that_breaks_off(ai_sdk: Client, deployed: Deployment, dialect: str) -> None:
    question = unique("!close-mid hello")
    reply = ask(ai_sdk, deployed, question, stream=True, dialect=dialect)
    assert reply["error"] == ai_sdk.errors.broken_off
    assert "".join(reply["deltas"]), "it had begun"
    assert len(deployed.turns(question)) == 1
