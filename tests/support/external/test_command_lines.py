"""Each agent of the command line is set up for the server that it is to ask, and for no other."""

from pathlib import Path

import pytest

from tests.support.external.catalogue import PROGRAMS
from tests.support.external.command_lines import RUNS, Workplace
from tests.support.processes import ROOT


def test_each_command_of_the_catalogue_can_be_run() -> None:
    assert set(RUNS) == {program.name for program in PROGRAMS.values() if program.family == "command"}


@pytest.mark.parametrize("name", RUNS)
def test_a_command_is_given_address_key_model_and_prompt(name: str, tmp_path: Path) -> None:
    place = Workplace(tmp_path, tmp_path, "http://127.0.0.1:1/v1", "some-key", "some-model")
    run = RUNS[name](place, "some words")
    settings = " ".join([*run.arguments, *run.environment.values(), *run.files.values()])
    assert all(given in settings for given in (place.url.removesuffix("/v1"), place.key, place.model))
    assert "some words" in [*run.arguments, run.stdin]


def test_the_guide_has_the_configuration_that_codex_is_tested_with(tmp_path: Path) -> None:
    place = Workplace(tmp_path, tmp_path, "http://127.0.0.1:5000/v1", "none", "qwen3")
    (configuration,) = RUNS["codex"](place, "hi").files.values()
    assert configuration.strip() in (ROOT / "docs/guides/agents.md").read_text()
