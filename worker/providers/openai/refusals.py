"""What a server's refusal is: the one table from its status, body and names to a reason, and to what may follow.

The first rule that matches decides. A refusal is `final` where the server may still answer the question: it is asked
once then. Any other allows a further attempt, whose place follows from the reason (see worker.turns.routing).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from wire.reasons import Reason


class BodyKind(StrEnum):
    """What the body of a refusal is. An ERROR is the API's: an object or a list of them, with the error inside."""

    ERROR = "error"
    JSON = "json"
    PAGE = "page"
    OTHER = "other"


@dataclass(frozen=True)
class Rule:
    """One row of the table; None matches anything.

    `statuses` contain None for an error without a status, inside a stream or under 200. Where there are `codes` or
    `words`, one of the error's names has to be among them, or its message has to match them. `named`: the error has a
    name at all, and not only a number. `by_question`: another question might not be refused so, for the words may be a
    client's that the server repeats, or it is about what this one asks for.
    """

    reason: Reason
    statuses: frozenset[int | None] | None = None
    bodies: frozenset[BodyKind] | None = None
    codes: frozenset[str] | None = None
    words: re.Pattern[str] | None = None
    named: bool = False
    by_question: bool = False
    final: bool = False

    def matches(self, status: int | None, body: BodyKind, codes: Collection[str], message: str) -> bool:
        """Return whether the rule is about such a refusal."""
        if self.statuses is not None and status not in self.statuses:
            return False
        if self.bodies is not None and body not in self.bodies:
            return False
        if self.named and all(code.isdecimal() for code in codes):
            return False
        if self.codes is None and self.words is None:
            return True
        named = any(code.lower() in (self.codes or ()) for code in codes)
        return named or (self.words is not None and self.words.search(message.lower()) is not None)


def _statuses(*statuses: int | None) -> frozenset[int | None]:
    return frozenset(statuses)


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ERROR = frozenset({BodyKind.ERROR})
_JSON = frozenset({BodyKind.ERROR, BodyKind.JSON})
_PAGE = frozenset({BodyKind.PAGE})
_NOT_JSON = frozenset({BodyKind.PAGE, BodyKind.OTHER})
_3XX = _statuses(*range(300, 400))
_4XX = _statuses(*range(400, 500))
_5XX = _statuses(*range(500, 600))

NO_CREDIT = _codes("insufficient_quota billing_hard_limit_reached insufficient_balance")
# Anthropic's words for that, under 400, and within those of whoever passes them on.
_NO_CREDIT = re.compile(r"^your credit balance is too low\b")
NO_CREDIT_WORDS = re.compile(r"\bcredit balance is too low\b")
# OpenRouter's for a question that may become dearer than what is left, and OpenAI's for one above a minute's limit.
_TOO_DEAR = re.compile(r"\bfewer max_tokens\b|\bcan only afford\b")
_TOO_LARGE = re.compile(r"^request too large\b")
# A limit of tokens: whether a question is above it depends on its length, or on that of the answer which it allows.
_BY_SIZE = re.compile(
    r"\bwould exceed\b(?![^\n]{0,200}\brequests per\b)|\btokens\b|\btp[md]\b|token[ _](count|limit|quota|rate|usage)"
    r"|\breduce (the|your) (prompt|input|length|message|max|request|size)"
)
_LIMITED_BY_SIZE = re.compile(r"\bwould exceed [^\n]{0,80}\blimit\b|\brate limit\b[^\n]{0,200}\btokens\b")
_LIMITED = NO_CREDIT | _codes(
    "rate_limit_exceeded rate_limit_error ratelimiterror too_many_requests resource_exhausted throttlingexception"
)
_KEY = _codes("invalid_api_key authentication_error permission_error permission_denied model_not_found")
# Those of them, and others, that no question changes.
_UNCONDITIONAL = _codes(
    "invalid_api_key authentication_error model_not_found unsupported_country_region_territory deploymentnotfound"
)
_KEY_WORDS = re.compile(r"\bapi[ _-]?key\b")
_OVERLOADED = _codes("overloaded_error overloaded service_unavailable unavailable_error unavailable engine_overloaded")
_LOADING = re.compile(r"^loading model\.?$")
_LOADING_WORDS = re.compile(
    r"\bloading model\b"
    r"|\bmodel\b[^\n]{0,80}\b(is|are) (currently |still |being )*(loading|warming up|starting)\b"
    r"|\bmodel\b[^\n]{0,80}\bbeing loaded\b"
)
_SPENT = _codes("timeout timeout_error request_timeout gateway_timeout deadline_exceeded apitimeouterror")
_TOO_LONG = _codes("context_length_exceeded exceed_context_size_error contextwindowexceedederror")
_TOO_LONG_WORDS = re.compile(
    r"maximum context length"
    r"|exceeds? (the )?(available |model's )?context"
    r"|prompt is too long"
    r"|longer than the context length"
    r"|input token count [^\n]{0,60}exceeds"
    r"|^litellm\.contextwindowexceedederror"
)
_POLICY = _codes("content_filter content_policy_violation moderation_blocked responsibleaipolicyviolation")
_POLICY_WORDS = re.compile(r"content (management )?polic|requires moderation|input was flagged|safety system")
# LiteLLM's proxy sends 400 where others send 404 and, without a database of keys, 401; so does `transformers serve` for
# any model but its own.
_ACCOUNT_400 = _codes("model_not_found no_db_connection")
_ACCOUNT_400_WORDS = re.compile(
    r"^(/[a-z/_]{1,40}: )?invalid model name passed in model=|^server is pinned to '[^\n]{1,200}'; requested '"
)

_MAYBE_LOADING = _statuses(None, 400, 404, 409, 422, 425, 500, 502)

# What a client may name that isn't at its server, beside the model.
_LACKING = re.compile(r"^(?!.*\bmodel\b).*\b(file|container|skill)s?\b.*(not found|not exist|n't exist)", re.DOTALL)

RULES = (
    Rule(Reason.SESSION_TOO_LONG, _statuses(None, 400, 413, 422), codes=_TOO_LONG, words=_TOO_LONG_WORDS),
    Rule(Reason.QUESTION_REFUSED, _statuses(None, 400, 403, 422), codes=_POLICY, words=_POLICY_WORDS),
    Rule(Reason.UPSTREAM_BUSY, _MAYBE_LOADING, _JSON, words=_LOADING),
    Rule(Reason.UPSTREAM_BUSY, _MAYBE_LOADING, _JSON, words=_LOADING_WORDS, by_question=True),
    Rule(Reason.QUESTION_INVALID, _statuses(404), _ERROR, words=_LACKING),
    # The server's own word about its key or model.
    Rule(Reason.ACCOUNT_REFUSED, _statuses(None), _ERROR, codes=_KEY),
    Rule(Reason.ACCOUNT_REFUSED, _statuses(403, 404), _ERROR, codes=_UNCONDITIONAL),
    Rule(Reason.ACCOUNT_REFUSED, _statuses(401), _ERROR, named=True),
    Rule(Reason.ACCOUNT_REFUSED, _statuses(403, 404), _ERROR, named=True, by_question=True),
    Rule(Reason.ACCOUNT_REFUSED, _statuses(401), _ERROR, words=_KEY_WORDS),
    Rule(Reason.ACCOUNT_REFUSED, _statuses(400), _JSON, codes=_ACCOUNT_400, words=_ACCOUNT_400_WORDS),
    # What is wrong with this question alone.
    Rule(Reason.QUESTION_INVALID, _statuses(429), _ERROR, words=_TOO_LARGE),
    Rule(Reason.ACCOUNT_THROTTLED, _statuses(402), _ERROR, words=_TOO_DEAR, by_question=True),
    # A pause that the server asks for, maybe of a question of that size alone.
    Rule(Reason.ACCOUNT_THROTTLED, _statuses(429), codes=NO_CREDIT),
    Rule(Reason.ACCOUNT_THROTTLED, _statuses(429), words=_BY_SIZE, by_question=True),
    Rule(Reason.ACCOUNT_THROTTLED, _statuses(None), _ERROR, words=_LIMITED_BY_SIZE, by_question=True),
    Rule(Reason.ACCOUNT_THROTTLED, _statuses(402, 429)),
    Rule(Reason.ACCOUNT_THROTTLED, _statuses(None, 400), _ERROR, words=_NO_CREDIT),
    Rule(Reason.ACCOUNT_THROTTLED, _statuses(None, 400), _ERROR, words=NO_CREDIT_WORDS, by_question=True),
    Rule(Reason.ACCOUNT_THROTTLED, _statuses(None), codes=_LIMITED),
    Rule(Reason.UPSTREAM_BUSY, _statuses(503, 529)),
    Rule(Reason.UPSTREAM_BUSY, _statuses(None), codes=_OVERLOADED),
    # Whoever is in front of the server answers in its place, or the server takes the request for another one's.
    Rule(Reason.ACCOUNT_BLOCKED, _statuses(401, 403, 404, 405, 407, 409, 410, 415, 421, 423, 424, 425, 426)),
    # 408 and 499: the server may still be at work.
    Rule(Reason.UPSTREAM_INTERNAL, _statuses(408, 499), final=True),
    # Redirects are not followed: they lead to a sign-in, or to an address that the account should have.
    Rule(Reason.ACCOUNT_BLOCKED, _3XX | {511}),
    # Too large a body or header is the client's, whoever says so.
    Rule(Reason.QUESTION_INVALID, _statuses(413, 431)),
    Rule(Reason.ACCOUNT_BLOCKED, _4XX | {200, 501}, _PAGE),
    Rule(Reason.QUESTION_INVALID, _4XX),
    # Something of the request isn't implemented, such as streaming.
    Rule(Reason.QUESTION_INVALID, _statuses(501), _JSON),
    Rule(Reason.UPSTREAM_INTERNAL, _statuses(None, 500, 502), codes=_SPENT, final=True),
    Rule(Reason.UPSTREAM_INTERNAL, _statuses(None, 500, 502), _ERROR),
    Rule(Reason.UPSTREAM_GATEWAY, _statuses(502, 504, *range(520, 528)), _NOT_JSON, final=True),
    Rule(Reason.UPSTREAM_INTERNAL, _5XX | {None}, final=True),
    Rule(Reason.UPSTREAM_PROTOCOL, final=True),
)


def find_rule(status: int | None, body: BodyKind, codes: Collection[str] = (), message: str = "") -> Rule:
    """Return the rule about a refusal."""
    return next(rule for rule in RULES if rule.matches(status, body, codes, message))
