import json

from emulator.bing.frames import HOLE, SEPARATOR
from emulator.bing.turn import GrowingText, SendFinal, SendText
from emulator.steps import Pause
from tests.support.emulator.turns import bing_turn


def sent_text(data: str) -> str:
    """Return the text of the message in an update."""
    text: str = json.loads(data.removesuffix(SEPARATOR))["arguments"][0]["messages"][0]["text"]
    return text


def test_a_text_grows_and_can_be_replaced() -> None:
    text = GrowingText("r1", {"text": HOLE})
    assert [sent_text(text.grow(piece).data) for piece in ("one ", '"two"')] == ["one ", 'one "two"']
    assert sent_text(text.replace("three").data) == text.value == "three"
    assert text.grow("!").length == 6


def test_a_stamped_piece_holds_the_time() -> None:
    text = GrowingText("r1", {"text": HOLE}, stamp=True)
    text.grow("one")
    assert text.value.startswith("one t=")


def test_a_turn_begins_with_its_counters_and_an_empty_message() -> None:
    turn = bing_turn()
    first, counters, wait, empty = turn.begin(turn.compose())
    assert (first, wait) == (Pause(0.09), Pause(2.7))
    assert isinstance(counters, SendText)
    assert isinstance(empty, SendText)
    assert '"numUserMessagesInConversation":1' in counters.data
    assert sent_text(empty.data) == ""


def test_the_final_item_lists_the_question_first_and_joins_pairs() -> None:
    turn = bing_turn()
    answer = turn.compose()
    for step in (*turn.begin(answer), *turn.write(["\ud83d", "\ude00"])):
        assert step is not None
    *_, final = turn.end(answer, [turn.message("before")], [turn.message("after")])
    assert isinstance(final, SendFinal)
    item = json.loads(final.data.split(SEPARATOR)[0])["item"]
    assert [message["text"] for message in item["messages"]] == ["cats", "before", "\U0001f600", "after"]
    assert final.outcome == "Success"


def test_a_refusal_is_the_turns_outcome() -> None:
    assert bing_turn().refuse("Throttled", "Later.").outcome == "Throttled"
