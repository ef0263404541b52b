"""What clients of each endpoint get when servers refuse, over real sockets."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.processes import Deployment, at_model_servers, wait_until

ACCOUNTS = ("first", "second", "third")


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Deployment]:
    """A whole system with as many accounts as one question tries, all at the emulator's OpenAI face."""
    with at_model_servers(tmp_path, ACCOUNTS, ACCOUNT_TRIES="3") as running:
        yield running


def api(servers: Deployment, question: str) -> httpx.Response:
    return httpx.get(f"{servers.url}/api", params={"style": "balanced", "question": question}, timeout=30)


def completion(servers: Deployment, question: str) -> httpx.Response:
    body = {"model": "bing-balanced", "messages": [{"role": "user", "content": question}]}
    return httpx.post(f"{servers.url}/v1/chat/completions", json=body, timeout=30)


def test_a_limit_of_seconds_is_120_and_rate_limit_exceeded(servers: Deployment) -> None:
    found_out = api(servers, "!throttled=40 hello")
    assert (found_out.status_code, found_out.json()["code"]) == (200, 120)
    assert "24" not in found_out.json()["message"]
    assert 30 < int(found_out.headers["retry-after"]) <= 40
    assert len(servers.turns("!throttled=40 hello")) == 3
    known = completion(servers, "another one")
    assert (known.status_code, known.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert known.headers["x-should-retry"] == "true"
    assert servers.turns("another one") == []


def test_a_spent_quota_is_120_and_insufficient_quota(servers: Deployment) -> None:
    found_out = api(servers, "!quota hello")
    assert found_out.json() == {"code": 120, "message": "已上限,24小时后尝试"}
    assert completion(servers, "hello").json()["error"]["code"] == "insufficient_quota"


def test_servers_that_are_all_busy_are_503_that_is_not_repeated(servers: Deployment) -> None:
    refused = completion(servers, "!http-503=3 hello")
    assert (refused.status_code, refused.headers["x-should-retry"]) == (503, "false")
    assert 1 <= int(refused.headers["retry-after"]) <= 3
    assert len(servers.turns("!http-503=3 hello")) == 3


def test_an_invalid_request_is_tried_twice_and_has_the_servers_words(servers: Deployment) -> None:
    refused = completion(servers, "!invalid-request hello")
    error = refused.json()["error"]
    assert (refused.status_code, error["type"], error["message"]) == (
        400,
        "invalid_request_error",
        "This request is not valid.",
    )
    assert len(servers.turns("!invalid-request hello")) == 2
    assert api(servers, "hello").json()["code"] == 200


def test_pages_in_front_of_servers_are_passed_within_seconds(servers: Deployment) -> None:
    refused = api(servers, "!http-404 hello")
    assert (refused.status_code, 1 <= int(refused.headers["retry-after"]) <= 8) == (503, True)
    wait_until(lambda: api(servers, "hello").json()["code"] == 200, "the servers are asked again")
