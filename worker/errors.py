"""What the upstream does wrong, as a reason.

`refused` errors are explicit refusals before any text: a further attempt is allowed, on another account or, for
`session.expired` and `session.toolong`, in a fresh conversation of the same account. Everything else is final, since
the question may have been answered, and paid for, upstream.
"""

from wire.reasons import Reason

ACCOUNT_REASONS = frozenset(
    {Reason.ACCOUNT_THROTTLED, Reason.ACCOUNT_CAPTCHA, Reason.ACCOUNT_UNAUTHORIZED, Reason.ACCOUNT_REFUSED}
)
FRESH_SESSION_REASONS = frozenset({Reason.SESSION_EXPIRED, Reason.SESSION_TOO_LONG})


class UpstreamError(Exception):
    """A turn that failed upstream.

    `reason` is one of wire.reasons; `detail` is the upstream's own wording, for the log; `refused` means that the
    upstream explicitly declined before any text, so that nothing was spent; `retry_after` is in seconds, where the
    upstream sent it.
    """

    # A subclass of a third-party provider may have a reason of its own.
    reason: str
    retry_after: float | None = None
    # The sentence for the client, where the reason is not one of wire.reasons.
    message = ""

    def __init__(
        self, reason: Reason, detail: str = "", *, refused: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        # A third-party provider may pass a value, such as "account.throttled".
        self.reason = Reason(reason)
        self.detail = detail
        self.refused = refused
        self.retry_after = retry_after
