"""Turns over the chat socket that end with a result other than Success, as steps."""

from collections.abc import Iterator

from emulator.bing.turn import BingTurn
from emulator.failure_scenarios import after_text, midway
from emulator.scenarios import Scenario
from emulator.steps import Step

INTERNAL = (
    "Unhandled Dependency Failure: DeepLeo|Bing",
    "ServiceClient failure for ChatGpt. Cancellation not requested",
    'Error calling extension "DeepLeo + Sydney" (deep-leo)',
    "Unhandled Exception",
    "ServiceClient failure for UserOffense",
)
UNAUTHORIZED = "UnauthorizedRequest"


def refuse(value: str, message: str) -> Scenario[BingTurn]:
    """Return a scenario that ends at once with this result."""

    def play(turn: BingTurn) -> Iterator[Step]:
        yield turn.refuse(value, message)

    return play


throttled = refuse("Throttled", "Request is throttled.")
throttled_after_text = midway(throttled)
captcha = refuse("CaptchaChallenge", "User needs to solve CAPTCHA to continue.")
unauthorized = refuse(UNAUTHORIZED, "Sorry, you need to login first to access this service.")
unauthorized_signature = refuse(UNAUTHORIZED, "The conversationSignature is not set and is required for this request.")
unauthorized_expired = refuse(
    UNAUTHORIZED,
    "Token issued by the service is invalid (IDX10223: Lifetime validation failed. The token is expired.)",
)
forbidden = refuse("Forbidden", "Sorry, you are not allowed to access this service.")
invalid_request = refuse("InvalidRequest", "Sorry, I wasn't able to respond to that")
unknown_value = refuse("SomethingNew", "A value that no client knows.")
internal_after_text = after_text(refuse("InternalError", "Unhandled Exception"))


def invalid_session(turn: BingTurn) -> Iterator[Step]:
    """Refuse without `error` beside the message; the caller has dropped the conversation."""
    missing = f"Conversation '{turn.conversation.id}' doesn't exist or has expired."
    yield turn.refuse("InvalidSession", f"{missing} Conversations expire after 06:00:00 minutes.", error=False)


def internal(turn: BingTurn) -> Iterator[Step]:
    """Fail before any text; `=N` picks one of the five messages, from 1."""
    index = int(turn.directives.number or 1) - 1
    yield from turn.announce()
    yield turn.refuse("InternalError", INTERNAL[index % len(INTERNAL)])
