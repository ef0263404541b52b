"""The client programs at work: tests/external/programs.toml, the tests of each, and what came of them."""

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import pytest

from tests.support.processes import ROOT

EXTERNAL = ROOT / "tests" / "external"
RESULTS = EXTERNAL / "results"
Step = Literal["chat", "tools", "schema", "picture", "thinking", "count", "embeddings"]
Family = Literal["python", "node", "command"]
Result = Literal["yes", "partly", "no"]
# The API of the server behind the gateways.
Server = Literal["openai", "anthropic"]
SERVERS: tuple[Server, ...] = get_args(Server)
API = Literal["chat", "responses", "anthropic"]
STEPS: tuple[Step, ...] = get_args(Step)
# A program has these only if its jobs name them; those before them, unless it is without.
FURTHER: tuple[Step, ...] = ("thinking", "count", "embeddings")


class Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A program as the catalogue has it.

    package: whose version is the program's. environment: of setup.sh; `node` is node_modules, `npm/NAME` a folder of
    its own. script: in clients/, or in that folder; empty where the test runs a command. api: of the gateway's, the
    one that it speaks; some scripts speak several. model: the one it asks for, where it knows those of its server by
    name. core: in every run; the others only with ALL_PROGRAMS=1. without: steps that the program has not, and why.
    missing: steps that fail, and why. openai_only: jobs that a server of Anthropic's API can't do, and why.
    not_tried: why there is no test at all.
    """

    name: str
    title: str
    family: Family
    package: str
    environment: str = ""
    script: str = ""
    api: API = "chat"
    model: str = "stand-in"
    jobs: Mapping[Step, Sequence[str]] = msgspec.field(default_factory=dict)
    core: bool = False
    without: Mapping[Step, str] = msgspec.field(default_factory=dict)
    missing: Mapping[str, str] = msgspec.field(default_factory=dict)
    openai_only: Mapping[str, str] = msgspec.field(default_factory=dict)
    not_tried: str = ""

    def jobs_of(self, step: Step) -> Sequence[str]:
        """Return the jobs that a step is tested by; none for one that the program hasn't."""
        absent = step in self.without or (step in FURTHER and step not in self.jobs)
        return () if absent else self.jobs.get(step, (step,))

    @property
    def started(self) -> str:
        """Return the module of clients/ that is run, or the path of the script below tests/external."""
        return f"{self.environment}/{self.script}" if self.script.endswith(".mjs") else self.script

    @property
    def version(self) -> str:
        """Return the version that setup.sh installs; empty for a program that isn't tried."""
        if self.not_tried:
            return ""
        if self.environment == "node" or self.environment.startswith("npm/"):
            folder = EXTERNAL if self.environment == "node" else EXTERNAL / self.environment
            return str(json.loads((folder / "package.json").read_text())["dependencies"][self.package])
        pins = (EXTERNAL / "requirements" / f"{self.environment}.txt").read_text()
        (version,) = re.findall(rf"^{re.escape(self.package)}(?:\[[\w, ]+\])?==([^ ;]+)", pins, re.MULTILINE)
        return str(version)


def read_catalogue() -> dict[str, Program]:
    """Return all programs by their names."""
    tables = tomllib.loads((EXTERNAL / "programs.toml").read_text())
    return {name: msgspec.convert({"name": name, **table}, Program) for name, table in tables.items()}


PROGRAMS = read_catalogue()


def programs_with(step: Step, family: Family, *names: str) -> list[Any]:
    """Return the programs that have a step, each with each of its jobs, as parameters for a test; names: only these."""
    return [
        pytest.param(program, job, id=f"{program.name}-{job}", marks=_marks(program, step, job))
        for program in PROGRAMS.values()
        if program.family == family and not program.not_tried
        if not names or program.name in names
        for job in program.jobs_of(step)
    ]


def behind_servers(parameters: Sequence[Any]) -> list[Any]:
    """Return programs and jobs behind each kind of server, as parameters.

    Programs of chat completions that aren't of the core are only behind OpenAI's, and so is what `openai_only` names.
    """
    return [
        pytest.param(server, program, job, id=f"{server}-{parameter.id}", marks=parameter.marks)
        for server in SERVERS
        for parameter in parameters
        for program, job in [parameter.values]
        if server == "openai" or (job not in program.openai_only and (program.core or program.api != "chat"))
    ]


def _marks(program: Program, step: Step, job: str) -> list[pytest.MarkDecorator]:
    marks = [pytest.mark.step(program.name, step)]
    if not program.core:
        skipped = os.environ.get("ALL_PROGRAMS") != "1"
        marks.append(pytest.mark.skipif(skipped, reason="not in every run: ALL_PROGRAMS=1, or make external-all"))
    reason = program.missing.get(job) or program.missing.get(step)
    if reason:
        marks.append(pytest.mark.xfail(reason=reason, strict=True))
    return marks


class Record:
    """What came of the steps in this run: `yes` if all of a step's tests passed, `no` if none did, else `partly`."""

    def __init__(self) -> None:
        self._results: dict[str, dict[Step, Result]] = {}

    def add(self, name: str, step: Step, passed: bool) -> None:
        """Note how one test of a step ended."""
        steps = self._results.setdefault(name, {})
        result: Result = "yes" if passed else "no"
        steps[step] = result if steps.get(step, result) == result else "partly"

    def write(self, folder: Path = RESULTS) -> None:
        """Write the results of each program that was run; steps that weren't keep what they had."""
        folder.mkdir(exist_ok=True)
        for name, steps in self._results.items():
            file = folder / f"{name}.json"
            earlier = json.loads(file.read_text()) if file.exists() else {}
            known: dict[str, str] = earlier | {"version": PROGRAMS[name].version} | dict(steps)
            results = {field: known[field] for field in ("version", *STEPS) if field in known}
            file.write_text(json.dumps(results, indent=2) + "\n")


def read_results(name: str, folder: Path = RESULTS) -> dict[str, str]:
    """Return a program's recorded results: its version, and a Result by step; empty if there are none."""
    file = folder / f"{name}.json"
    results: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return results
