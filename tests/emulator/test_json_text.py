import json

from hypothesis import given
from hypothesis import strategies as st

from emulator import json_text


@given(st.text(st.characters(), max_size=40))  # halves of surrogate pairs, too
def test_any_text_can_be_encoded_and_keeps_its_meaning(text: str) -> None:
    data = json_text.dump({"text": text})
    data.encode()
    assert json_text.load(data) == json.loads(json.dumps({"text": text}))


def test_json_is_compact_and_not_escaped() -> None:
    assert json_text.dump({"a": [1, "猫"]}) == '{"a":[1,"猫"]}'
