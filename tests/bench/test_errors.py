"""What ends a run of the bench."""

from typing import Any

import pytest

from bench.command import run_command
from bench.errors import BenchError


async def fail() -> dict[str, Any]:
    raise BenchError("no such port")


@pytest.mark.usefixtures("keep_the_limit_of_files")
def test_what_keeps_it_from_measuring_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(fail(), lambda _: True) == 1
    assert capsys.readouterr() == ("", "no such port\n")
