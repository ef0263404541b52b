import json

from hypothesis import given
from hypothesis import strategies as st

from emulator.bing import frames

ANY = st.text(st.characters(), max_size=40)  # halves of surrogate pairs, too


@given(ANY)
def test_a_record_is_utf8_and_means_its_value(text: str) -> None:
    record = frames.record({"text": text})
    record.encode()
    assert json.loads(record.removesuffix(frames.SEPARATOR)) == json.loads(json.dumps({"text": text}))


@given(st.lists(ANY, max_size=6))
def test_a_template_holds_the_grown_text_everywhere(pieces: list[str]) -> None:
    sent = frames.bot_message(frames.HOLE, "id", 0.0)
    template = frames.FrameTemplate(frames.update("request", messages=[sent]))
    data = template.fill("".join(frames.escape(piece) for piece in pieces))
    message = json.loads(data.removesuffix(frames.SEPARATOR))["arguments"][0]["messages"][0]
    whole = json.loads(json.dumps("".join(pieces)))
    assert message["text"] == message["adaptiveCards"][0]["body"][0]["text"] == whole


def test_times_are_written_like_the_services() -> None:
    assert frames.stamp(1.5) == "1970-01-01T00:00:01.5000000+00:00"
    assert frames.stamp(1.5, "Z") == "1970-01-01T00:00:01.5000000Z"


def test_control_characters_do_not_end_a_record() -> None:
    assert frames.record({"text": "a\x1eb"}).count(frames.SEPARATOR) == 1
