"""Whatever comes in whatever order, an answer is a sequence of whole blocks."""

import copy
import itertools
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.blocks import Block, Piece, add_piece
from worker.errors import UpstreamError
from worker.providers.openai.call_fragments import CallFragment
from worker.providers.openai.normaliser import MAX_ANSWER, MAX_NAMES, GrowingBlock, Normaliser


def call(arguments: str = "", index: int | None = 0, **more: Any) -> CallFragment:
    return CallFragment(index, arguments=arguments, **more)


def read(*parts: CallFragment | tuple[str, str] | dict[str, Any], cut: bool = False) -> list[Block]:
    """Return the blocks of an answer, whose pieces add up to them."""
    answer = Normaliser(new_id=lambda: "made")
    pieces: list[Piece] = []
    for part in parts:
        if isinstance(part, CallFragment):
            answer.add_call(part)
        elif isinstance(part, dict):
            answer.add_extra(part)
        else:
            answer.add(part[0], part[1])  # type: ignore[arg-type]
        pieces += answer.take()
    blocks = list(answer.end(cut=cut))
    pieces += answer.take()
    if not cut:
        assert added(pieces) == blocks
    return blocks


def added(pieces: list[Piece]) -> list[Block]:
    blocks: list[Block] = []
    for piece in pieces:
        add_piece(blocks, piece)
    return blocks


def tool(id_: str, name: str, text: str, **more: Any) -> Block:
    return Block("tool_call", text, id_, name, **more)


def test_parts_of_one_kind_are_one_block() -> None:
    assert read(("reasoning", "h"), ("reasoning", "m"), ("text", "a"), ("text", "b"), ("refusal", "no")) == [
        Block("reasoning", "hm"),
        Block("text", "ab"),
        Block("refusal", "no"),
    ]


def test_a_call_grows_by_its_index_and_has_its_id_and_name_once() -> None:
    first = call(id="c1", name="add")
    assert read(first, call('{"a"', id="c1", name="add"), call(":1}")) == [tool("c1", "add", '{"a":1}')]


def test_the_same_id_at_another_index_is_another_call() -> None:
    first, second = call(id="c", name="add"), call(index=1, id="c", name="add")
    blocks = read(first, call('{"a":1}'), second, call('{"a"', index=1), call(":2}", index=1))
    assert blocks == [tool("c", "add", '{"a":1}'), tool("made", "add", '{"a":2}')]


def test_another_id_at_a_known_index_is_another_call() -> None:
    assert read(call("{}", id="c1", name="add"), call('{"b":2}', id="c2", name="sub")) == [
        tool("c1", "add", "{}"),
        tool("c2", "sub", '{"b":2}'),
    ]


def test_an_id_that_changes_with_each_fragment_is_no_other_call() -> None:
    assert read(call("{", id="c1", name="add"), call("}", id="c2")) == [tool("c1", "add", "{}")]


def test_an_id_that_two_calls_share_is_given_once() -> None:
    one, two = call('{"a":1}', 0, id="add", name="add"), call('{"a":2}', 1, id="add", name="add")
    assert read(one, two) == [tool("add", "add", '{"a":1}'), tool("made", "add", '{"a":2}')]


def test_a_call_that_is_repeated_whole_is_one() -> None:
    one = call('{"a":1}', 0, id="c", name="add")
    assert read(call(id="c", name="add"), call('{"a":'), call("1}"), one) == [tool("c", "add", '{"a":1}')]


def test_calls_without_ids_at_one_index_are_distinct_by_where_they_begin() -> None:
    assert [block.text for block in read(call('{"a":1}', name="add"), call('{"a":2}', name="add"))] == [
        '{"a":1}',
        '{"a":2}',
    ]


def test_calls_without_an_index_are_distinct_by_id_and_name() -> None:
    parts = [
        call("{", None, id="c1", name="add"),
        call("}", None),
        call("{}", None, id="c2", name="add"),
        call("{}", None, name="sub"),
    ]
    assert read(*parts) == [tool("c1", "add", "{}"), tool("c2", "add", "{}"), tool("made", "sub", "{}")]


def test_a_missing_id_is_made() -> None:
    assert read(call("{}", name="add")) == [tool("made", "add", "{}")]


def test_a_late_name_begins_the_call_then() -> None:
    assert read(call('{"a"', id="c"), ("text", "x"), call(":1}", name="add")) == [
        Block("text", "x"),
        tool("c", "add", '{"a":1}'),
    ]


def test_a_call_without_a_name_is_none() -> None:
    assert read(call("{}", id="c"), ("text", "x")) == [Block("text", "x")]


def test_parts_of_a_later_call_wait_until_the_earlier_is_over() -> None:
    answer = Normaliser()
    answer.add_call(call('{"a"', 0, id="c1", name="add"))
    answer.add_call(call('{"b"', 1, id="c2", name="sub"))
    assert [piece.id for piece in answer.take()] == ["c1"]
    answer.add_call(call(":1}", 0))
    assert [(piece.block, piece.text) for piece in answer.take()] == [(0, ":1}"), (1, '{"b"')]
    answer.add_call(call(":2}", 1))
    assert answer.take() == (Piece(1, "tool_call", ":2}"),)
    assert answer.end(cut=False) == (tool("c1", "add", '{"a":1}'), tool("c2", "sub", '{"b":2}'))


def test_calls_whose_arguments_are_no_object_wait_until_the_end() -> None:
    parts: list[Any] = [call("", 0, id="c1", name="now"), call("oh", 1, id="c2", name="say"), ("text", "x")]
    assert read(*parts) == [tool("c1", "now", ""), tool("c2", "say", "oh"), Block("text", "x")]


def test_the_input_of_a_custom_tool_is_any_text() -> None:
    one, two = call("{}", 0, id="c1", name="run", custom=True), call("ls", 1, id="c2", name="run", custom=True)
    assert read(one, two, call(" -l", 0)) == [
        tool("c1", "run", "{} -l", custom=True),
        tool("c2", "run", "ls", custom=True),
    ]


def test_a_call_that_continues_after_its_end_is_a_breach_of_protocol() -> None:
    answer = Normaliser()
    for part in (call("{}", 0, id="c1", name="add"), call("{}", 1, id="c2", name="add"), call(" \n", 0)):
        answer.add_call(part)
    with pytest.raises(UpstreamError, match=r"upstream\.protocol"):
        answer.add_call(call("{", 0))


@pytest.mark.parametrize(
    ("arguments", "count"),
    [(["{}"], 1), (['{"a"'], 0), ([""], 0), (["{}", '{"a'], 1), (["", "{}"], 2), (["{", "{}"], 1)],
)
def test_of_an_answer_that_was_cut_only_whole_calls_are_left(arguments: list[str], count: int) -> None:
    parts = [call(text, number, id=f"c{number}", name="add") for number, text in enumerate(arguments)]
    assert len(read(*parts, cut=True)) == count
    assert len(read(*parts)) == len(parts)


def test_extra_fields_belong_to_what_came_last_unless_that_is_a_call() -> None:
    details = {"reasoning_details": [{"data": "x"}]}
    blocks = read(
        {"first": 1},
        ("reasoning", "hm"),
        details,
        details,
        call("{}", id="c", name="add", extra={"extra_content": {"a": "b"}}),
        details,
        {"last": 2},
    )
    assert blocks == [
        Block("opaque", extra={"first": 1}),
        Block("reasoning", "hm", extra={"reasoning_details": [{"data": "x"}, {"data": "x"}]}),
        tool("c", "add", "{}", extra={"extra_content": {"a": "b"}}),
        Block("opaque", extra={**details, "last": 2}),
    ]


@pytest.mark.parametrize("kind", ["text", "reasoning", "refusal"])
def test_halves_of_a_character_meet_and_single_ones_are_left_out(kind: str) -> None:
    blocks = read((kind, "a \ud83d"), (kind, "\ude00 \ud83d"), call('{"a":"\ud83d', id="c", name="f"), call('\ude00"}'))
    assert [block.text for block in blocks] == ["a 😀 ", '{"a":"😀"}']
    assert read((kind, "\ud83d"), call("{}", id="c", name="f")) == [tool("c", "f", "{}")]


def test_all_fields_together_have_a_limit() -> None:
    answer = Normaliser()
    answer.add("text", "x" * (MAX_ANSWER // 2))
    answer.add_extra({"a": "x" * (MAX_ANSWER // 4)})
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        answer.add("reasoning", "é" * (MAX_ANSWER // 8))


def test_the_names_of_all_extra_fields_have_a_limit() -> None:
    answer = Normaliser()
    for number in range(MAX_NAMES):
        answer.add("text" if number % 2 else "reasoning", "a", {f"k{number}": 1})
        answer.add_extra({f"k{number}": 1})
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        answer.add_extra({"more": 1})


@pytest.mark.parametrize(
    ("text", "size"), [("ab", 2), ("\n", 2), ("\x01", 6), ("é\x01", 8), ("😀", 4), ("\x01\ud83d", 7)]
)
def test_text_counts_as_the_json_that_it_becomes(text: str, size: int) -> None:
    answer = Normaliser()
    answer.add("text", "a")
    before = answer.size
    answer.add("text", text)
    assert answer.size - before == size
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        answer.add("text", text * (MAX_ANSWER // size + 1))


EXTRAS = st.dictionaries(
    st.sampled_from(["a", "b"]), st.text(max_size=2) | st.lists(st.integers(), max_size=2), max_size=2
)
ARGUMENTS = st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.integers(), max_size=3).map(json.dumps)
TEXTS = st.text(min_size=1, max_size=8)
SAID = st.tuples(st.sampled_from(["text", "reasoning", "refusal"]), TEXTS, EXTRAS)
CALLS = st.tuples(st.just("tool_call"), ARGUMENTS, EXTRAS)


@settings(max_examples=300)
@given(st.lists(SAID | CALLS, max_size=8), st.data())
def test_whatever_the_fragments_the_blocks_are_what_was_sent(
    sent: list[tuple[Any, str, Any]], data: st.DataObject
) -> None:
    blocks = [
        Block(kind, text, f"c{number}", "f", extra=extra) if kind == "tool_call" else Block(kind, text, extra=extra)
        for number, (kind, text, extra) in enumerate(sent)
    ]
    # Neighbours of one kind are one block.
    blocks = [block for number, block in enumerate(blocks) if not number or not same(blocks[number - 1], block)]
    fragments = [fragmented(block, number, data) for number, block in enumerate(blocks)]
    answer = Normaliser()
    pieces: list[Piece] = []
    for fragment, extra in interleaved(fragments, data):
        if isinstance(fragment, CallFragment):
            answer.add_call(fragment)
        else:
            answer.add(fragment.kind, fragment.text, extra)
        if data.draw(st.booleans()):
            pieces += answer.take()
    assert list(answer.end(cut=False)) == blocks
    pieces += answer.take()
    assert added(pieces) == blocks


def same(first: Block, second: Block) -> bool:
    return first.kind == second.kind != "tool_call"


def fragmented(block: Block, number: int, data: st.DataObject) -> list[tuple[CallFragment | Block, dict[str, Any]]]:
    """Return fragments that add up to the block; the first one has all but the text."""
    cuts = data.draw(st.lists(st.integers(0, len(block.text)), max_size=3))
    texts = [block.text[start:stop] for start, stop in itertools.pairwise(sorted({0, len(block.text), *cuts}))] or [""]
    if block.kind != "tool_call":
        return [(Block(block.kind, text), block.extra if text is texts[0] else {}) for text in texts]
    first = CallFragment(number, block.id, block.name, texts[0], extra=block.extra)
    return [(first, {}), *((CallFragment(number, arguments=text), {}) for text in texts[1:])]


def interleaved(fragments: list[list[Any]], data: st.DataObject) -> list[Any]:
    """Return the fragments in an order in which neighbouring calls may overlap, each beginning in its turn."""
    order: list[Any] = []
    run: list[list[Any]] = []
    for group in [*fragments, None]:
        if group is not None and isinstance(group[0][0], CallFragment):
            order.append(group[0])
            run.append(group[1:])
            if data.draw(st.booleans()):
                continue
        while run := [rest for rest in run if rest]:
            order.append(run[data.draw(st.integers(0, len(run) - 1))].pop(0))
        if group is not None and not isinstance(group[0][0], CallFragment):
            order += group
    return order


TEXTS = st.sampled_from(["", "a", "é", "\ud83d", "\ude00", "x\ud83d", "\ude00y", "{}"])
PARTS = st.one_of(
    st.tuples(st.sampled_from(["text", "text", "reasoning", "refusal"]), TEXTS, st.sampled_from([{}, {}, {"x": "y"}])),
    st.builds(call, st.sampled_from(["", "{}", '{"a":']), st.sampled_from([0, 1]), name=st.just("f")),
    st.sampled_from([{"z": [1]}, {"z": "s"}]),
)


def traced(parts: list[Any]) -> list[Any]:
    """All pieces and sizes of an answer, part by part."""
    answer, seen = Normaliser(new_id=lambda: "made"), list[Any]()
    for part in parts:
        try:
            if isinstance(part, CallFragment):
                answer.add_call(part)
            elif isinstance(part, dict):
                answer.add_extra(part)
            else:
                answer.add(*part)
        except UpstreamError as error:
            seen.append(error.reason)
        seen.append((answer.take(), answer.size, answer.text))
    return [*seen, answer.end(cut=False), answer.take()]


@given(st.lists(PARTS, max_size=8))
def test_text_that_becomes_a_piece_at_once_is_as_that_which_was_held(parts: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GrowingBlock, "extend", lambda *_: None)
        held = traced(parts)
    assert traced(parts) == held


@pytest.mark.parametrize(
    "fragments",
    [
        (call(index=0, id=f"{number}{'x' * 100_000}") for number in itertools.count()),
        (call(index=number, id=f"{number}", name="y" * 100_000) for number in itertools.count()),
        (call(index=number) for number in itertools.count()),
        (call("{}", index=number, id=f"{number}", name="y") for number in itertools.count()),
        (call(index=number, id="c") for number in itertools.count()),
    ],
    ids=["ids of one call", "names", "calls without a name", "calls", "places of one call"],
)
def test_whatever_an_answer_is_known_by_counts(fragments: Iterator[CallFragment]) -> None:
    answer = Normaliser()
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        any(map(answer.add_call, itertools.islice(fragments, MAX_ANSWER)))
    assert answer.size < MAX_ANSWER + 200_000


def test_fields_that_wait_for_their_place_are_those_that_came() -> None:
    answer = Normaliser()
    answer.add_call(call("{", id="c", name="now"))
    parts: list[dict[str, Any]] = [{"a": [1], "b": "x", "c": {"d": 1}}, {"a": [2], "b": "y", "c": {"e": 2}}, {"a": [3]}]
    for part in parts:
        answer.add_extra(copy.deepcopy(part))
    answer.add_call(call("}"))
    *_, last = answer.take()
    assert last.extra == {"a": [1, 2, 3], "b": "xy", "c": {"d": 1, "e": 2}}
    assert answer.end(cut=False)[-1].extra == last.extra


@pytest.mark.parametrize("kind", ["text", "reasoning", "call", "call that waits"])
def test_an_answer_in_small_pieces_takes_hardly_more_than_its_text(kind: str) -> None:
    normaliser, count = Normaliser(), 20_000
    for index in range(2):
        normaliser.add_call(CallFragment(index, f"c{index}", "f", '{"a": "'))
    tracemalloc.start()
    try:
        for number in range(count):
            piece = f"{number % 90 + 10}"
            if kind in ("text", "reasoning"):
                normaliser.add("text" if kind == "text" else "reasoning", piece)
            else:
                normaliser.add_call(CallFragment(int(kind != "call"), arguments=piece))
            normaliser.take()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 4 * count + 128 * 1024


def test_a_call_without_a_place_any_more_is_not_elsewhere() -> None:
    """Of a server that counts from 0 in each event; one that has its place is."""
    answer = Normaliser()
    answer.add_call(call("{}", index=0, id="a", name="f"))
    answer.add_call(call("{}", index=0, id="b", name="f"))
    answer.add_call(call("", index=1, id="a", name="f"))
    answer.add_call(call("", index=2, id="b", name="f"))
    assert [block.text for block in answer.end(cut=False)] == ["{}", "{}", ""]
