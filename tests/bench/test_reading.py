import json

import pytest

from bench import reading


def test_a_reading_costs_something_and_loses_nothing() -> None:
    cost, size = reading.measure_reading(50)
    assert size == 200
    assert cost >= 0


def test_the_command_prints_the_costs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_COUNTS", (5, 10))
    assert reading.main() == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["complete"], document["cpu_us_per_chunk"].keys()) == (True, {"5", "10"})
