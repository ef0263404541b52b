import json
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.messages import Source
from worker.errors import UpstreamError
from worker.providers.bing import frames
from worker.providers.bing.frames import (
    LONGEST_MENDED,
    MOST_RECORDS,
    ChatHubFrame,
    ChatHubMessage,
    outgoing_type,
    read_frames,
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def records(text: str) -> list[ChatHubFrame]:
    return list(read_frames(text.encode()))


def message(**fields: Any) -> ChatHubMessage:
    """One bot message, decoded from a record."""
    record = {"type": 1, "arguments": [{"messages": [{"author": "bot", **fields}]}]}
    (frame,) = records(json.dumps(record) + "\x1e")
    assert frame.arguments
    assert frame.arguments[0].messages
    return frame.arguments[0].messages[0]


def test_a_message_holds_one_or_more_records() -> None:
    assert [frame.type for frame in records('{"type":6}\x1e{"type":3}\x1e')] == [6, 3]
    assert records("") == []


@pytest.mark.parametrize(
    "text", ["{", '{"type":1', "nonsense\x1e", "[]\x1e", '{"type":"1"}', '{"arguments":[null]}', "[" * 9999]
)
def test_what_is_no_record_is_a_protocol_error(text: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        records(text)
    assert caught.value.reason == "upstream.protocol"
    assert not caught.value.refused


def test_text_that_is_not_utf_8_is_a_protocol_error() -> None:
    with pytest.raises(UpstreamError) as caught:
        list(read_frames(b'{"type":1,"arguments":[{"messages":[{"text":"\xff"}]}]}\x1e'))
    assert caught.value.reason == "upstream.protocol"


def test_what_is_not_utf_8_in_a_part_that_is_read_later_is_left_out() -> None:
    (frame,) = read_frames(b'{"arguments":[{"messages":[{"sourceAttributions":[{"seeMoreUrl":"\xff"}]}]}]}\x1e')
    assert frame.arguments
    assert frame.arguments[0].messages
    assert frame.arguments[0].messages[0].sources == ()


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"cut \ud83d", "cut "),
        (r"\ude00 cut", " cut"),
        (r"whole \ud83d\ude00", "whole 😀"),
        (r"both \ud83d\ude00\ud83d", "both 😀"),
        (r"backslash \\ud83d and \ud83d", r"backslash \ud83d and "),
    ],
)
def test_half_a_surrogate_pair_is_left_out(escaped: str, text: str) -> None:
    (frame,) = records('{"type":1,"arguments":[{"messages":[{"text":"' + escaped + '"}]}]}\x1e')
    assert frame.arguments
    assert frame.arguments[0].messages
    assert frame.arguments[0].messages[0].text == text


def test_only_untyped_messages_by_the_bot_are_answers() -> None:
    assert message().is_answer
    assert not message(messageType="InternalSearchQuery").is_answer
    assert not message(author="user").is_answer


def test_the_text_goes_before_the_card() -> None:
    card = [{"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "card"}]}]
    assert message(text="text", adaptiveCards=card).shown == "text"
    assert message(text="", adaptiveCards=card).shown == "card"


def test_an_image_at_the_top_of_a_card_is_skipped() -> None:
    body = [{"type": "Image", "url": "https://x"}, {"type": "TextBlock", "text": "below"}]
    assert message(adaptiveCards=[{"body": body}]).shown == "below"


def test_a_cards_references_are_no_text() -> None:
    text = '[1]: https://a "One"\n[2]: https://b ""\n\nIt is so [^1^].\n[3]: not this'
    assert message(adaptiveCards=[{"body": [{"text": text}]}]).shown == "It is so [^1^].\n[3]: not this"


@pytest.mark.parametrize("cards", [None, [], {}, "cards", [None], [{"body": "cut"}], [{"body": [{"text": 5}]}], [{}]])
def test_a_card_without_text_shows_nothing(cards: Any) -> None:
    assert message(adaptiveCards=cards).shown == ""


def test_sources_have_a_title_and_an_address() -> None:
    expected = message(
        sourceAttributions=[
            {"providerDisplayName": "Name", "seeMoreUrl": "https://a", "searchQuery": ""},
            {"title": "Title", "seeMoreUrl": "https://b"},
            {"providerDisplayName": None, "seeMoreUrl": "https://c"},
            {"providerDisplayName": "no address"},
            "nonsense",
        ]
    ).sources
    assert expected == (Source("Name", "https://a"), Source("Title", "https://b"), Source("https://c", "https://c"))


def test_sources_are_of_the_web_and_they_and_suggestions_are_bounded() -> None:
    addresses = ["javascript:1", "data:,1", f"https://{'a' * 4096}", *(f"https://{number}" for number in range(101))]
    attributions = [{"title": "t" * 1001, "seeMoreUrl": address} for address in addresses]
    suggested = [{"text": "s" * 1001}, *({"text": str(number)} for number in range(101))]
    bounded = message(sourceAttributions=attributions, suggestedResponses=suggested)
    assert [source.url for source in bounded.sources] == [f"https://{number}" for number in range(100)]
    assert {len(source.title) for source in bounded.sources} == {1000}
    assert bounded.suggestions == tuple(map(str, range(100)))


def test_suggestions_are_texts() -> None:
    assert message(suggestedResponses=[{"text": "one"}, {"text": ""}, {}, {"text": "two"}]).suggestions == (
        "one",
        "two",
    )


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        ('```json\n{"suggestedUserResponses": ["one", 2, "two"]}\n```', ("one", "two")),
        ('{"suggestedUserResponses": "one"}', ()),
        ("{broken}", ()),
        ("", ()),
    ],
)
def test_internal_suggestions_are_read_from_their_hidden_text(hidden: str, expected: tuple[str, ...]) -> None:
    assert message(messageType="InternalSuggestions", hiddenText=hidden).suggestions == expected


def test_the_types_of_outgoing_records_are_distinguished() -> None:
    assert outgoing_type('{"protocol": "json", "version": 1}\x1e') == 0
    assert outgoing_type('{"type": 6}\x1e') == 6
    assert outgoing_type('{"arguments": [{"text": "{\\"type\\": 6}"}], "type": 4}\x1e') == 4


@given(st.text() | anything.map(json.dumps) | st.text().map(lambda text: f'{{"arguments":[{{"x":"{text}"}}]}}'))
def test_no_text_raises_anything_but_our_error(text: str) -> None:
    with suppress(UpstreamError):
        records(text)


@given(anything, anything, anything)
def test_nested_nonsense_never_raises(cards: Any, sources: Any, responses: Any) -> None:
    odd = message(adaptiveCards=cards, sourceAttributions=sources, suggestedResponses=responses)
    assert isinstance(odd.shown, str)
    assert isinstance(odd.sources, tuple)
    assert isinstance(odd.suggestions, tuple)


def test_a_message_of_more_records_than_any_has_is_a_protocol_error() -> None:
    assert len(records('{"type":6}\x1e' * (MOST_RECORDS - 1))) == MOST_RECORDS - 1
    with pytest.raises(UpstreamError) as caught:
        records("{}\x1e" * 1_000_000)
    assert caught.value.reason == "upstream.protocol"


@pytest.mark.parametrize("depth", [2, 500])
def test_halves_that_become_halves_when_others_are_left_out_are_tried_once(
    depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bytes] = []
    decoder = frames._frame

    def decode(record: bytes) -> ChatHubFrame:
        tried.append(record)
        return decoder.decode(record)

    monkeypatch.setattr(frames, "_frame", SimpleNamespace(decode=decode))
    with pytest.raises(UpstreamError) as caught:
        records('{"error":"' + r"\ud8" * depth + r"\ud83d" + "3d" * depth + '"}\x1e')
    assert (caught.value.reason, len(tried)) == ("upstream.protocol", 2)


def test_halves_in_a_record_larger_than_any_are_not_looked_for() -> None:
    with pytest.raises(UpstreamError):
        records('{"error":"' + r"\ud83d" + "x" * LONGEST_MENDED + '"}\x1e')
