"""The catalogue of client programs fits what is installed, and a run's results are kept by program."""

import json
from pathlib import Path

import pytest

from tests.support.external.catalogue import (
    EXTERNAL,
    PROGRAMS,
    STEPS,
    Program,
    Record,
    Step,
    behind_servers,
    programs_with,
    read_results,
)

TRIED = [program for program in PROGRAMS.values() if not program.not_tried]


@pytest.mark.parametrize("program", TRIED, ids=lambda program: program.name)
def test_a_program_has_a_version_and_its_script(program: Program) -> None:
    assert program.version
    file = program.started if program.started.endswith(".mjs") else f"clients/{program.started}.py"
    assert not program.script or (EXTERNAL / file).exists()


@pytest.mark.parametrize("program", TRIED, ids=lambda program: program.name)
def test_what_a_program_does_is_known(program: Program) -> None:
    assert set(program.jobs) <= set(STEPS)
    jobs = {job for step in STEPS for job in program.jobs_of(step)}
    assert set(program.missing) <= jobs | set(STEPS)
    assert set(program.openai_only) <= jobs


@pytest.mark.parametrize("core", [True, False])
def test_setup_installs_the_core_always_and_the_rest_by_a_variable(core: bool) -> None:
    always, _, rest = (EXTERNAL / "setup.sh").read_text().partition("names=(")[2].partition("ALL_PROGRAMS")
    cores = {program.environment.removeprefix("npm/") for program in TRIED if program.core}
    environments = cores if core else {program.environment.removeprefix("npm/") for program in TRIED} - cores
    assert environments - {"llm"} <= set((always if core else rest).replace("(", " ").replace(")", " ").split())


def test_a_step_is_partly_there_when_one_of_its_tests_fails(tmp_path: Path) -> None:
    record = Record()
    steps: list[tuple[Step, bool]] = [
        ("chat", True),
        ("chat", True),
        ("tools", True),
        ("tools", False),
        ("schema", False),
    ]
    for step, passed in steps:
        record.add("openai", step, passed)
    record.write(tmp_path)
    version = PROGRAMS["openai"].version
    recorded = {"version": version, "chat": "yes", "tools": "partly", "schema": "no"}
    assert read_results("openai", tmp_path) == recorded


def test_a_step_that_was_not_run_keeps_its_result(tmp_path: Path) -> None:
    (tmp_path / "openai.json").write_text(json.dumps({"version": "0", "chat": "yes", "picture": "no"}))
    record = Record()
    record.add("openai", "picture", True)
    record.write(tmp_path)
    assert read_results("openai", tmp_path) | {"version": ""} == {"version": "", "chat": "yes", "picture": "yes"}


def test_a_job_that_only_servers_of_openai_can_do_is_tested_before_those_alone() -> None:
    rows = [row for row in behind_servers(programs_with("embeddings", "python")) if row.values[1].name == "openai"]
    assert [row.values[0] for row in rows] == ["openai"]


def test_programs_without_a_step_have_no_test_of_it() -> None:
    names = {parameter.values[0].name for parameter in programs_with("chat", "python")}
    assert "openai" in names
    assert "instructor" not in names


def test_a_further_step_is_of_the_programs_whose_jobs_name_it() -> None:
    names = {parameter.values[0].name for parameter in programs_with("thinking", "python")}
    assert "anthropic" in names
    assert "openai" not in names
