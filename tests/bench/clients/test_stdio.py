"""A plan on stdin becomes an outcome on stdout."""

import io
import sys

import msgspec
import pytest

from bench.clients.stdio import run_plan, send_line


class Numbers(msgspec.Struct):
    """A plan."""

    numbers: list[int]


async def add(plan: Numbers) -> dict[str, int]:
    send_line("adding")
    return {"sum": sum(plan.numbers)}


def test_the_outcome_follows_the_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"numbers": [1, 2]}')))
    run_plan(Numbers, add)
    assert capsys.readouterr().out == 'adding\n{"sum":3}\n'


def test_a_plan_of_another_kind_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"numbers": "no"}')))
    with pytest.raises(msgspec.ValidationError):
        run_plan(Numbers, add)
