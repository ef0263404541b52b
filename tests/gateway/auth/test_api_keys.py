"""The file of API keys."""

import hashlib
from pathlib import Path

import pytest

from gateway.auth.api_keys import ApiKey, find_key, load_keys


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
