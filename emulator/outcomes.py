"""The table of outcomes: how a turn, a create, an upgrade or an image request can go."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emulator import faults, plays, words
from emulator.accounts import Kind
from emulator.turn import Step, Turn
from emulator.words import Words

LOOKUP = ("news", "latest", "today", "weather", "price", "search", "新闻", "最新", "今天", "天气", "价格", "搜索", "谁")


@dataclass(frozen=True)
class Outcome:
    """How a turn goes. spends: whether it counts against the conversation's limit and the account's quota."""

    play: Callable[[Turn], Iterator[Step]]
    meaning: str
    spends: bool = True


CHAT: dict[str, Outcome] = {
    "plain": Outcome(plays.plain, "an ordinary answer without a search"),
    "search": Outcome(
        plays.search, "a search turn: neither messages[1] nor messages[-1] of the final item is the answer"
    ),
    "search-no-cards": Outcome(plays.search_no_cards, "a search turn whose notes have no adaptiveCards"),
    "image": Outcome(plays.image, "a GenerateContentQuery before the text, second message of the final item"),
    "learning": Outcome(plays.learning, "the answer says “I’m still learning” or 我还在学习"),
    "surrogate": Outcome(plays.surrogate, "an emoji's two surrogates come in two updates"),
    "surrogate-end": Outcome(plays.surrogate_end, "the answer ends with half a surrogate pair"),
    "cite-cut": Outcome(plays.cite_cut, "each citation mark is cut over three updates"),
    "open-mark": Outcome(plays.open_mark, "the answer ends with `[^1`"),
    "shrink": Outcome(plays.shrink, "in the middle the text gets shorter, then goes on differently"),
    "replace": Outcome(plays.replace, "in the middle the text is replaced by another one"),
    "final-only": Outcome(plays.final_only, "all the text only in the final item"),
    "final-longer": Outcome(plays.final_longer, "the final item's text is longer than the updates'"),
    "two-answers": Outcome(plays.two_answers, "two messages without a type; the last one is the answer"),
    "batch": Outcome(plays.batch, "four records in each message"),
    "pings": Outcome(plays.pings, "a type 6 record before each text update"),
    "progress": Outcome(plays.progress, "a Progress message with an ordinary card before the answer"),
    "internal-suggestions": Outcome(plays.internal_suggestions, "InternalSuggestions without text as last message"),
    "no-cards": Outcome(plays.no_cards, "messages without adaptiveCards"),
    "empty-cards": Outcome(plays.empty_cards, "messages with adaptiveCards []"),
    "card-only": Outcome(plays.card_only, "messages without text; only the card has it"),
    "image-block": Outcome(plays.image_block, "the card begins with a picture block without text"),
    "apology": Outcome(plays.apology, "in the middle the text is replaced by an Apology, in the final item too"),
    "apology-no-text": Outcome(plays.apology_no_text, "the same with only hiddenText and spokenText"),
    "apology-first": Outcome(plays.apology_first, "an Apology before any text"),
    "disengaged": Outcome(plays.disengaged, "Disengaged before any text; the conversation answers no more"),
    "disengaged-mid": Outcome(plays.disengaged_mid, "Disengaged in the middle of the text"),
    "turn-limit": Outcome(plays.turn_limit, "TurnLimiter message, counters at limit + 1", spends=False),
    "empty": Outcome(plays.empty, "Success, but the final item holds only the user's message"),
    "throttled": Outcome(faults.throttled, "Throttled", spends=False),
    "throttled-after-text": Outcome(faults.throttled_after_text, "half the text, then Throttled"),
    "captcha": Outcome(faults.captcha, "CaptchaChallenge", spends=False),
    "invalid-session": Outcome(
        faults.invalid_session, "InvalidSession (no error key); the conversation is gone", spends=False
    ),
    "unauthorized": Outcome(faults.unauthorized, "UnauthorizedRequest: login first", spends=False),
    "unauthorized-signature": Outcome(faults.unauthorized_signature, "UnauthorizedRequest: no signature", spends=False),
    "unauthorized-expired": Outcome(
        faults.unauthorized_expired, "UnauthorizedRequest: token expired (IDX10223)", spends=False
    ),
    "forbidden": Outcome(faults.forbidden, "Forbidden", spends=False),
    "invalid-request": Outcome(faults.invalid_request, "InvalidRequest", spends=False),
    "unknown-value": Outcome(faults.unknown_value, "a result value that no client knows", spends=False),
    "internal": Outcome(faults.internal, "InternalError before any text; `=1` to `=5` picks the message"),
    "internal-after-text": Outcome(faults.internal_after_text, "the whole text, then InternalError"),
    "silence": Outcome(faults.silence, "nothing after the question"),
    "silence-mid": Outcome(faults.silence_mid, "nothing from the middle on"),
    "silence-late": Outcome(faults.silence_late, "all the text, no final item"),
    "pause-mid": Outcome(faults.pause_mid, "nothing for `=S` seconds in the middle (else 5), then the rest"),
    "close-before": Outcome(faults.close_before, "close 1000 before any answer"),
    "close-mid": Outcome(faults.close_mid, "close 1000 in the middle"),
    "close-late": Outcome(faults.close_late, "close 1000 after all the text, without a final item"),
    "reset-before": Outcome(faults.reset_before, "TCP reset before any answer"),
    "reset-mid": Outcome(faults.reset_mid, "TCP reset in the middle"),
    "type7": Outcome(faults.type7, "a type 7 record in the middle, the socket stays open"),
    "type7-close": Outcome(faults.type7_close, "a type 7 record in the middle, then close 1000"),
    "type3": Outcome(faults.type3, "a type 3 record in the middle and no type 2, the socket stays open"),
    "type3-error": Outcome(faults.type3_error, "a type 3 record with an error at once, the socket stays open"),
    "binary": Outcome(faults.binary, "a binary message in the middle"),
    "empty-messages": Outcome(faults.empty_messages, "five empty messages in the middle"),
    "big": Outcome(faults.big, "a message above 4 MiB in the middle"),
    "bad-json": Outcome(faults.bad_json, "a record that is no JSON in the middle"),
    "not-object": Outcome(faults.not_object, "records that are no objects in the middle"),
    "split-record": Outcome(faults.split_record, "each text record is split over two messages"),
    "unknown-type": Outcome(faults.unknown_type, "a record of type 99 before the final item"),
    "no-arguments": Outcome(faults.no_arguments, "updates without usable arguments in the middle"),
    "wrong-types": Outcome(faults.wrong_types, "numbers where texts and lists belong"),
    "no-origin": Outcome(faults.no_origin, "updates without contentOrigin"),
    "no-messages": Outcome(faults.no_messages, "all the text, then a final item without messages"),
    "final-empty": Outcome(faults.final_empty, "all the text, then a final item with messages []"),
    "final-no-origin": Outcome(faults.final_no_origin, "the final item's last message lacks contentOrigin"),
    "no-throttling": Outcome(faults.no_throttling, "a final item without throttling and expiry"),
    "no-result": Outcome(faults.no_result, "a final item without result"),
    "no-item": Outcome(faults.no_item, "a type 2 record without item"),
    "after-final": Outcome(faults.after_final, "an update behind the final item"),
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


def names(kind: Kind) -> frozenset[str]:
    tables: dict[Kind, frozenset[str]] = {
        "chat": frozenset(CHAT),
        "create": frozenset(CREATE),
        "upgrade": frozenset(UPGRADE),
        "image": frozenset(IMAGE),
    }
    return tables[kind]


def default(asked: Words) -> str:
    """What an ordinary question gets: a search if it sounds like one."""
    if asked.options.keys() & {"deltas", "stamp", "long"}:
        return "plain"
    lowered = asked.topic.lower()
    return "search" if any(word in lowered for word in LOOKUP) else "plain"


def scripted(script: str, kind: Kind) -> Words:
    """The words of a script that was checked when it was set."""
    return words.scripted(script, names(kind))
