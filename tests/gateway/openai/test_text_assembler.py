"""An answer's text as it goes out: deltas join to the whole, stops and sources included."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.openai.text_assembler import TextAssembler
from wire.messages import Delta, Final, Replace, Source

SOURCE = Source("T", "https://e.org")


@given(st.lists(st.text("ab ", max_size=5)), st.text("ab ", max_size=5), st.booleans())
def test_joined_deltas_are_the_whole_answer(pieces: list[str], rest: str, sources: bool) -> None:
    writing = TextAssembler(list_sources=sources)
    joined = "".join(writing.add(Delta(piece)) for piece in pieces)
    text = "".join(pieces) + rest
    joined += writing.add(Final(text, urls=(SOURCE,)))
    listed = "\n\n1. T: https://e.org" if sources else ""
    assert joined == writing.sent == writing.text == text + listed
    assert writing.finished


@given(st.lists(st.text("ab", max_size=5)), st.lists(st.text("ab", max_size=5)), st.text("ab", max_size=5))
def test_what_the_upstream_replaced_is_sent_before_the_whole(before: list[str], after: list[str], new: str) -> None:
    writing = TextAssembler()
    joined = "".join(writing.add(Delta(piece)) for piece in before) + writing.add(Replace(new))
    joined += "".join(writing.add(Delta(piece)) for piece in after)
    joined += writing.add(Final(new + "".join(after)))
    assert writing.text == new + "".join(after)
    assert joined == writing.sent == "".join(before) + writing.text


def test_an_end_that_is_another_text_is_sent_as_a_whole() -> None:
    writing = TextAssembler()
    assert [writing.add(Delta("Searching")), writing.add(Final("The sky"))] == ["Searching", "The sky"]
    assert (writing.sent, writing.text) == ("SearchingThe sky", "The sky")


def test_a_stop_sequence_ends_it_without_its_sources() -> None:
    writing = TextAssembler(["STOP"], list_sources=True)
    assert [writing.add(Delta("a ST")), writing.finished] == ["a ", False]
    assert [writing.add(Delta("OP b")), writing.finished, writing.cut] == ["", True, True]
    assert writing.locate_citations(writing.sent) == []


def test_what_was_held_back_belongs_to_the_text_that_was_replaced() -> None:
    writing = TextAssembler(["STOP"])
    assert "".join([writing.add(Delta("a ST")), writing.add(Replace("OP")), writing.add(Final("OPS"))]) == "a OPS"
    assert not writing.cut


def test_a_stop_sequence_that_only_the_end_completes_still_counts() -> None:
    writing = TextAssembler(["STOP"])
    writing.add(Delta("a STO"))
    assert writing.add(Final("a STOP b", urls=(SOURCE,))) == ""
    assert (writing.text, writing.cut) == ("a ", True)
