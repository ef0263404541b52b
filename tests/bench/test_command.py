"""A measurement's exit code and output."""

import asyncio
from typing import Any

import pytest

from bench.command import run_command

pytestmark = pytest.mark.usefixtures("keep_the_limit_of_files")


async def measured() -> dict[str, Any]:
    return {"answer": "必应"}


async def interrupted() -> dict[str, Any]:
    raise asyncio.CancelledError


@pytest.mark.parametrize(("succeeded", "code"), [(True, 0), (False, 1)])
def test_the_document_is_printed_whether_it_succeeded_or_not(
    succeeded: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(measured(), lambda _: succeeded) == code
    assert capsys.readouterr().out == '{\n  "answer": "必应"\n}\n'


def test_an_interruption_has_an_exit_code_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(interrupted(), lambda _: True) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
