import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import UpstreamError
from worker.providers.openai import json_documents
from worker.providers.openai.json_documents import DocumentParser
from worker.providers.openai.sse import MAX_EVENT, MOST_IN_VAIN, VAIN_BYTES

OBJECTS = st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers(), max_size=2), max_size=4)


def read(*pieces: bytes) -> list[str]:
    documents = DocumentParser()
    return [data for piece in pieces for data in documents.feed(piece)] + list(documents.end())


@given(OBJECTS, st.integers(1, 9), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_a_document_by_line_is_one_each(values: list[dict[str, object]], step: int, end: str) -> None:
    body = "".join(json.dumps(value, ensure_ascii=False) + end for value in values).encode()
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    assert [json.loads(data) for data in read(*pieces)] == values


@given(OBJECTS, st.integers(1, 9))
def test_a_document_over_lines_is_one(values: list[dict[str, object]], step: int) -> None:
    body = json.dumps({"values": values}, indent=2).encode()
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    assert [json.loads(data) for data in read(*pieces)] == [{"values": values}]


def test_documents_one_after_the_other_are_one_each_and_the_rest_is_none() -> None:
    assert read(b'{"a": 1} [2]', b'{"b":', b" 3}[DONE] x", b" {}") == ['{"a": 1}', "[2]", '{"b": 3}', "[DONE]", "x {}"]


def test_a_document_is_known_before_the_response_ends() -> None:
    assert list(DocumentParser().feed(b'{"a": [1]}')) == ['{"a": [1]}']


def test_half_a_document_is_returned_at_the_end() -> None:
    assert read(b'{"a":', b" [1") == ['{"a": [1']


def test_a_document_without_an_end_is_cut_off() -> None:
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        read(*[b"[" * 65536] * (MAX_EVENT // 65536 + 1))


def test_a_document_that_seems_to_end_is_tried_in_vain_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(json_documents, "_document_end", lambda text, start: tried.append(len(text)))
    documents = DocumentParser()
    with pytest.raises(UpstreamError):
        all(not list(documents.feed(b'["' + b"}" * 4000)) for _ in itertools.count())
    assert sum(tried) < MOST_IN_VAIN + MAX_EVENT


def test_tries_in_vain_are_bounded_for_all_documents_together(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    decoder = json_documents._document_end

    def try_document(text: str, start: int) -> int:
        end = decoder(text, start)
        tried.append(len(text) * (not end))
        return end

    monkeypatch.setattr(json_documents, "_document_end", try_document)
    parts, count = [b'{"a":[{}' + b",{}" * 1000, *[b",{}" * 1000] * 50, b"]}"], 20
    documents = DocumentParser()
    found = [data for part in parts * count for data in documents.feed(part)] + list(documents.end())
    assert len(found) == count
    assert sum(tried) < MOST_IN_VAIN + (VAIN_BYTES + 1) * sum(map(len, found))
