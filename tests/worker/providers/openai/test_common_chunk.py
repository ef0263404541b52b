import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.worker.openai_server import chunk
from worker.errors import UpstreamError
from worker.providers.openai.common_chunk import decode_common
from worker.providers.openai.stream import CompletionStream
from worker.providers.openai.thoughts import ThoughtSplitter

WORDS = st.sampled_from(["", "a", "<think>", "</think>\n", "😀", "\ud83d", "\ude00", '"', "\\", "\n", "stop", "error"])
VALUES = WORDS | st.sampled_from([None, 0, 1.5, True, [], {}, ["a"], {"content": "b"}, {"message": "no"}])
# Fields that common chunks have, and those that change what a chunk means.
DELTA = ["role", "refusal", "tool_calls", "reasoning", "reasoning_content", "text", "annotations", "x"]
CHOICE = ["index", "finish_reason", "logprobs", "native_finish_reason", "message", "text", "usage", "token_ids"]
BESIDE = ["id", "object", "model", "system_fingerprint", "service_tier", "provider", "usage", "obfuscation", "error"]
FURTHER = ["citations", "related_questions", "status", "x"]


def some(names: list[str], values: st.SearchStrategy[Any] = VALUES) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), values, max_size=2)


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    """Bytes of a chunk: mostly a common one, or nearly."""
    delta = {"content": draw(WORDS | VALUES), **draw(some(DELTA, st.none() | VALUES))}
    choice = {"index": 0, "delta": delta, **draw(some(CHOICE, st.none() | VALUES))}
    beside = draw(some(BESIDE, WORDS | st.none() | VALUES) | some(BESIDE + FURTHER))
    choices = draw(st.sampled_from([[choice]] * 8 + [[], [choice, choice], choice]))
    text = json.dumps({"choices": choices, **beside}, ensure_ascii=draw(st.booleans()))
    return text.encode("utf-8", "surrogatepass")


def seal(extra: Any) -> dict[str, Any]:
    return {name: [value] for name, value in extra.items()}


def outcome(data: list[bytes], *, common: bool, sealed: bool, thinks: bool) -> Any:
    """All that is to be seen of an answer after each of its chunks."""
    stream = CompletionStream(thoughts=ThoughtSplitter() if thinks else None, seal=seal if sealed else None)
    seen: list[Any] = []
    for part in data:
        try:
            if not stream.done and not (common and stream.read_common(part)):
                stream.read(part.decode(errors="replace"))
        except UpstreamError as error:
            seen.append((error.reason, error.detail, error.refused))
        seen.append((stream.take(), stream.size, stream.ended, stream.done))
    stream.end_document()
    try:
        seen.append((stream.completion(b""), stream.take(), stream.reasoning_field))
    except UpstreamError as error:
        seen.append(error.reason)
    return seen


BIG = {"choices": [{"delta": {"content": "a"}}], "x": "y" * 65536, "provider": "p"}
NAMED = {"choices": [{"delta": {"content": "a"}}], "provider": "p"}


@given(st.lists(chunks(), max_size=6), st.booleans(), st.booleans())
@example([msgspec.json.encode(value) for value in (BIG, NAMED, NAMED)], True, False)
@example([msgspec.json.encode(value) for value in (NAMED, {**NAMED, "provider": "q", "x": 1}, NAMED)], True, False)
def test_a_chunk_is_read_alike_whether_it_is_taken_for_common_or_not(
    data: list[bytes], sealed: bool, thinks: bool
) -> None:
    common = outcome(data, common=True, sealed=sealed, thinks=thinks)
    assert common == outcome(data, common=False, sealed=sealed, thinks=thinks)


HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


@pytest.mark.parametrize(
    "value",
    [
        {**HEAD, "choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": None, "finish_reason": None}]},
        {**HEAD, **chunk("a"), "system_fingerprint": "f", "service_tier": "s", "usage": None, "obfuscation": "x"},
        {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}]},
        {**HEAD, **chunk("a"), "provider": "p"},
    ],
)
def test_what_most_servers_send_is_common(value: dict[str, Any]) -> None:
    common = decode_common(msgspec.json.encode(value))
    assert common is not None
    assert common.text == "a"
    assert common.beside == tuple(value.get(name) for name in ("system_fingerprint", "service_tier", "provider"))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{"delta":{"content":"a","x":1}}]}', b"\xff"]
)
def test_anything_else_is_not(data: bytes) -> None:
    assert decode_common(data) is None
