import pytest

from worker.providers.bing.errors import map_create_failure, map_turn_failure


@pytest.mark.parametrize(
    ("value", "message", "failure"),
    [
        ("Throttled", "Request is throttled.", ("account.throttled", True)),
        ("CaptchaChallenge", "User needs to solve CAPTCHA to continue.", ("account.captcha", True)),
        ("InvalidSession", "Conversation 'x' doesn't exist or has expired.", ("session.expired", True)),
        ("UnauthorizedRequest", "Sorry, you need to login first.", ("account.unauthorized", True)),
        ("UnauthorizedRequest", "The conversationSignature is not set and is required", ("session.expired", True)),
        ("UnauthorizedRequest", "Token issued by x is invalid (IDX10223)", ("session.expired", True)),
        ("Forbidden", "", ("account.unauthorized", True)),
        ("InternalError", "Unhandled Exception", ("upstream.internal", False)),
        ("InternalServerError", "Error processing request.", ("upstream.internal", False)),
        ("TryLater", "", ("upstream.internal", False)),
        ("InvalidRequest", "", ("upstream.protocol", False)),
        ("", "", ("upstream.protocol", False)),
    ],
)
def test_a_turns_result_has_one_meaning(value: str, message: str, failure: tuple[str, bool]) -> None:
    assert map_turn_failure(value, message) == failure


def test_a_creation_never_blames_the_conversation() -> None:
    assert map_create_failure("UnauthorizedRequest") == ("account.unauthorized", True)
    assert map_create_failure("Throttled") == ("account.throttled", True)
    assert map_create_failure("InvalidSession") == ("upstream.protocol", False)
