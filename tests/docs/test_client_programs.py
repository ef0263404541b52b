"""The guide to client programs names the versions that tests install."""

import json
import re
from pathlib import Path

import pytest

from tests.support.external.catalogue import PROGRAMS, Program, read_results
from tools.client_programs import insert, render

ROOT = Path(__file__).parents[2]
EXTERNAL = ROOT / "tests" / "external"
PAGE = (ROOT / "docs" / "guides" / "client-programs.md").read_text(encoding="utf-8")


def pinned(part: str, package: str) -> str:
    """The version of a Python package in a list of tests/external."""
    (version,) = re.findall(
        rf"^{package}(?:\[\w+\])?==(.+)$", (EXTERNAL / "requirements" / f"{part}.in").read_text(), re.MULTILINE
    )
    return str(version)


def npm(package: str) -> str:
    """The version of a package of npm."""
    return str(json.loads((EXTERNAL / "package.json").read_text())["dependencies"][package])


def test_the_table_of_programs_at_work_is_what_was_recorded() -> None:
    assert insert(PAGE, render()) == PAGE, "make reference"


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda program: program.name)
def test_results_are_those_of_the_installed_version(program: Program) -> None:
    assert read_results(program.name).get("version", program.version) == program.version, "make external-all"


@pytest.mark.parametrize(
    ("program", "version"),
    [
        ("openai for Python", pinned("openai", "openai")),
        ("openai for Node", npm("openai")),
        ("AI SDK", npm("ai")),
        ("LangChain", pinned("langchain", "langchain-openai")),
        ("LiteLLM", pinned("litellm", "litellm")),
        ("llm, the command", pinned("llm", "llm")),
        ("openai-agents", pinned("openai", "openai-agents")),
        ("`eventsource`", npm("eventsource")),
        ("`@microsoft/fetch-event-source`", npm("@microsoft/fetch-event-source")),
        ("`undici`", npm("undici")),
        ("`httpx-sse`", pinned("sse", "httpx-sse")),
        ("`aiohttp-sse-client2`", pinned("sse", "aiohttp-sse-client2")),
    ],
)
def test_a_programs_version_is_the_tested_one(program: str, version: str) -> None:
    assert re.search(rf"^\| \[?{re.escape(program)}[^|]*\| {re.escape(version)} \|", PAGE, re.MULTILINE)
