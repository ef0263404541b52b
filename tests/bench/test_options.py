"""The command line."""

import pytest

from bench.options import read_options


@pytest.mark.parametrize(
    "wrong",
    [
        ["--streams", "0"],
        ["--streams", "300,9999"],
        ["--rate", "nan"],
        ["--rounds", "99"],
        ["--gateways", "many"],
        ["--sides", "plain,elsewhere"],
        ["--transports", "smoke"],
        ["--peers", "nobody"],
        ["--before", "/nowhere"],
    ],
)
def test_a_wrong_option_ends_with_one_sentence(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(wrong)
    assert wrong[0] in capsys.readouterr().err


def test_lists_keep_their_order_and_lose_repeats() -> None:
    options = read_options(["--streams", "300,50,300", "--sides", "plain"])
    assert options.streams == (300, 50)
    assert options.sides == ("plain",)


def test_no_side_but_our_path_and_the_floor_may_be_wanted() -> None:
    assert read_options(["--sides", ""]).sides == ()
