"""The table of outcomes: how a turn, a create, an upgrade or an image request can go."""

from dataclasses import dataclass

from emulator import failure_scenarios, scenarios
from emulator.accounts import RequestKind
from emulator.bing import broken_frames, refusals
from emulator.bing import scenarios as bing_scenarios
from emulator.bing.turn import BingTurn
from emulator.directives import Directives
from emulator.scenarios import Scenario

LOOKUP = ("news", "latest", "today", "weather", "price", "search", "新闻", "最新", "今天", "天气", "价格", "搜索", "谁")


@dataclass(frozen=True)
class BingOutcome:
    """How a turn goes. spends: whether it counts against the conversation's limit and the account's quota."""

    scenario: Scenario[BingTurn]
    meaning: str
    spends: bool = True


CHAT: dict[str, BingOutcome] = {
    "plain": BingOutcome(scenarios.plain, "an ordinary answer without a search"),
    "search": BingOutcome(
        bing_scenarios.search, "a search turn: neither messages[1] nor messages[-1] of the final item is the answer"
    ),
    "search-no-cards": BingOutcome(bing_scenarios.search_no_cards, "a search turn whose notes have no adaptiveCards"),
    "image": BingOutcome(
        bing_scenarios.image, "a GenerateContentQuery before the text, second message of the final item"
    ),
    "learning": BingOutcome(scenarios.learning, "the answer says “I’m still learning” or 我还在学习"),
    "surrogate": BingOutcome(scenarios.surrogate, "an emoji's two surrogates come in two updates"),
    "surrogate-end": BingOutcome(scenarios.surrogate_end, "the answer ends with half a surrogate pair"),
    "cite-cut": BingOutcome(bing_scenarios.cite_cut, "each citation mark is cut over three updates"),
    "open-mark": BingOutcome(scenarios.open_mark, "the answer ends with `[^1`"),
    "shrink": BingOutcome(bing_scenarios.shrink, "in the middle the text gets shorter, then continues differently"),
    "replace": BingOutcome(bing_scenarios.replace, "in the middle the text is replaced by another one"),
    "final-only": BingOutcome(bing_scenarios.final_only, "all the text only in the final item"),
    "final-longer": BingOutcome(bing_scenarios.final_longer, "the final item's text is longer than the updates'"),
    "two-answers": BingOutcome(bing_scenarios.two_answers, "two messages without a type; the last one is the answer"),
    "batch": BingOutcome(bing_scenarios.batch, "four records in each message"),
    "pings": BingOutcome(bing_scenarios.pings, "a type 6 record before each text update"),
    "progress": BingOutcome(bing_scenarios.progress, "a Progress message with an ordinary card before the answer"),
    "internal-suggestions": BingOutcome(
        bing_scenarios.internal_suggestions, "InternalSuggestions without text as last message"
    ),
    "no-cards": BingOutcome(bing_scenarios.no_cards, "messages without adaptiveCards"),
    "empty-cards": BingOutcome(bing_scenarios.empty_cards, "messages with adaptiveCards []"),
    "card-only": BingOutcome(bing_scenarios.card_only, "messages without text; only the card has it"),
    "image-block": BingOutcome(bing_scenarios.image_block, "the card begins with a picture block without text"),
    "apology": BingOutcome(
        bing_scenarios.apology, "in the middle the text is replaced by an Apology, in the final item too"
    ),
    "apology-no-text": BingOutcome(bing_scenarios.apology_no_text, "the same with only hiddenText and spokenText"),
    "apology-first": BingOutcome(bing_scenarios.apology_first, "an Apology before any text"),
    "disengaged": BingOutcome(
        bing_scenarios.disengaged, "Disengaged before any text; the conversation answers no more"
    ),
    "disengaged-mid": BingOutcome(bing_scenarios.disengaged_mid, "Disengaged in the middle of the text"),
    "turn-limit": BingOutcome(bing_scenarios.turn_limit, "TurnLimiter message, counters at limit + 1", spends=False),
    "empty": BingOutcome(bing_scenarios.empty, "Success, but the final item holds only the user's message"),
    "throttled": BingOutcome(refusals.throttled, "Throttled", spends=False),
    "throttled-after-text": BingOutcome(refusals.throttled_after_text, "half the text, then Throttled"),
    "captcha": BingOutcome(refusals.captcha, "CaptchaChallenge", spends=False),
    "invalid-session": BingOutcome(
        refusals.invalid_session, "InvalidSession (no error key); the conversation is gone", spends=False
    ),
    "unauthorized": BingOutcome(refusals.unauthorized, "UnauthorizedRequest: login first", spends=False),
    "unauthorized-signature": BingOutcome(
        refusals.unauthorized_signature, "UnauthorizedRequest: no signature", spends=False
    ),
    "unauthorized-expired": BingOutcome(
        refusals.unauthorized_expired, "UnauthorizedRequest: token expired (IDX10223)", spends=False
    ),
    "forbidden": BingOutcome(refusals.forbidden, "Forbidden", spends=False),
    "invalid-request": BingOutcome(refusals.invalid_request, "InvalidRequest", spends=False),
    "unknown-value": BingOutcome(refusals.unknown_value, "a result value that no client knows", spends=False),
    "internal": BingOutcome(refusals.internal, "InternalError before any text; `=1` to `=5` picks the message"),
    "internal-after-text": BingOutcome(refusals.internal_after_text, "the whole text, then InternalError"),
    "silence": BingOutcome(failure_scenarios.silence, "nothing after the question"),
    "silence-mid": BingOutcome(failure_scenarios.silence_mid, "nothing from the middle on"),
    "silence-late": BingOutcome(failure_scenarios.silence_late, "all the text, no final item"),
    "pause-mid": BingOutcome(scenarios.pause_mid, "nothing for `=S` seconds in the middle (else 5), then the rest"),
    "close-before": BingOutcome(failure_scenarios.close, "close 1000 before any answer"),
    "close-mid": BingOutcome(failure_scenarios.close_mid, "close 1000 in the middle"),
    "close-late": BingOutcome(failure_scenarios.close_late, "close 1000 after all the text, without a final item"),
    "reset-before": BingOutcome(failure_scenarios.reset, "TCP reset before any answer"),
    "reset-mid": BingOutcome(failure_scenarios.reset_mid, "TCP reset in the middle"),
    "type7": BingOutcome(broken_frames.type7, "a type 7 record in the middle, the socket stays open"),
    "type7-close": BingOutcome(broken_frames.type7_close, "a type 7 record in the middle, then close 1000"),
    "type3": BingOutcome(broken_frames.type3, "a type 3 record in the middle and no type 2, the socket stays open"),
    "type3-error": BingOutcome(
        broken_frames.type3_error, "a type 3 record with an error at once, the socket stays open"
    ),
    "binary": BingOutcome(broken_frames.binary, "a binary message in the middle"),
    "empty-messages": BingOutcome(broken_frames.empty_messages, "five empty messages in the middle"),
    "big": BingOutcome(broken_frames.big, "a message above 4 MiB in the middle"),
    "bad-json": BingOutcome(broken_frames.bad_json, "a record that is no JSON in the middle"),
    "not-object": BingOutcome(broken_frames.not_object, "records that are no objects in the middle"),
    "split-record": BingOutcome(broken_frames.split_record, "each text record is split over two messages"),
    "unknown-type": BingOutcome(broken_frames.unknown_type, "a record of type 99 before the final item"),
    "no-arguments": BingOutcome(broken_frames.no_arguments, "updates without usable arguments in the middle"),
    "wrong-types": BingOutcome(broken_frames.wrong_types, "numbers where texts and lists belong"),
    "no-origin": BingOutcome(broken_frames.no_origin, "updates without contentOrigin"),
    "no-messages": BingOutcome(broken_frames.no_messages, "all the text, then a final item without messages"),
    "final-empty": BingOutcome(broken_frames.final_empty, "all the text, then a final item with messages []"),
    "final-no-origin": BingOutcome(broken_frames.final_no_origin, "the final item's last message lacks contentOrigin"),
    "no-throttling": BingOutcome(broken_frames.no_throttling, "a final item without throttling and expiry"),
    "no-result": BingOutcome(broken_frames.no_result, "a final item without result"),
    "no-item": BingOutcome(broken_frames.no_item, "a type 2 record without item"),
    "after-final": BingOutcome(broken_frames.after_final, "an update behind the final item"),
}

CREATE: dict[str, str] = {
    "success": "a conversation, signature in the body and in the headers",
    "header-only": "a conversation, signature only in the headers; the socket needs sec_access_token",
    "unauthorized-login": "UnauthorizedRequest: login first",
    "not-allowed": "UnauthorizedRequest: not allowed",
    "forbidden": "Forbidden",
    "internal": "InternalServerError",
    "try-later": "TryLater",
    "no-ids": "Success without any id",
    "http-403": "status 403",
    "http-404": "status 404",
    "http-429": "status 429",
    "http-500": "status 500",
    "html": "status 200 with an HTML page",
    "empty": "status 200 with an empty body",
    "bad-json": "status 200 with a body that is no JSON",
    "redirect-loop": "a redirect to itself",
    "reset": "TCP reset",
    "slow": "a conversation after `=S` seconds (else 5), whatever the pace",
    "never": "no answer until the client leaves",
}

UPGRADE: dict[str, str] = {
    "success": "the socket opens",
    "http-200": "status 200 instead of the upgrade",
    "http-403": "status 403",
    "http-404": "status 404",
    "http-502": "status 502",
    "never": "no answer to the upgrade until the client leaves",
    "slow": "the upgrade comes after `=S` seconds (else 5), whatever the pace",
    "reset": "TCP reset",
    "silent-handshake": "the socket opens, the handshake is never answered",
    "handshake-error": "the handshake is answered with an error",
    "handshake-close": "the socket closes instead of answering the handshake",
}

IMAGE: dict[str, str] = {
    "success": "four pictures after two polls",
    "one": "one picture",
    "blocked": "the page that the prompt has been blocked",
    "reviewed": "the page that the prompt is being reviewed",
    "language": "the page that the language is not supported yet",
    "busy": "the page of high demand, with one of the bad pictures",
    "unsafe": "the page of unsafe content",
    "too-many": "the page that no more prompts can be submitted",
    "sign-in": "the sign-in page",
    "retry": "the first POST is no 302, the second one is",
    "no-redirect": "neither POST is a 302",
    "absolute": "an absolute Location",
    "forbidden": "status 403",
    "http-500": "status 500",
    "slow": "pictures, but each poll takes `=S` seconds (else 6), whatever the pace",
    "slow-post": "pictures, but the POST takes `=S` seconds (else 6), whatever the pace",
    "pending": "empty results for ever",
    "error-message": "results with errorMessage for ever",
    "poll-500": "status 500 on the second poll",
    "poll-404": "status 404 on the second poll",
    "bad": "results with one of the two bad pictures",
    "none": "results without a picture",
    "icons": "four pictures between icons and scripts of the page",
}


def names(kind: RequestKind) -> frozenset[str]:
    """Return the outcomes of a kind of request; there are none for what only /v1 has."""
    tables: dict[RequestKind, frozenset[str]] = {
        "chat": frozenset(CHAT),
        "create": frozenset(CREATE),
        "upgrade": frozenset(UPGRADE),
        "image": frozenset(IMAGE),
    }
    return tables.get(kind, frozenset())


def default(directives: Directives) -> str:
    """Return what an ordinary question gets: a search if it sounds like one."""
    if directives.options.keys() & {"deltas", "stamp", "long"}:
        return "plain"
    lowered = directives.topic.lower()
    return "search" if any(word in lowered for word in LOOKUP) else "plain"
