"""Pictures of results reach a server whose results are text alone."""

from wire.prompt import Message, Picture, Text, ToolCall
from worker.providers.openai.result_pictures import MOVED, move_pictures

ASKED = Message("user", (Text("Look."),), string=True)
CALLED = Message("assistant", (), calls=(ToolCall("1", "read", "{}"), ToolCall("2", "read", "{}")))
PICTURE = Picture("data:image/png;base64,aaaa")
SEEN = Message("tool", (PICTURE,), call_id="1")
READ = Message("tool", (Text("text"), PICTURE), call_id="2")


def test_pictures_of_results_follow_the_last_of_them() -> None:
    moved = move_pictures([ASKED, CALLED, SEEN, READ])
    assert moved[:2] == [ASKED, CALLED]
    assert [message.parts for message in moved[2:]] == [(Text(MOVED),), (Text("text"),), (PICTURE, PICTURE)]
    assert [(message.role, message.call_id) for message in moved[2:]] == [("tool", "1"), ("tool", "2"), ("user", "")]


def test_pictures_of_results_come_before_what_the_user_says_next() -> None:
    *_, last = move_pictures([ASKED, CALLED, SEEN, ASKED])
    assert last == Message("user", (PICTURE, Text("Look.")))


def test_pictures_stay_before_what_others_say_next() -> None:
    answer = Message("assistant", (Text("A cat."),), string=True)
    assert move_pictures([CALLED, SEEN, answer])[2:] == [Message("user", (PICTURE,)), answer]


def test_messages_without_such_pictures_stay_as_they_are() -> None:
    messages = [Message("user", (PICTURE,)), CALLED, Message("tool", (Text("text"),), string=True, call_id="1")]
    assert move_pictures(messages) == messages


def test_many_pictures_are_moved_in_the_time_of_their_number() -> None:
    # With the square of it this would take hours, and meet the limit that each test has.
    pictures = tuple(Picture(f"https://{number}") for number in range(100_000))
    result, user = move_pictures([Message("tool", (*pictures, *[Text("x")] * 100_000), call_id="c")])
    assert (len(result.parts), user.parts) == (100_000, pictures)
