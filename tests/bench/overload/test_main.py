"""What an overload's document and command line amount to."""

import pytest

from bench.overload.__main__ import is_as_required, read_options


@pytest.mark.parametrize(
    ("parts", "required"),
    [
        ({}, True),
        ({"neighbours": {"fair": True}, "worker full": {"verdicts": {"delay is bounded": True}}}, True),
        ({"neighbours": {"fair": False}}, False),
        ({"neighbours": {"fair": True}, "worker full": {"verdicts": {"delay is bounded": False}}}, False),
    ],
)
def test_one_part_that_is_not_as_required_is_enough(parts: dict[str, object], required: bool) -> None:
    assert is_as_required({"settings": {"rounds": 0}, **parts}) is required


def test_each_half_can_be_left_out() -> None:
    assert (read_options([]).seconds, read_options([]).rounds) == (30.0, 5)
    assert read_options(["--seconds", "0"]).seconds == 0
    assert read_options(["--rounds", "0"]).rounds == 0
