from hypothesis import given
from hypothesis import strategies as st

from emulator.blocks import AnswerBlock, fragments

CALL = AnswerBlock("tool_call", '{"city":"Paris","unit":"c"}', name="get_weather")


@given(st.lists(st.text()), st.lists(st.integers(1, 5), max_size=4))
def test_fragments_add_up_to_their_blocks(texts: list[str], sizes: list[int]) -> None:
    blocks = [AnswerBlock("text", text) for text in texts]
    portions = fragments(blocks, sizes)
    for number, text in enumerate(texts):
        own = [portion for portion in portions if portion.number == number]
        assert "".join(own) == text
        assert [(portion.first, portion.last) for portion in own] == [
            (place == 0, place == len(own) - 1) for place in range(len(own))
        ]


def test_a_call_begins_with_its_name_alone_or_is_whole() -> None:
    assert list(fragments([CALL]))[:2] == ["", '{"city":"']
    assert fragments([CALL], whole=True) == [CALL.text]


def test_sizes_are_used_across_blocks_and_the_last_one_again() -> None:
    portions = fragments([AnswerBlock("text", "abcde"), AnswerBlock("text", "fghij")], [1, 4, 2])
    assert portions == ["a", "bcde", "fg", "hi", "j"]


def test_blocks_are_counted_by_kind() -> None:
    portions = fragments([AnswerBlock("text", "x"), CALL, CALL], whole=True)
    assert [(portion.block.kind, portion.number) for portion in portions] == [
        ("text", 0),
        ("tool_call", 0),
        ("tool_call", 1),
    ]
