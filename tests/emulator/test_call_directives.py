import pytest

from emulator.call_directives import CallDirectives, DirectedCall, parse


def test_calls_come_in_rounds_and_leave_the_text() -> None:
    directives, rest = parse('please !tool=a {"x": 1} !and=b !tool=c {"y": {"z": [2]}} thanks')
    assert directives.rounds == (
        (DirectedCall("a", '{"x": 1}'), DirectedCall("b")),
        (DirectedCall("c", '{"y": {"z": [2]}}'),),
    )
    assert rest.split() == ["please", "thanks"]


@pytest.mark.parametrize(("results", "names"), [(0, ["a", "b"]), (1, ["b"]), (2, ["c"]), (3, []), (9, [])])
def test_results_decide_which_calls_are_next(results: int, names: list[str]) -> None:
    directives, _ = parse("!tool=a !and=b !tool=c")
    assert [call.name for call in directives.next_round(results)] == names


def test_a_text_and_a_server_can_be_named() -> None:
    directives, rest = parse('<task>!as=gemini !say "two\\nlines"</task>')
    assert directives == CallDirectives((), "two\nlines", "gemini")
    assert rest.replace(" ", "") == "<task></task>"


@pytest.mark.parametrize("text", ["hi", "!tool", "!tool=", "!say hello", "!throttled", "a = !b"])
def test_other_text_stays_text(text: str) -> None:
    assert parse(text) == (CallDirectives(), text)


def test_arguments_that_are_no_json_stay_text() -> None:
    directives, rest = parse('!tool=a {"x": ')
    assert directives.rounds == ((DirectedCall("a"),),)
    assert rest == '{"x": '
