"""What the refusal of a call means: that a server lacks its path, or that the call or the account is at fault."""

from wire.jobs import RETRY_AFTER
from wire.reasons import Reason
from worker.errors import UpstreamError

# Refusals of the path, or of its use with this key or model: they say nothing about questions.
_NOT_HERE = (403, 404, 405, 410, 501)


def excuse_lacking(error: UpstreamError, words: str) -> None:
    """Take the refusal of a call's path as its own: the account answers questions, and another one may have the path.

    `words` are for the client whose call no account takes.
    """
    if not error.refused or error.status not in _NOT_HERE:
        return
    # A page is somebody's in front of the server, and may pass.
    passing = error.reason == Reason.ACCOUNT_BLOCKED and error.is_page
    error.reason, error.elsewhere = Reason.MODEL_NONE if passing else Reason.MODEL_UNABLE, True
    error.retry_after, error.words = RETRY_AFTER if passing else None, "" if passing else words
