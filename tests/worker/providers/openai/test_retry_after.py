import email.utils
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from worker.providers.openai.retry_after import parse_retry_after, parse_retry_delay, parse_retry_words


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.2"}, 1.0),
        ({"retry-after": "1e300"}, 86400.0),
        ({"retry-after": "7", "retry-after-ms": "9000"}, 7.0),
        ({"retry-after-ms": "2500"}, 2.5),
        ({"retry-after": "soon", "retry-after-ms": "2500"}, 2.5),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "Mon, 99 Foo 2026"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 1.0),
        ({}, None),
    ],
)
def test_when_to_come_back_is_read_from_the_headers(headers: dict[str, str], wait: float | None) -> None:
    assert parse_retry_after(headers) == wait


def test_when_to_come_back_may_be_a_date() -> None:
    value = parse_retry_after({"retry-after": email.utils.formatdate(time.time() + 600, usegmt=True)})
    assert value is not None
    assert 590 < value <= 600


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-requests": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-tokens": "2500ms"}, 2.5),
        ({"x-ratelimit-reset-tokens": "17ms"}, 1.0),
        ({"x-ratelimit-reset": "30"}, 30.0),
        ({"ratelimit-reset": "30"}, 30.0),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "40s"}, 40.0),
        (
            {
                "x-ratelimit-reset-requests": "8m",
                "x-ratelimit-remaining-requests": "12",
                "x-ratelimit-reset-tokens": "40s",
                "x-ratelimit-remaining-tokens": "0",
            },
            40.0,
        ),
        ({"retry-after": "7", "x-ratelimit-reset-requests": "6m0s"}, 7.0),
        ({"x-ratelimit-reset-requests": "soon"}, None),
        ({"x-ratelimit-limit-requests": "60"}, None),
    ],
)
def test_when_a_limit_is_whole_again_is_read_from_its_headers(headers: dict[str, str], wait: float | None) -> None:
    assert parse_retry_after(headers) == wait


@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda moment: str(int(moment * 1000)),
        lambda moment: datetime.fromtimestamp(moment, UTC).isoformat(),
    ],
    ids=["seconds", "milliseconds", "date"],
)
def test_when_a_limit_is_whole_again_may_be_a_moment(write: Callable[[float], str]) -> None:
    wait = parse_retry_after({"x-ratelimit-reset": write(time.time() + 600)})
    assert wait is not None
    assert 400 < wait <= 600


@pytest.mark.parametrize(
    ("error", "message", "wait"),
    [
        ({"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]}, "", 34.0),
        ({"details": [{"retryDelay": "34.07s"}]}, "", 34.07),
        ({"estimated_time": 20.5}, "", 20.5),
        ({"retry_after": 12}, "", 12.0),
        ({}, "Rate limit reached. Please try again in 1.5s. Visit …", 1.5),
        ({}, "Please retry after 6 seconds.", 6.0),
        ({}, "Please try again in 850ms", 1.0),
        ({}, "Please try again in 2 minutes", 120.0),
        ({"retry_after": None, "details": "x"}, "wait a while", None),
        ({"retry_after": True}, "", None),
    ],
)
def test_an_error_itself_may_contain_when_to_come_back(error: dict[str, Any], message: str, wait: float | None) -> None:
    found = parse_retry_delay(error)
    assert (parse_retry_words(message) if found is None else found) == wait
