"""The vocabulary of failures."""

import re

import pytest

from wire.reasons import Reason


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_or_two_plain_words(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z_]+)?", reason)


def test_a_reason_is_written_as_its_value() -> None:
    assert f"{Reason.QUEUE_FULL}" == str(Reason.QUEUE_FULL) == "queue.full"
    assert {"queue.full": 1}[Reason.QUEUE_FULL] == 1
