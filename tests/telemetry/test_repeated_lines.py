"""Libraries' warnings that come again and again."""

import logging
from dataclasses import dataclass

import pytest

from telemetry.repeated_lines import RepeatedLines


@dataclass
class Log:
    """A log whose clock shows `now`."""

    now: float = 0.0

    def __post_init__(self) -> None:
        self._filter = RepeatedLines(lambda: self.now)

    def write(self, message: str, *args: object, name: str = "server", level: int = logging.WARNING) -> str | None:
        """Return the line that is written of a record."""
        record = logging.LogRecord(name, level, "", 0, message, args, None)
        return record.getMessage() if self._filter.filter(record) else None


def test_a_warning_is_written_once_a_minute_with_the_number_of_others() -> None:
    log = Log()
    lines = []
    for log.now in range(130):
        lines.append(log.write("Invalid request from %s.", log.now))
    assert [line for line in lines if line] == [
        "Invalid request from 0.",
        "Invalid request from 60. (59 more since the last line)",
        "Invalid request from 120. (59 more since the last line)",
    ]


def test_a_warning_that_is_no_repeat_is_written() -> None:
    log = Log()
    assert log.write("one")
    assert log.write("another")
    assert log.write("one", name="client")
    log.now = 60.0
    assert log.write("one") == "one"


@pytest.mark.parametrize("level", [logging.ERROR, logging.CRITICAL])
def test_each_error_is_written(level: int) -> None:
    log = Log()
    assert all(log.write("failed", level=level) for _ in range(10))


def test_of_very_many_kinds_not_all_are_known() -> None:
    log = Log()
    assert all(log.write(f"kind {number}") for number in range(1001))
    assert log.write("kind 0")
