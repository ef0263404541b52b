"""A conversation's preferred account, which nobody remembers."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from wire.prompt import Message, Picture, Prompt, Text
from worker.accounts.stickiness import preferred, sticky_key

KEYS = st.binary(min_size=1, max_size=16)
WEIGHTS = st.dictionaries(st.text(min_size=1, max_size=8), st.floats(0.01, 1000), min_size=1, max_size=8)


def asked(*texts: str, session: str = "", **extra: object) -> Prompt:
    roles = ["system", *["user", "assistant"] * len(texts)]
    messages = [
        Message(role, (Text(text, dict(extra)),))  # type: ignore[arg-type]
        for role, text in zip(roles, texts, strict=False)
    ]
    return Prompt("chat", "m", tuple(messages), session=session)


@given(KEYS, WEIGHTS)
def test_the_same_key_prefers_the_same_account_in_any_order(key: bytes, weights: dict[str, float]) -> None:
    assert preferred(key, weights) in weights
    assert preferred(key, dict(reversed(weights.items()))) == preferred(key, weights)


@given(KEYS, WEIGHTS, st.data())
def test_only_the_keys_of_an_account_that_goes_change(
    key: bytes, weights: dict[str, float], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sorted(weights)))
    before = preferred(key, weights)
    after = preferred(key, {name: weight for name, weight in weights.items() if name != gone})
    assert after == before or before == gone


@given(KEYS, WEIGHTS, st.floats(0.01, 1000))
def test_a_new_account_takes_keys_only_for_itself(key: bytes, weights: dict[str, float], weight: float) -> None:
    after = preferred(key, weights | {"the new one": weight})
    assert after in ("the new one", preferred(key, weights))


def test_each_account_gets_its_share_by_weight() -> None:
    weights = {"a": 1.0, "b": 1.0, "c": 2.0}
    counts = Counter(preferred(str(number).encode(), weights) for number in range(4000))
    assert all(abs(counts[name] - 1000 * weight) < 150 for name, weight in weights.items())


def test_without_accounts_none_is_preferred() -> None:
    assert preferred(b"key", {}) == ""


def test_the_turns_of_a_conversation_have_one_key() -> None:
    first = sticky_key("c", asked("be brief", "hello"), "m")
    assert sticky_key("c", asked("be brief", "hello", "hi", "more"), "m") == first
    assert sticky_key("c", asked("be brief", "hello", "hi", cache_control={"type": "ephemeral"}), "m") == first


def test_another_client_model_or_beginning_has_another_key() -> None:
    keys = [
        sticky_key("c", asked("be brief", "hello"), "m"),
        sticky_key("d", asked("be brief", "hello"), "m"),
        sticky_key("c", asked("be brief", "hello"), "n"),
        sticky_key("c", asked("be brief", "hullo"), "m"),
        sticky_key("c", asked("be long", "hello"), "m"),
        sticky_key("c", asked("be brief", "hello", session="s"), "m"),
        sticky_key("c", Prompt("chat", "m", (Message("user", (Picture("https://a/1.png"),)),)), "m"),
        sticky_key("c", Prompt("chat", "m", (Message("user", (Picture("https://a/2.png"),)),)), "m"),
    ]
    assert len(set(keys)) == len(keys)


def test_a_named_session_counts_more_than_how_it_begins() -> None:
    assert sticky_key("c", asked("a", session="s"), "m") == sticky_key("c", asked("b", session="s"), "m")
