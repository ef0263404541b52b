"""One version, in one place."""

import re
import tomllib

from tests.support.processes import ROOT
from wire.version import VERSION


def test_the_package_takes_its_version_from_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"] == {"path": "wire/version.py"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
