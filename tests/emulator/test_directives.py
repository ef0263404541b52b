import pytest

from emulator.directives import Directives, check_script

NAMES = {"throttled", "internal"}


def test_words_are_read_and_leave_the_topic() -> None:
    directives = Directives.parse("tell me !throttled about cats !rate=20.5 !stamp", NAMES)
    assert directives.outcome == "throttled"
    assert directives.options == {"rate": 20.5, "stamp": 1.0}
    assert directives.topic == "tell me about cats"


def test_an_outcome_may_have_a_number() -> None:
    assert Directives.parse("!internal=3", NAMES) == Directives("internal", {}, 3.0, "")


@pytest.mark.parametrize("text", ["what a day!", "hello !unknown", "a!throttled", "!throttledness", "!=throttled"])
def test_other_text_stays_text(text: str) -> None:
    assert Directives.parse(text, NAMES) == Directives(None, {}, None, text)


@pytest.mark.parametrize("text", ["hello !throttled.", "你好 !throttled，谢谢", "!throttled, please"])
def test_a_word_may_be_followed_by_punctuation(text: str) -> None:
    assert Directives.parse(text, NAMES).outcome == "throttled"


@pytest.mark.parametrize("script", ["", "!throttled", "throttled nonsense", "rate=fast"])
def test_a_script_with_an_unknown_word_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="outcome"):
        check_script(script, NAMES)


def test_a_script_is_read_like_a_question() -> None:
    check_script("throttled rate=20", NAMES)
    assert Directives.parse_script("throttled rate=20", NAMES).options == {"rate": 20.0}
