"""What the upstream does wrong, as a reason.

`refused` errors are explicit refusals before any event was appended: a further attempt is allowed, on another account
or, for `session.expired` and `session.toolong`, in a fresh conversation of the same account. Everything else is final,
since the question may have been answered, and paid for, upstream.
"""

from wire.reasons import Reason

ACCOUNT_REASONS = frozenset(
    {
        Reason.ACCOUNT_THROTTLED,
        Reason.ACCOUNT_CAPTCHA,
        Reason.ACCOUNT_UNAUTHORIZED,
        Reason.ACCOUNT_REFUSED,
        Reason.ACCOUNT_BLOCKED,
    }
)
FRESH_SESSION_REASONS = frozenset({Reason.SESSION_EXPIRED, Reason.SESSION_TOO_LONG})


class UpstreamError(Exception):
    """A turn that failed upstream.

    `reason` is one of wire.reasons; `detail` is the upstream's own wording, for the log; `refused` means that the
    upstream explicitly declined before any of its answer, so that nothing was spent; `retry_after` is in seconds, where
    the upstream sent it. `words` is the upstream's sentence for the client, without secrets, and `param` the field that
    it names as its client wrote it. `parameter` is the field of the request that it names, where that is one which the
    client didn't send; `repeat`: the same account may be asked once more without it. `elsewhere`: a refusal for a
    reason that says nothing against the account, and that another one may not have. `exhausted`: no further attempt was
    possible, so that a repeat has no better chances. `by_question`: it is about the account, but another question might
    not have met it. `missing_model`: the upstream lacks the model that it was asked
    for. `status` is the HTTP status of a refusal, None for another error; `is_page`: it came with a page for people.
    """

    # A subclass of a third-party provider may have a reason of its own.
    reason: str
    retry_after: float | None = None
    # The sentence for the client, where the reason is not one of wire.reasons.
    message = ""
    # For such a subclass, which sets `reason`, `detail` and `refused` by itself.
    words = ""
    param = ""
    parameter = ""
    elsewhere = False
    repeat = False
    exhausted = False
    by_question = False
    missing_model = False
    status: int | None = None
    is_page = False

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        refused: bool = False,
        retry_after: float | None = None,
        words: str = "",
        parameter: str = "",
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        # A third-party provider may pass a value, such as "account.throttled".
        self.reason = Reason(reason)
        self.detail = detail
        self.refused = refused
        self.retry_after = retry_after
        self.words = words
        self.parameter = parameter
