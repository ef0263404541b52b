"""Tokens: counted upstream, or estimated and marked so."""

from msgspec import UNSET

from gateway.openai.usage import count_tokens
from wire.about import describe
from wire.messages import Chat, HistoryMessage, Usage

WORK = Chat("balanced", "你好", instructions="abc", history=(HistoryMessage("user", "d"),))


def test_the_upstreams_own_count_counts() -> None:
    usage = count_tokens(Usage(3, 4), describe(WORK), "text")
    assert (usage.prompt, usage.completion, usage.total, usage.mark) == (3, 4, 7, UNSET)


def test_without_one_it_is_a_quarter_of_the_bytes_and_says_so() -> None:
    usage = count_tokens(None, describe(WORK), "12345")
    assert (usage.prompt, usage.completion, usage.total, usage.mark) == (3, 2, 5, True)
