"""Spectral and AsyncAPI's own parser find nothing to say of the documents."""

import json
import subprocess
from pathlib import Path

import pytest

from gateway.docs import asyncapi, openapi
from tests.external.conftest import HERE

pytestmark = pytest.mark.external


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    for name, document in {"openapi": openapi.document(), "asyncapi": asyncapi.document()}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document, indent=1))
    return tmp_path


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_spectral_has_no_error_and_no_warning(node: str, documents: Path, name: str) -> None:
    spectral = HERE / "node_modules/@stoplight/spectral-cli/dist/index.js"
    command = [
        node,
        str(spectral),
        "lint",
        "-r",
        str(HERE / "spectral.yaml"),
        "--fail-severity",
        "hint",
        f"{name}.json",
    ]
    run = subprocess.run(command, cwd=documents, capture_output=True, text=True, timeout=50, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No results" in run.stdout


def test_the_parser_of_asyncapi_understands_the_document(node: str, documents: Path) -> None:
    command = [node, str(HERE / "parse.mjs"), str(documents / "asyncapi.json")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    assert json.loads(run.stdout) == {"understood": True, "diagnostics": []}
