import pytest

from emulator.anthropic import refusals


@pytest.mark.parametrize(("seconds", "expected"), [(None, "5"), (0.2, "1"), (7.0, "7")])
def test_a_limit_names_when_to_come_back(seconds: float | None, expected: str) -> None:
    response = refusals.throttled(seconds)
    assert response.headers["retry-after"] == expected
    assert response.headers["anthropic-ratelimit-requests-remaining"] == "0"


@pytest.mark.parametrize("name", ["http-503", "overloaded"])
def test_an_overload_names_it_only_if_asked(name: str) -> None:
    assert "retry-after" not in refusals.CHAT[name].render(None).headers
    assert refusals.CHAT[name].render(1.5).headers["retry-after"] == "2"


def test_messages_by_which_programs_know_a_reason() -> None:
    assert "prompt is too long: 208310 tokens > 200000 maximum" in str(
        refusals.CHAT["context-length"].render(None).text
    )
    assert "credit balance is too low" in str(refusals.CHAT["quota"].render(None).text)
