from emulator.blocks import AnswerBlock, BlockFragment, fragments
from emulator.openai import call_faults

TEXT = AnswerBlock("text", "one")
ONE, TWO = AnswerBlock("tool_call", '{"a":"one"}', name="f"), AnswerBlock("tool_call", '{"b":"two"}', name="g")


def portions() -> list[BlockFragment]:
    return fragments([TEXT, ONE, TWO])


def joined(changed: list[BlockFragment], block: AnswerBlock) -> str:
    return "".join(portion for portion in changed if portion.block is block)


def test_fragments_of_two_calls_alternate() -> None:
    changed = call_faults.interleave(portions())
    assert [portion.number for portion in changed[1:]] == [0, 1] * (len(changed[1:]) // 2)
    assert (joined(changed, ONE), joined(changed, TWO)) == (ONE.text, TWO.text)


def test_arguments_lose_their_end() -> None:
    assert joined(call_faults.spoil_arguments(portions()), ONE) == ONE.text[:-1]


def test_arguments_are_dropped_but_not_the_calls() -> None:
    changed = call_faults.drop_arguments(portions())
    assert [(portion.block, str(portion)) for portion in changed] == [(TEXT, "one"), (ONE, ""), (TWO, "")]


def test_the_last_call_is_cut() -> None:
    changed = call_faults.cut_arguments(portions())
    assert joined(changed, ONE) == ONE.text
    assert TWO.text.startswith(joined(changed, TWO))
    assert 0 < len(joined(changed, TWO)) < len(TWO.text)


def test_calls_are_dropped() -> None:
    assert call_faults.drop_calls(portions()) == ["one"]
    assert call_faults.keep(portions()) == portions()
