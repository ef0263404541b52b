import pytest

from worker.accounts.formats.decoding import parse_time


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (None, None),
        (-1, None),
        (1.5, 1.5),
        ("1970-01-01T00:00:02.500Z", 2.5),
        ("1970-01-01T01:00:02+01:00", 2.0),
        ("1970-01-01T00:00:02", 2.0),
        ("0001-01-01T00:00:00+14:00", -62135647200.0),
        ("Session", None),
        ("", None),
    ],
)
def test_an_expiry_is_in_unix_seconds_or_unknown(moment: float | str | None, expected: float | None) -> None:
    assert parse_time(moment) == expected
