"""What the refusal of a call means."""

import pytest

from wire.jobs import RETRY_AFTER
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.openai.call_refusals import excuse_lacking


def refusal(reason: Reason, status: int | None, *, refused: bool = True, is_page: bool = False) -> UpstreamError:
    error = UpstreamError(reason, refused=refused)
    error.status, error.is_page = status, is_page
    excuse_lacking(error, "None here.")
    return error


@pytest.mark.parametrize("status", [403, 404, 405, 410, 501])
def test_a_path_that_is_not_there_is_no_fault_of_the_account(status: int) -> None:
    error = refusal(Reason.ACCOUNT_REFUSED, status)
    assert (error.reason, error.elsewhere, error.words) == (Reason.MODEL_UNABLE, True, "None here.")
    assert error.retry_after is None


def test_a_page_in_its_place_may_pass() -> None:
    error = refusal(Reason.ACCOUNT_BLOCKED, 404, is_page=True)
    assert (error.reason, error.elsewhere, error.retry_after) == (Reason.MODEL_NONE, True, RETRY_AFTER)


@pytest.mark.parametrize(
    ("reason", "status", "refused"),
    [
        (Reason.ACCOUNT_REFUSED, 401, True),
        (Reason.ACCOUNT_THROTTLED, 429, True),
        (Reason.UPSTREAM_INTERNAL, None, True),
        (Reason.TRANSPORT_CLOSED, 404, False),
    ],
)
def test_any_other_refusal_is_what_it_is(reason: Reason, status: int | None, refused: bool) -> None:
    error = refusal(reason, status, refused=refused)
    assert (error.reason, error.elsewhere, error.words) == (reason, False, "")
