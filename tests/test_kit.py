"""What a public forge, an editor and a contributor need agrees with the project."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PROSE = ["CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md", ".pre-commit-config.yaml"]


def read(path: Path) -> Any:
    """Return what a YAML file contains. Its version makes `on` a truth; workflows have it under True."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs(path: Path) -> dict[str, Any]:
    """Return a workflow's jobs by name."""
    found: dict[str, Any] = read(path)["jobs"]
    return found


CI = jobs(ROOT / ".github/workflows/ci.yml")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def steps(path: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs of a workflow."""
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


def named_targets(text: str) -> set[str]:
    """Return the targets of make in commands, with those of a matrix."""
    return set(re.findall(r"\bmake ([a-z][a-z-]*)", text))


def test_every_target_of_make_that_is_named_exists() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    workflows = {target for path in WORKFLOWS for step in steps(path) for target in named_targets(step.get("run", ""))}
    prose = {target for name in PROSE for target in re.findall(r"`make ([a-z][a-z-]*)", (ROOT / name).read_text())}
    named = workflows | prose | set(CI["long"]["strategy"]["matrix"]["target"])
    assert named
    assert named - set(phony[1].split()) == set()


def test_every_file_that_a_workflow_runs_exists() -> None:
    named = {
        word
        for path in WORKFLOWS
        for step in steps(path)
        for word in re.findall(r"[\w./-]+/[\w./-]+", step.get("run", ""))
        # What a script of ours installs isn't there yet.
        if word.startswith((".ci", "gateway", "tests")) and "/.venv" not in word
    }
    assert {".ci/packages", "gateway/page/vendor/fetch.sh", "tests/wire"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_last_job_waits_for_all_the_others() -> None:
    assert set(CI["all-green"]["needs"]) == CI.keys() - {"all-green"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_has_a_limit_of_time_and_its_own_permissions(path: Path) -> None:
    assert read(path)["permissions"] == {}
    for name, job in jobs(path).items():
        assert "permissions" in job, name
        assert "uses" in job or "timeout-minutes" in job, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)] == []


def test_the_oldest_python_is_the_same_everywhere() -> None:
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert CI["tests"]["strategy"]["matrix"]["python"][0] == oldest
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert f"ARG PYTHON={oldest}-" in (ROOT / "Dockerfile").read_text()
    assert CI["long"]["container"]["image"].startswith(f"python:{oldest}-")
    assert f"python:{oldest}-" in (ROOT / ".devcontainer/devcontainer.json").read_text()
    set_up = [
        step["with"]["python-version"]
        for job in CI.values()
        for step in job["steps"]
        if "with" in step and "python-version" in step["with"]
    ]
    assert set(set_up) <= {oldest, "${{ matrix.python }}"}


RELEASE = jobs(ROOT / ".github/workflows/release.yml")


def test_the_images_of_a_release_are_those_of_compose_and_the_one_with_all() -> None:
    services = read(ROOT / "docker-compose.yml")["services"].values()
    built = {service["build"]["target"] for service in services if "build" in service}
    assert set(RELEASE["images"]["strategy"]["matrix"]["target"]) == built | {"serve"}
    assert CI["architectures"]["strategy"] | {"fail-fast": True} == RELEASE["images"]["strategy"] | {"fail-fast": True}
    pushed = next(step for step in RELEASE["images"]["steps"] if "docker/build-push" in step.get("uses", ""))
    assert f"--platform {pushed['with']['platforms']} " in str(CI["architectures"]["steps"])


def test_a_release_has_package_manifests_and_notes() -> None:
    text = "\n".join(step.get("run", "") for step in RELEASE["release"]["steps"])
    steps = ["make docs", "-m build", "-C deploy kubernetes", "tools.release_notes", "gh release create"]
    assert [text.index(step) for step in steps] == sorted(text.index(step) for step in steps)
    assert text.rstrip().endswith(" dist/*")
    assert (ROOT / "deploy/kubernetes/kustomization.yaml").exists()


def test_the_newer_pythons_are_tried_here_and_in_the_workflow() -> None:
    here = re.search(r"^\.ci/pythons (.+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert here
    assert set(here[1].split()) <= set(CI["tests"]["strategy"]["matrix"]["python"])
    sample = re.search(r"^sample=\((.+)\)$", (ROOT / ".ci/pythons").read_text(), re.MULTILINE)
    assert sample
    assert [name for name in sample[1].split() if not (ROOT / name).is_dir()] == []
    classifiers = {name.rpartition(" ")[2] for name in PROJECT["project"]["classifiers"] if ":: 3." in name}
    assert classifiers == set(CI["tests"]["strategy"]["matrix"]["python"])


def test_ci_here_runs_what_the_workflow_runs() -> None:
    targets = named_targets((ROOT / ".ci/run").read_text())
    workflow = {target for job in CI.values() for step in job["steps"] for target in named_targets(step.get("run", ""))}
    alone = {"test", "links"}  # `make coverage` has the tests; there is no internet
    assert workflow | set(CI["long"]["strategy"]["matrix"]["target"]) <= targets | alone


def test_every_kind_of_tests_that_takes_long_is_marked() -> None:
    """Else `make test` would run it, or ask a registry."""
    short = re.search(r'^SHORT := .*-m "\((.+)\) or sample"$', (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert short
    assert set(re.findall(r"not (\w+)", short[1])) == {"faults", "abuse", "external", "browser", "package"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_asks_for_what_it_needs(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_dependabot_waits_with_every_update_and_its_folders_exist() -> None:
    for update in read(ROOT / ".github/dependabot.yml")["updates"]:
        assert update["cooldown"]["default-days"] >= 7
        for folder in update.get("directories", [update.get("directory")]):
            found = list(ROOT.glob(folder.strip("/"))) if "*" in folder else [ROOT / folder.strip("/")]
            assert any(path.is_dir() for path in found), folder


def test_the_dev_container_and_the_hooks_use_what_make_install_sets_up() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert container["postCreateCommand"].endswith("make install")
    hooks = read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert [hook["entry"].split()[0] for hook in hooks] == [".venv/bin/ruff", ".venv/bin/ruff", ".venv/bin/mypy"]
