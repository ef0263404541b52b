"""Other people's clients of the OpenAI API, unmodified: one scenario for all; the upstream's ledger is the truth."""

import hashlib
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.external.client import SCRIPTS, STYLE, Client, messages_of
from tests.support.external.foreign_server import PATIENCE
from tests.support.processes import Deployment, deployment, wait_until

pytestmark = pytest.mark.external

KEY = "a-key-of-ours"
# Enough that none is asked too often, with all that fails.
ACCOUNTS = [f"account{number}" for number in range(20)]
# Those that make pictures, and list models.
MORE = ("openai", "openai-node", "litellm")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Ours before the stand-in for Bing; a key is needed."""
    folder = tmp_path_factory.mktemp("clients")
    keys = folder / "keys"
    keys.write_text(f"tester {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    with deployment(folder, None, accounts=ACCOUNTS, settings={**PATIENCE, "API_KEYS_FILE": str(keys)}) as running:
        yield running


@pytest.fixture(scope="module")
def throttled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The same without keys, and with no account that may still be asked today."""
    with deployment(tmp_path_factory.mktemp("throttled"), None) as running:
        running.script(account="*", chat={"outcome": "throttled", "times": None})
        fields = partial(httpx.get, f"{running.url}/api", params={"style": STYLE, "question": "hello"}, timeout=20)
        wait_until(lambda: fields().json()["code"] == 120, "no account is left")
        yield running


@pytest.fixture(params=SCRIPTS, scope="module")
def client(request: pytest.FixtureRequest) -> Client:
    running: Client = request.getfixturevalue("clients")(request.param)
    return running


def unique(text: str) -> str:
    return f"{text} {uuid.uuid4().hex[:8]}"


def ask(client: Client, deployed: Deployment, *texts: str, **more: Any) -> dict[str, Any]:
    return client.do("ask", deployed.url, messages=messages_of(*texts), **{"key": KEY, **more})


def over_api(deployed: Deployment, question: str) -> str:
    """The answer to a question at the old endpoint; the stand-in always says the same."""
    fields = {"style": STYLE, "question": question}
    reply = httpx.get(f"{deployed.url}/api", params=fields, headers={"X-API-Key": KEY}, timeout=20)
    text: str = reply.json()["data"]["answer"]
    return text


def ended(deployed: Deployment, question: str) -> dict[str, Any]:
    """The only turn of a question, once it has ended."""

    def last() -> Any:
        (turn,) = deployed.turns(question)
        return turn if turn["ended"] else None

    turn: dict[str, Any] = wait_until(last, "the turn has ended")
    return turn


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_chat(client: Client, deployed: Deployment, stream: bool) -> None:
    question = unique("!deltas=40 !rate=100 hello") if stream else unique("hello")
    reply = ask(client, deployed, question, stream=stream)
    assert len(deployed.turns(question)) == 1
    assert reply["text"] == over_api(deployed, question)
    assert reply.get("finish", "stop") == "stop"
    assert len(reply["usage"]) == 2
    assert min(reply["usage"]) > 0
    if stream:
        assert len(reply["deltas"]) > 5, "it was a stream"


def test_the_next_turn_continues_the_conversation(client: Client, deployed: Deployment) -> None:
    one, two = unique("one"), unique("two")
    first = ask(client, deployed, one)["text"]
    assert one in ask(client, deployed, one, first, two, stream=True)["text"], "the stand-in remembers"
    (before,), (after,) = deployed.turns(one), deployed.turns(two)
    assert (after["question"], after["context"], after["start_of_session"]) == (two, "", False)
    assert after["conversation"] == before["conversation"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_stop_sequence_ends_the_answer_and_hangs_up(client: Client, deployed: Deployment, stream: bool) -> None:
    question = unique("!deltas=2000 !rate=50 count")
    reply = ask(client, deployed, question, stream=stream, stop=["000010"])
    assert reply["text"].rstrip().endswith("000009 delta")
    assert reply.get("finish", "stop") == "stop"
    turn = ended(deployed, question)
    assert (turn["outcome"], turn["deltas"] < 500) == ("client gone", True)


def test_a_client_that_hangs_up_does_not_ask_again(client: Client, deployed: Deployment) -> None:
    question = unique("!deltas=80 !rate=40 long")
    assert ask(client, deployed, question, stream=True, leave=3)["left"]
    # Whoever leaves may come back for the answer, so it is written to its end.
    assert ended(deployed, question)["outcome"] == "Success"


def test_an_unknown_model_is_an_error(client: Client, deployed: Deployment) -> None:
    question = unique("hello")
    reply = ask(client, deployed, question, model="no-such-model")
    assert reply["error"] == client.errors.unknown_model
    assert "The model 'no-such-model' does not exist" in reply["message"]
    assert not deployed.turns(question)


def test_a_wrong_key_is_an_error(client: Client, deployed: Deployment) -> None:
    question = unique("hello")
    reply = ask(client, deployed, question, key="wrong")
    assert reply["error"] == client.errors.wrong_key
    assert "Incorrect or missing API key." in reply["message"]
    assert not deployed.turns(question)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_that_fails_is_an_error_and_not_asked_again(
    client: Client, deployed: Deployment, stream: bool
) -> None:
    question = unique("!internal hello")
    reply = ask(client, deployed, question, stream=stream, once=unique("once"))
    assert (reply["error"], reply["deltas"]) == (client.errors.failed, [])
    assert "The upstream failed." in reply["message"]
    assert len(deployed.turns(question)) == 1


@pytest.mark.parametrize("how", ["close-mid", "internal-after-text"])
def test_an_answer_that_breaks_off_is_an_error_and_never_a_short_answer(
    client: Client, deployed: Deployment, how: str
) -> None:
    question = unique(f"!{how} hello")
    reply = ask(client, deployed, question, stream=True, once=unique("once"))
    assert reply["error"] == client.errors.broken_off
    assert "".join(reply["deltas"]), "it had begun"
    assert len(deployed.turns(question)) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_pool_out_of_quota_is_an_error_and_asks_nobody(client: Client, throttled: Deployment, stream: bool) -> None:
    question = unique("hello")
    reply = ask(client, throttled, question, stream=stream)
    assert (reply["error"], reply["deltas"]) == (client.errors.throttled, [])
    assert "All accounts are out of quota." in reply["message"]
    assert not throttled.turns(question)


@pytest.mark.parametrize("client", MORE, indirect=True, scope="module")
def test_pictures_are_made(client: Client, deployed: Deployment) -> None:
    prompt = unique("a cat")
    urls = client.do("image", deployed.url, key=KEY, prompt=prompt)["urls"]
    assert len(urls) == 4
    assert httpx.get(urls[0]).headers["content-type"].startswith("image/")
    ledger = httpx.get(f"{deployed.emulator}/_ledger").json()["images"]
    assert [entry["prompt"] for entry in ledger if entry["prompt"] == prompt] == [prompt]


@pytest.mark.parametrize("client", ["ai-sdk"], indirect=True, scope="module")
def test_pictures_that_are_addresses_elsewhere_are_not_given_as_data(client: Client, deployed: Deployment) -> None:
    reply = client.do("image", deployed.url, key=KEY, prompt=unique("a cat"))
    assert reply["error"] == "APICallError"
    assert reply["message"].startswith("'response_format' can't be 'b64_json'")


@pytest.mark.parametrize("client", MORE, indirect=True, scope="module")
def test_models_are_listed(client: Client, deployed: Deployment) -> None:
    reply = client.do("models", deployed.url, key=KEY)
    assert sorted(reply["models"]) == ["bing-balanced", "bing-creative", "bing-precise"]
    assert reply.get("one", "bing-balanced") == "bing-balanced"
