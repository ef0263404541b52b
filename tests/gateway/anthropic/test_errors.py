"""Faults in the shape of the Anthropic API."""

import msgspec
import pytest

from gateway.anthropic.errors import error_frame, error_of, status_of
from gateway.errors import ERRORS
from gateway.openai.errors import Fault, fault_of_failure, fault_of_spec
from wire.messages import Failed
from wire.reasons import Reason


@pytest.mark.parametrize(
    ("reason", "status", "kind"),
    [
        (Reason.REQUEST_UNAUTHORIZED, 401, "authentication_error"),
        (Reason.REQUEST_PATH, 404, "not_found_error"),
        (Reason.MODEL_UNKNOWN, 404, "not_found_error"),
        (Reason.REQUEST_METHOD, 405, "invalid_request_error"),
        (Reason.REQUEST_TOO_LARGE, 413, "request_too_large"),
        (Reason.REQUEST_ENCODING, 415, "invalid_request_error"),
        (Reason.CLIENT_LIMIT, 429, "rate_limit_error"),
        (Reason.CLIENT_DAILY, 429, "rate_limit_error"),
        (Reason.ACCOUNT_THROTTLED, 429, "rate_limit_error"),
        (Reason.INTERNAL, 500, "api_error"),
        (Reason.INTERRUPTED, 500, "api_error"),
        (Reason.TIMEOUT_GATEWAY, 504, "timeout_error"),
        (Reason.TIMEOUT_IDLE, 504, "timeout_error"),
        (Reason.QUEUE_FULL, 529, "overloaded_error"),
        (Reason.QUEUE_TIMEOUT, 529, "overloaded_error"),
        (Reason.WORKER_NONE, 529, "overloaded_error"),
        (Reason.MODEL_AWAY, 529, "overloaded_error"),
        # A proxy asks another gateway on 503 alone.
        (Reason.GATEWAY_DRAINING, 503, "overloaded_error"),
        (Reason.STORE_UNAVAILABLE, 503, "overloaded_error"),
    ],
)
def test_a_reason_has_this_status_and_type(reason: Reason, status: int, kind: str) -> None:
    fault = fault_of_spec(ERRORS[reason])
    assert (status_of(fault), error_of(fault, "r").error.type) == (status, kind)


def test_an_error_has_exactly_these_fields() -> None:
    assert msgspec.to_builtins(error_of(Fault(403, "No."), "req")) == {
        "type": "error",
        "error": {"type": "permission_error", "message": "No."},
        "request_id": "req",
    }


@pytest.mark.parametrize(("detail", "words"), [("", "prompt is too long: "), ("Prompt is too long: 9 > 8", "")])
def test_clients_know_a_conversation_that_is_too_long_by_its_words(detail: str, words: str) -> None:
    fault = fault_of_failure(Failed(Reason.SESSION_TOO_LONG, detail=detail))
    assert error_of(fault, "r").error.message == words + fault.message


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        (Failed(Reason.ACCOUNT_NONE, retry_after=5), "overloaded_error"),
        (Failed(Reason.ACCOUNT_NONE, retry_after=5, exhausted=True), "api_error"),
        (Failed(Reason.ACCOUNT_THROTTLED, retry_after=600), "api_error"),
        (Failed(Reason.QUESTION_INVALID), "invalid_request_error"),
    ],
)
def test_an_error_in_a_stream_has_a_type_that_no_client_repeats_unless_it_may(failed: Failed, kind: str) -> None:
    frame = error_frame(fault_of_failure(failed), "r")
    assert frame.name == "error"
    assert msgspec.json.decode(frame.data)["error"]["type"] == kind
