import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.openai.threads import ThreadIndex
from tests.support.emulator.openai_client import OpenaiClient
from tests.support.faults.checker import violations
from tests.support.faults.history import Exchange, Frame


def test_a_question_after_known_ones_continues_their_thread() -> None:
    threads = ThreadIndex()
    first = threads.enter((), "a")
    second = threads.enter(("a",), "b")
    assert second is first
    assert threads.enter(("a", "b"), "c") is first
    assert first.requests == 3


def test_a_question_that_failed_may_be_left_out_or_kept() -> None:
    threads = ThreadIndex()
    first = threads.enter((), "a")
    threads.enter(("a",), "failed")
    assert threads.enter(("a",), "b") is first
    assert threads.enter(("a", "failed"), "b") is first


def test_unknown_questions_before_begin_a_thread() -> None:
    threads = ThreadIndex()
    first = threads.enter((), "a")
    assert threads.enter(("b",), "c") is not first
    assert threads.enter((), "d") is not first


def test_cutting_the_beginning_off_begins_a_thread() -> None:
    threads = ThreadIndex()
    first = threads.enter((), "a")
    threads.enter(("a",), "b")
    assert threads.enter(("b",), "c") is not first


@given(st.lists(st.tuples(st.lists(st.sampled_from("abc"), max_size=3), st.sampled_from("abc")), max_size=30))
def test_their_number_is_bounded(questions: list[tuple[list[str], str]]) -> None:
    threads = ThreadIndex(limit=5)
    for before, question in questions:
        threads.enter(tuple(before), question)
        assert len(threads) <= 5


def answered(question: str, text: str, number: int) -> Exchange:
    """Return what a client of a gateway would have seen of this."""
    data = {"answer": text, "done": True, "reset": False, "token": "t"}
    whole = Frame({"code": 200, "data": data})
    return Exchange("whole", question, streaming=False, frames=[whole], began=number, ended=number + 0.5)


@pytest.mark.anyio
@pytest.mark.parametrize(("remembered", "kinds"), [(True, []), (False, ["moved", "moved"])])
async def test_the_checker_of_promises_sees_whether_a_conversation_continued(
    asker: OpenaiClient, remembered: bool, kinds: list[str]
) -> None:
    before: list[tuple[str, str]] = []
    exchanges = []
    for number, question in enumerate(("cats", "dogs !throttled !once", "birds")):
        reply = await asker.ask(question, *before)
        if reply.status != 200:
            reply = await asker.ask(question, *before)
        exchanges.append(answered(question, reply.text, number))
        if remembered:
            before += [("user", question), ("assistant", reply.text)]
    assert [violation.kind for violation in violations(exchanges, await asker.ledger())] == kinds
