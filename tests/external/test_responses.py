"""The openai packages for Python and Node at /v1/responses."""

from typing import Any

import pytest

from tests.external.test_clients import KEY, deployed, ended, over_api, unique
from tests.support.external.client import Client
from tests.support.processes import Deployment

__all__ = ["deployed"]
pytestmark = pytest.mark.external


@pytest.fixture(params=["openai", "openai-node"], scope="module")
def client(request: pytest.FixtureRequest) -> Client:
    running: Client = request.getfixturevalue("clients")(request.param)
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


def test_going_on_from_an_unknown_response_is_an_error(client: Client, deployed: Deployment) -> None:
    question = unique("hello")
    reply = respond(client, deployed, question, previous="resp_unknown")
    assert reply["error"] == "BadRequestError"
    assert not deployed.turns(question)


def test_a_response_that_fails_is_an_error_and_not_asked_again(client: Client, deployed: Deployment) -> None:
    question = unique("!internal hello")
    assert respond(client, deployed, question)["error"] == client.errors.failed
    assert len(deployed.turns(question)) == 1


def test_a_response_that_breaks_off_is_an_error(client: Client, deployed: Deployment) -> None:
    question = unique("!close-mid hello")
    reply = respond(client, deployed, question, stream=True)
    assert "".join(reply["deltas"]), "it had begun"
    assert reply["error"] == client.errors.broken_off
    assert ended(deployed, question)["outcome"] == "closed"
