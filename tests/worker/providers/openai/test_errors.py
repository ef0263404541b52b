import email.utils
import json
import time
from typing import Any

import pytest

from wire.reasons import Reason
from worker.accounts.penalties import penalty_for
from worker.providers.openai.errors import ErrorReport, parse_error, parse_error_response, parse_retry_after

TOO_LONG = "This model's maximum context length is 4096 tokens. However, you requested 5000."


def body(**error: Any) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "data", "reason", "refused"),
    [
        (401, b"", "account.refused", True),
        (403, b"<html>no</html>", "account.refused", True),
        (404, body(code="model_not_found"), "account.refused", True),
        (402, body(message="Insufficient Balance"), "account.throttled", True),
        (429, b"", "account.throttled", True),
        (400, body(code="context_length_exceeded"), "session.toolong", True),
        (400, body(type="exceed_context_size_error", code=400), "session.toolong", True),
        (400, body(message=TOO_LONG, type="BadRequestError", code=400), "session.toolong", True),
        (400, json.dumps({"object": "error", "message": TOO_LONG, "code": 400}).encode(), "session.toolong", True),
        (413, body(message="the request exceeds the available context size"), "session.toolong", True),
        (422, body(code="context_length_exceeded"), "session.toolong", True),
        (400, b'[{"error": {"message": "prompt is too long: 9 tokens"}}]', "session.toolong", True),
        (400, body(message="litellm.ContextWindowExceededError: litellm.BadRequestError: …"), "session.toolong", True),
        (400, body(message="/chat/completions: Invalid model name passed in model=x. Call …"), "account.refused", True),
        (400, body(message="No connected db.", type="no_db_connection", code="400"), "account.refused", True),
        (400, body(message="Your text 'invalid model name passed in model=' is bad"), "question.refused", True),
        (400, body(code="invalid_value"), "question.refused", True),
        (400, body(code="content_filter"), "question.refused", True),
        (403, body(message="Your input was flagged"), "question.refused", True),
        (413, b"", "question.refused", True),
        (422, b'{"detail": "no"}', "question.refused", True),
        (418, b'{"error": "a teapot"}', "question.refused", True),
        (408, b"", "upstream.internal", False),
        (500, b"", "upstream.internal", False),
        (500, body(code="context_length_exceeded"), "upstream.internal", False),
        (503, body(message="content policy"), "upstream.internal", False),
        (529, b"\xff", "upstream.internal", False),
        (302, b"", "upstream.protocol", False),
        (400, b"[" * 100_000, "question.refused", True),
        (429, b"[]", "account.throttled", True),
    ],
)
def test_a_refusal_is_recognised_by_its_status_and_codes(status: int, data: bytes, reason: str, refused: bool) -> None:
    error = parse_error_response(status, data).to_upstream_error()
    assert (error.reason, error.refused) == (reason, refused)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"code": "rate_limit_exceeded"}, "account.throttled"),
        ({"type": "insufficient_quota"}, "account.throttled"),
        ({"code": "invalid_api_key"}, "account.refused"),
        ({"code": 429}, "account.throttled"),
        ({"code": "401"}, "account.refused"),
        ({"code": 400, "message": TOO_LONG}, "session.toolong"),
        ({"code": "context_length_exceeded"}, "session.toolong"),
        ({"type": "content_filter"}, "question.refused"),
        ({"type": "server_error"}, "upstream.internal"),
        ({"code": 502}, "upstream.internal"),
        ({"code": 7, "type": None}, "upstream.internal"),
        ("overloaded", "upstream.internal"),
        (17, "upstream.internal"),
    ],
)
def test_an_error_without_a_status_is_recognised_by_its_codes(value: Any, reason: str) -> None:
    assert parse_error(value).to_upstream_error().reason == reason


def test_what_a_server_says_of_a_question_has_the_reason_asked_for() -> None:
    assert (
        ErrorReport(400, ("content_policy_violation",)).to_upstream_error(policy=Reason.IMAGE_BLOCKED).reason
        == "image.blocked"
    )


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
    ("refusal", "value", "pause"),
    [
        (ErrorReport(429), None, 20.0),
        (ErrorReport(429), 7.0, 7.0),
        (ErrorReport(429, ("insufficient_quota",)), None, 86400.0),
        (ErrorReport(429, ("insufficient_quota",)), 7.0, 7.0),
        (ErrorReport(402), None, 86400.0),
    ],
)
def test_an_account_that_has_asked_too_much_pauses_as_long_as_it_was_told(
    refusal: ErrorReport, value: float | None, pause: float
) -> None:
    penalty = penalty_for(refusal.to_upstream_error(value), sent=True)
    assert (penalty.outcome, penalty.pause) == ("cooling", pause)


def test_nothing_of_a_servers_own_words_is_logged() -> None:
    text = body(message="the question", type="the question is", code="sk-123", param="messages")
    assert parse_error_response(400, text).to_upstream_error().detail == "HTTP 400"
    assert parse_error_response(429, body(type="requests", code="rate_limit_exceeded")).to_upstream_error().detail == (
        "HTTP 429, requests, rate_limit_exceeded"
    )
