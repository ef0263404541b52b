"""The bytes of a streamed completion."""

from types import SimpleNamespace
from typing import cast

import pytest

from gateway.openai.chunks import CompletionChunks
from gateway.openai.errors import AnswerFailedError
from gateway.openai.service import SubmittedQuestion
from gateway.openai.text_assembler import TextAssembler
from wire.about import describe
from wire.messages import Chat, Delta, Failed, Final, Source, Usage

pytestmark = pytest.mark.anyio

HEAD = (
    '{"id":"chatcmpl-s0-1","object":"chat.completion.chunk","created":5,"model":"bing-balanced",'
    '"system_fingerprint":null,"choices":'
)


async def finish(*_: object) -> None:
    """The end of a question."""


def chunks(*, usage: bool = False) -> CompletionChunks:
    question = SimpleNamespace(answer="s0-1", accepted=5, about=describe(Chat("balanced", "hello")), finish=finish)
    return CompletionChunks(cast(SubmittedQuestion, question), TextAssembler(), usage=usage)


def choice(delta: str, finish_reason: str = "null") -> str:
    return f'{HEAD}[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish_reason}}}]'


async def test_a_stream_is_role_text_citations_end_and_done() -> None:
    presenter = chunks()
    frames = [
        *presenter.preamble(None),
        *await presenter.render(Delta("Hi")),
        *await presenter.render(Final("Hi", urls=(Source("T", "https://x"),))),
    ]
    citation = '{"start_index":2,"end_index":2,"title":"T","url":"https://x"}'
    assert [frame.data.decode() for frame in frames] == [
        choice('{"role":"assistant","content":""}') + "}",
        choice('{"content":"Hi"}') + "}",
        choice(f'{{"annotations":[{{"type":"url_citation","url_citation":{citation}}}]}}') + "}",
        choice("{}", '"stop"') + "}",
        "[DONE]",
    ]
    assert presenter.finished


async def test_with_usage_it_is_null_until_the_last_chunk() -> None:
    presenter = chunks(usage=True)
    *others, last, _ = [*presenter.preamble(None), *await presenter.render(Final("Hi", usage=Usage(3, 4)))]
    assert all(frame.data.endswith(b'"usage":null}') for frame in others)
    assert last.data.decode() == (HEAD + '[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}')


def test_an_answer_that_fails_at_once_is_no_stream() -> None:
    with pytest.raises(AnswerFailedError):
        chunks().preamble(Failed("timeout.first"))
