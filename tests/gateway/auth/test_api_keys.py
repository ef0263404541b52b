"""The file of API keys."""

import hashlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.api_keys import MAX_COUNT, MAX_WEIGHT, ApiKey, create_key, find_key, load_keys


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_a_file_names_keys_by_their_hashes(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# who may ask\n\nalice {hash_of('a')}\n  bob@home\t{hash_of('b')} 7 # a few\n")
    assert load_keys(path) == (ApiKey("alice", hash_of("a")), ApiKey("bob@home", hash_of("b"), 7))


def test_a_key_may_be_good_for_some_models_only(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"alice {hash_of('a')} models=gpt-4o,org/qwen:*\nbob {hash_of('b')} 7 models=bing-*\n")
    alice, bob = load_keys(path)
    assert (alice.limit, alice.models) == (None, ("gpt-4o", "org/qwen:*"))
    assert (bob.limit, bob.models) == (7, ("bing-*",))


def test_a_key_may_have_a_weight_and_a_daily_limit_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(
        f"alice {hash_of('a')} weight=4 daily=200\nbob {hash_of('b')} 7 daily=1 models=bing-* weight=100 # rich\n"
    )
    alice, bob = load_keys(path)
    assert alice == ApiKey("alice", hash_of("a"), weight=4, daily=200)
    assert bob == ApiKey("bob", hash_of("b"), 7, ("bing-*",), 100, 1)


NAMES = st.from_regex(r"\A[\w.@-]{1,64}\Z").filter(str.isascii)
MODEL = st.from_regex(r"\A[^\s,#]{1,20}\Z", alphabet=st.characters(codec="utf-8"))
MODELS = st.lists(MODEL, min_size=1, max_size=3).map(tuple)
COUNTS = st.none() | st.integers(1, MAX_COUNT)


@given(NAMES, COUNTS, st.none() | MODELS, st.integers(1, MAX_WEIGHT), COUNTS, st.randoms(use_true_random=False))
def test_each_key_is_read_from_its_line_whatever_the_order_of_its_parts(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    limit: int | None,
    models: tuple[str, ...] | None,
    weight: int,
    daily: int | None,
    chance: random.Random,
) -> None:
    _, key = create_key(name, limit=limit, models=models, weight=weight, daily=daily)
    head = key.line.split()[: 2 if limit is None else 3]
    parts = key.line.split()[len(head) :]
    chance.shuffle(parts)
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(f"{key.line}\n", "utf-8")
    assert load_keys(path) == (key,)
    path.write_text("\t".join(head + parts), "utf-8")
    assert load_keys(path) == (key,)


@pytest.mark.parametrize("models", [(), ("",), ("a b",), ("a", ""), ("a#",), ("a,\nb",), ("a\u3000b",)])
def test_names_that_no_model_can_have_make_no_key(models: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"can't be models: use names with commas between them$"):
        create_key("alice", models=models)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "can't be read"),
        (b"\xff\xfe", "can't be read"),
        (b"# nobody\n", "lists no key"),
        (b"alice secret", "line 1 of .* is not a name, a SHA-256 in hex, and perhaps a limit"),
        (b"\nalice", "line 2 of"),
        (f"alice {'a' * 64} 0".encode(), "line 1 of"),
        (f"alice {'a' * 64} many".encode(), "line 1 of"),
        (f"alice {'A' * 64}".encode(), "line 1 of"),
        (f"alice {'a' * 64} models=".encode(), "line 1 of"),
        (f"alice {'a' * 64} models=a,,b".encode(), "line 1 of"),
        (f"alice {'a' * 64} models=a, b".encode(), "line 1 of"),
        (f"alice {'a' * 64} models=a 7".encode(), "line 1 of"),
        (f"alice {'a' * 64} weight=0".encode(), "perhaps a limit, models=…, weight=1…100 and daily=…$"),
        (f"alice {'a' * 64} weight=101".encode(), "line 1 of"),
        (f"alice {'a' * 64} weight=1.5".encode(), "line 1 of"),
        (f"alice {'a' * 64} weight=".encode(), "line 1 of"),
        (f"alice {'a' * 64} daily=0".encode(), "line 1 of"),
        (f"alice {'a' * 64} daily=-1".encode(), "line 1 of"),
        (f"alice {'a' * 64} daily=1000000000".encode(), "line 1 of"),
        (f"alice {'a' * 64} daily=1 daily=1".encode(), "line 1 of"),
        (f"alice {'a' * 64} daily = 1".encode(), "line 1 of"),
        (f"alice {'a' * 64} Daily=1".encode(), "line 1 of"),
        (f"alice {'a' * 64} hourly=1".encode(), "line 1 of"),
        (f"alice {'a' * 64} daily=٣".encode(), "line 1 of"),
        (f"alice {'a' * 64}\nalice {'b' * 64}".encode(), "lists a name twice"),
        (f"alice {'a' * 64}\nbob {'a' * 64}".encode(), "lists a hash twice"),
    ],
)
def test_a_file_that_is_no_good_is_reported_in_a_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^API_KEYS_FILE: .*{sentence}") as refusal:
        load_keys(path)
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_key_is_found_by_what_it_hashes_to() -> None:
    keys = [ApiKey("alice", hash_of("a")), ApiKey("bob", hash_of("b"))]
    assert find_key(keys, "a") == keys[0]
    assert find_key(keys, "b") == keys[1]
    for wrong in ("", "c", hash_of("a"), "é", "\ud800"):
        assert find_key(keys, wrong) is None
