from emulator.anthropic import rate_limits


def test_the_limits_are_named_with_what_is_left_of_them() -> None:
    usual, spent = rate_limits.describe(), rate_limits.describe(0, 5)
    assert usual["anthropic-ratelimit-requests-remaining"] == "999"
    assert spent["anthropic-ratelimit-input-tokens-remaining"] == "0"
    assert spent["anthropic-ratelimit-requests-limit"] == "1000"
    assert spent["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert len(usual) == 12
