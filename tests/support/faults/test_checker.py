"""The checker itself: each broken promise is found, and what is allowed is let pass."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.faults.checker import forbidden, in_logs, violations
from tests.support.faults.history import Exchange, Frame


def turn(question: str = "q", started: float = 0.0, ended: float | None = 1.0, **more: Any) -> dict[str, Any]:
    usual = {"conversation": "c", "invocation": "3", "outcome": "Success", "length": 9, "context": ""}
    return usual | {"question": question, "started": started, "ended": ended} | more


def delta(text: str, seq: int | None = None) -> Frame:
    body = {"code": 200, "data": {"answer": text, "done": False, "reset": False, "token": "t"}}
    return Frame(body, "s0-a", seq)


def final(text: str, seq: int | None = None, *, reset: bool = False) -> Frame:
    return Frame({"code": 200, "data": {"answer": text, "done": True, "reset": reset, "token": "t"}}, "s0-a", seq)


def failed(code: int = 500, seq: int | None = None) -> Frame:
    return Frame({"code": code, "message": "…"}, "s0-a", seq)


def exchange(*frames: Frame, question: str = "q", began: float = 0.0, ended: float = 1.0, **more: Any) -> Exchange:
    return Exchange("eventsource", question, "t", frames=list(frames), began=began, ended=ended, **more)


def kinds(exchanges: list[Exchange], turns: list[dict[str, Any]], images: Iterable[str] = ()) -> list[str]:
    ledger = {"turns": turns, "images": [{"prompt": prompt} for prompt in images]}
    return [violation.kind for violation in violations(exchanges, ledger)]


def test_an_ordinary_answer_breaks_nothing() -> None:
    assert kinds([exchange(delta("a", 1), delta("b", 2), final("ab", 3))], [turn()]) == []


@pytest.mark.parametrize(
    ("only", "kind"),
    [
        (exchange(delta("a", 1)), "lost"),
        (exchange(delta("a", 1), hung=True), "hung"),
        (exchange(delta("a", 1), final("a", 2), failed(seq=3)), "doubled"),
        (exchange(final("", 1), delta("a", 2)), "doubled"),
        (exchange(delta("a", 1), final("a", 3)), "gapped"),
        (exchange(delta("a", 1), delta("a", 1), final("aa", 2)), "gapped"),
        (exchange(delta("a", 1), final("ab", 2)), "torn"),
        (exchange(delta("a", 1), delta("b", 2), final("b", 3)), "torn"),
    ],
)
def test_what_is_wrong_with_one_answer_is_found(only: Exchange, kind: str) -> None:
    assert kind in kinds([only], [turn()])


def test_text_that_the_upstream_took_back_may_be_followed_by_the_whole_answer() -> None:
    question = "!replace q"
    only = exchange(delta("a", 1), delta("b", 2), final("b", 3), question=question)
    assert kinds([only], [turn(question)]) == []


def test_a_client_that_was_cut_off_and_a_refusal_are_no_loss() -> None:
    assert kinds([exchange(delta("a", 1), cut=True), exchange(refused=failed(503))], []) == []


def test_a_second_turn_is_found_unless_the_first_was_refused_before_any_text() -> None:
    only = exchange(final("", 1))
    again = turn(started=2, ended=3, conversation="d")
    assert kinds([only], [turn(), again]) == ["doubled"]
    assert kinds([only], [turn(outcome="Throttled", length=0), again]) == []
    assert kinds([only], [turn(outcome="Throttled", length=4), again]) == ["doubled"]


@pytest.mark.parametrize(("api", "expected"), [("bing", ["doubled"]), ("openai", [])])
@pytest.mark.parametrize("outcome", ["InternalError", "Unavailable", "InvalidRequest"])
def test_a_server_may_be_asked_again_where_bing_may_not(api: str, expected: list[str], outcome: str) -> None:
    again = turn(started=2, ended=3, conversation="d", api=api)
    assert kinds([exchange(final("", 1))], [turn(outcome=outcome, length=0, api=api), again]) == expected


def test_a_picture_that_is_asked_for_twice_is_found() -> None:
    only = Exchange("image", "cat", streaming=False, frames=[Frame({"code": 200, "data": ["an address"]})])
    assert kinds([only], [], ["cat"]) == []
    assert kinds([only], [], ["cat", "cat"]) == ["doubled"]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (final("", 1, reset=True), []),
        (failed(503, 1), []),
        (final("", 1), ["unstopped"]),
        (failed(500, 1), ["unstopped"]),
    ],
)
def test_a_stopped_answer_that_does_not_say_reset_is_found(end: Frame, expected: list[str]) -> None:
    assert kinds([exchange(end, stopped=True)], [turn()]) == expected


def test_a_stopped_answer_of_a_server_leaves_the_conversation_as_it_is() -> None:
    assert kinds([exchange(final("", 1), stopped=True)], [turn(api="openai")]) == []
    assert kinds([exchange(failed(500, 1), stopped=True)], [turn(api="openai")]) == ["unstopped"]


def test_repeats_under_one_key_with_different_answers_are_found() -> None:
    one, same, other = (exchange(delta(text, 1), final(text, 2), key="k") for text in ("a", "a", "b"))
    assert kinds([one, same], [turn()]) == []
    assert kinds([one, other], [turn()]) == ["torn"]
    assert kinds([one, exchange(failed(seq=1), key="k")], [turn()]) == []


def test_turns_of_one_conversation_that_overlap_are_found() -> None:
    turns = [turn("q", 0, 2), turn("r", 1, 3, invocation="4")]
    assert kinds([], turns) == ["overlapped"]
    assert kinds([], [turn("q", 0, None), turn("r", 1, 3, invocation="4")]) == ["overlapped"]
    assert kinds([], [turn("q", 0, 1), turn("r", 1, 3, invocation="4")]) == []


def test_a_number_that_comes_twice_in_a_conversation_is_found() -> None:
    assert kinds([], [turn("q", 0, 1), turn("r", 2, 3)]) == ["moved"]


def test_a_tokens_turns_out_of_order_or_beside_each_other_are_found() -> None:
    exchanges = [exchange(final("", 1)), exchange(final("", 1), question="r", began=2, ended=3)]
    swapped = [turn("r", 0, 1), turn("q", 2, 3, invocation="4")]
    assert kinds(exchanges, swapped) == ["disordered"]
    beside = [turn("q", 0, 2), turn("r", 1, 3, conversation="d")]
    assert "overlapped" in kinds(exchanges, beside)
    interrupted = [exchange(failed(seq=1)), exchanges[1]]
    assert kinds(interrupted, beside) == ["beside"]
    assert forbidden(violations(interrupted, {"turns": beside, "images": []})) == []


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (final("", 1), final("", 1), ["moved"]),
        (final("", 1, reset=True), final("", 1), []),
        (final("", 1), final("", 1, reset=True), []),
        (failed(500, 1), final("", 1), []),
        (failed(503, 1), final("", 1), ["moved"]),
    ],
)
def test_a_conversation_changes_only_where_the_client_gets_a_reset(
    first: Frame, second: Frame, expected: list[str]
) -> None:
    exchanges = [exchange(first), exchange(second, question="r", began=2, ended=3)]
    assert kinds(exchanges, [turn("q", 0, 1), turn("r", 2, 3, conversation="d")]) == expected


def test_a_question_asked_in_spite_of_its_refusal_may_change_its_conversation() -> None:
    """It was sent before it could be withdrawn; nobody has its end, which may have a reset."""
    exchanges = [exchange(final("", 1)), exchange(refused=failed(503), question="r", began=2, ended=3)]
    assert kinds(exchanges, [turn("q", 0, 1), turn("r", 2, 3, conversation="d")]) == []


def test_a_declined_question_is_in_no_conversation() -> None:
    names = ("first", "declined", "third")
    exchanges = [
        exchange(failed(120, 1) if name == "declined" else final("", 1), question=name, began=at, ended=at + 1)
        for at, name in enumerate(names)
    ]
    declined = turn("declined", 1, 1.5, conversation="d", outcome="Throttled", length=0)
    turns = [turn("first", 0, 0.5), declined, turn("third", 2, 2.5, invocation="4")]
    assert kinds(exchanges, turns) == []
    assert kinds(exchanges[1:], [declined, turn("third", 2, 2.5, conversation="e")]) == []
    retold = turn("third", 2, 2.5, conversation="e", context="first")
    assert kinds(exchanges, [*turns[:2], retold]) == []
    assert kinds(exchanges, [*turns[:2], retold | {"context": ""}]) == ["moved"]


@pytest.mark.parametrize(("context", "expected"), [("first, second", []), ("second", ["moved"]), ("", ["moved"])])
def test_a_conversation_may_change_to_one_that_got_the_whole_history(context: str, expected: list[str]) -> None:
    exchanges = [
        exchange(final("", 1), question=name, began=at, ended=at + 1)
        for at, name in enumerate(("first", "second", "third"))
    ]
    turns = [turn("first", 0, 0.5), turn("second", 1, 1.5, invocation="4")]
    turns.append(turn("third", 2, 2.5, conversation="d", context=context))
    assert kinds(exchanges, turns) == expected


@pytest.mark.parametrize(("context", "expected"), [("third", []), ("", ["moved"])])
def test_a_conversation_that_began_after_an_interruption_has_only_the_history_since(
    context: str, expected: list[str]
) -> None:
    """The second question was interrupted before it was asked."""
    names = ("first", "second", "third", "fourth")
    exchanges = [
        exchange(failed(500, 1) if name == "second" else final("", 1), question=name, began=at, ended=at + 1)
        for at, name in enumerate(names)
    ]
    turns = [turn("first", 0, 0.5), turn("third", 2, 2.5, conversation="d")]
    turns.append(turn("fourth", 3, 3.5, conversation="e", context=context))
    assert kinds(exchanges, turns) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("1-0", "delta"), ("2-0", "final")], []),
        ([("1-0", "failed")], []),
        ([("1-0", "delta")], ["lost"]),
        ([("1-0", "delta"), ("4-0", "state.lost")], []),
        ([("1-0", "delta"), ("3-0", "delta"), ("4-0", "state.lost")], ["gapped"]),
        ([("1-0", "delta"), ("3-0", "final")], ["gapped"]),
        ([("1-0", "final"), ("2-0", "failed")], ["doubled"]),
        ([("1-0", "final"), ("2-0", "delta")], ["doubled"]),
    ],
)
def test_a_log_counts_without_gap_and_ends_once(events: list[tuple[str, str]], expected: list[str]) -> None:
    assert [violation.kind for violation in in_logs({"log": events})] == expected
