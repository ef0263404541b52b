"""The penalty of an account after a failed turn."""

from dataclasses import dataclass, replace

from wire.ledger import TurnOutcome
from wire.reasons import Reason
from worker.errors import UpstreamError

# Seconds. Quotas are daily, unless the upstream sends a time.
_DAY = 24 * 3600.0
# Seconds of the first pause after a transport error, and after an upstream error; it grows with consecutive failures.
_TRANSPORT_PAUSE = 1.0
_INTERNAL = 10.0
# Seconds of the first pause after a refusal that may pass by itself, and until a turn tries an account again whose
# server has refused it.
_REFUSED_PAUSE = 1.0
_TRIAL = 15.0
# Seconds of the pause after several clients' questions were taken for invalid, and the longest one after refusals of
# several clients' questions that may have brought them about.
_DOUBTED_PAUSE = 10.0
_LONGEST_BY_QUESTION = 60.0

# Bytes of a whole prompt above which its failures count nowhere: about 32,000 tokens, for which a server that reads 500
# a second needs all of the default FIRST_TEXT_TIMEOUT (60 s). An ordinary conversation stays below: of its transcript
# there are 64 kB at most.
VERY_LONG = 128 * 1024

_TRANSPORT_REASONS = ("transport.", Reason.TIMEOUT_CONNECT)
# What is in front of a server may block a question for its words, or give up on one that takes long.
_REFUSED_REASONS = frozenset({Reason.ACCOUNT_BLOCKED, Reason.UPSTREAM_GATEWAY})
# Refusals by a server that may follow from what a question asks for.
DEMANDED = frozenset({Reason.ACCOUNT_THROTTLED, Reason.ACCOUNT_REFUSED, Reason.UPSTREAM_BUSY})
_INTERNAL_REASONS = frozenset(
    {
        Reason.UPSTREAM_INTERNAL,
        Reason.UPSTREAM_PROTOCOL,
        Reason.TIMEOUT_FIRST,
        Reason.TIMEOUT_IDLE,
        Reason.ANSWER_EMPTY,
    }
)


@dataclass(frozen=True)
class Penalty:
    """The entry for the ledger: a turn's outcome for its account, the reason, and the pause in seconds.

    `by_question`: the failure may follow from the question, and so doesn't count at once; `client` is whose it was.
    """

    outcome: TurnOutcome
    reason: str = ""
    pause: float = 0.0
    by_question: bool = False
    client: str = ""

    def attribute(self, client: str, size: int) -> "Penalty":
        """Return the penalty for a question of `client` with a whole prompt of `size` bytes."""
        if not self.by_question:
            return self
        return replace(self, client=client, outcome="noted" if size > VERY_LONG else self.outcome)


SUCCESS = Penalty("ok")
NO_PENALTY = Penalty("none")


def penalty_for(error: UpstreamError, *, sent: bool, beyond: bool = False) -> Penalty:
    """Return the penalty for `error`; `sent`: the question had left, so that it may be what was refused.

    `beyond`: the question asked for more than others may, so that a refusal for one of the reasons in DEMANDED may be
    its own.
    """
    reason, by_question = error.reason, (error.by_question or beyond) and sent
    if reason == Reason.ACCOUNT_THROTTLED:
        return _cool(reason, _DAY if error.retry_after is None else error.retry_after, by_question=by_question)
    if reason == Reason.ACCOUNT_CAPTCHA:
        return Penalty("quarantined", reason)
    if reason == Reason.ACCOUNT_REFUSED:
        # The server checks the key with each question, and has rejected it or its use.
        return Penalty("dead", reason, _TRIAL, by_question)
    if reason == Reason.ACCOUNT_UNAUTHORIZED:
        # A question may be refused because of its conversation; if the account is at fault, the next creation fails.
        return Penalty("trouble", reason, _TRANSPORT_PAUSE, by_question) if sent else Penalty("dead", reason)
    if reason.startswith("upstream.") and error.refused and error.retry_after is not None:
        return _cool(reason, error.retry_after, by_question=by_question)
    if reason == Reason.QUESTION_INVALID and error.refused:
        # Without consequence, unless several clients meet it.
        return Penalty("doubted", reason, _DOUBTED_PAUSE, by_question=True)
    if reason == Reason.UPSTREAM_BUSY:
        return Penalty("refused", reason, _REFUSED_PAUSE, by_question)
    if reason in _REFUSED_REASONS:
        return Penalty("refused", reason, _REFUSED_PAUSE, by_question=sent)
    if reason.startswith(_TRANSPORT_REASONS):
        return Penalty("trouble", reason, _TRANSPORT_PAUSE, by_question=sent)
    if reason in _INTERNAL_REASONS:
        return Penalty("internal", reason, _INTERNAL, by_question=sent)
    return NO_PENALTY


def _cool(reason: str, pause: float, *, by_question: bool) -> Penalty:
    return Penalty("cooling", reason, min(pause, _LONGEST_BY_QUESTION) if by_question else pause, by_question)
