"""What is kept of work with its answer is small, and enough to recognise the same prompt."""

import pytest

from wire.about import About, decode_about, describe, digest_prompt, encode_about
from wire.errors import BadMessageError
from wire.messages import Chat, HistoryMessage, Image

WORK = Chat("creative", "why?", instructions="b" * 9000, history=(HistoryMessage("user", "你好"),))


def test_it_is_small_whatever_was_asked() -> None:
    about = describe(Chat("balanced", "x" * 1_000_000, instructions="y" * 1_000_000))
    assert len(encode_about(about)) < 5000
    assert about.prompt_bytes == 2_000_000


def test_it_survives_its_way_through_redis() -> None:
    for work in (WORK, Image("cat")):
        assert decode_about(encode_about(describe(work))) == describe(work)
    assert describe(Image("cat")) == About("image")


def test_only_the_same_prompt_has_its_digest() -> None:
    same = digest_prompt(WORK.instructions, WORK.history, WORK.question)
    others = [
        digest_prompt("", WORK.history, WORK.question),
        digest_prompt(WORK.instructions, (), WORK.question),
        digest_prompt(WORK.instructions, (HistoryMessage("user", "你好", "bob"),), WORK.question),
        digest_prompt(WORK.instructions, WORK.history, "why"),
    ]
    assert describe(WORK).digest == same
    assert len({same, *others}) == 5


def test_half_a_character_and_what_is_no_json_are_no_messages() -> None:
    for call in (
        lambda: describe(Chat("balanced", "\ud83d")),
        lambda: digest_prompt("", (), "\ud83d"),
        lambda: decode_about(b"{"),
    ):
        with pytest.raises(BadMessageError):
            call()
