from emulator.openai.turn import SendChunk, SendDone
from emulator.steps import Pause, Tick
from tests.support.emulator.turns import completion_turn


def test_a_turn_begins_with_the_role_and_ends_with_sources_and_reason() -> None:
    turn = completion_turn()
    answer = turn.compose()
    first, role, wait = turn.begin(answer)
    assert (first, wait) == (Pause(0.09), Pause(0.6))
    assert isinstance(role, SendChunk)
    assert role.body["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    sources, reason, done = turn.end(answer, "length")
    assert isinstance(sources, SendChunk)
    assert isinstance(reason, SendChunk)
    assert len(sources.body["choices"][0]["delta"]["annotations"]) == 3
    assert reason.body["choices"][0]["finish_reason"] == "length"
    assert done == SendDone()


def test_each_piece_comes_at_a_beat() -> None:
    beat, chunk = completion_turn("cats !rate=10").write(["one"])
    assert beat == Tick(0.1, exact=True)
    assert isinstance(chunk, SendChunk)
    assert chunk.piece == "one"


def test_a_stamped_piece_holds_the_time() -> None:
    assert completion_turn("cats !stamp").text_chunk("one").piece.startswith("one t=")


def test_the_answer_has_no_marks_but_its_annotations_know_their_places() -> None:
    turn = completion_turn()
    answer = turn.compose()
    assert "[^" not in answer.text
    citation = turn.annotate(answer)[0]["url_citation"]
    assert answer.text[citation["start_index"] : citation["end_index"]].startswith("1. **The question**")
