"""The bytes of a text completion."""

from types import SimpleNamespace
from typing import cast

import pytest

from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import AnswerFailedError
from gateway.openai.service import SubmittedQuestion
from gateway.openai.text_chunks import TextCompletionChunks, encode_text_completion
from wire.about import About
from wire.messages import Delta, Failed, Final, Replace

pytestmark = pytest.mark.anyio

HEAD = '{"id":"cmpl-s0-1","object":"text_completion","created":5,"model":"%s","system_fingerprint":null,"choices":'


async def finish(*_: object) -> None:
    """The end of a question."""


def question(about: About) -> SubmittedQuestion:
    return cast(SubmittedQuestion, SimpleNamespace(answer="s0-1", accepted=5, about=about, finish=finish))


def choice(text: str, finish_reason: str = "null") -> str:
    return f'[{{"text":"{text}","index":0,"logprobs":null,"finish_reason":{finish_reason}}}]}}'


async def test_the_model_is_the_one_asked_for_until_one_answers() -> None:
    presenter = TextCompletionChunks(question(About("chat", dialect="chat", model="asked")), AnswerAssembler())
    frames = [*presenter.preamble(None), *await presenter.render(Delta("Hi", model="served"))]
    frames += await presenter.render(Final("Hi", model="served"))
    assert [frame.data.decode() for frame in frames] == [
        HEAD % "asked" + choice(""),
        HEAD % "served" + choice("Hi"),
        HEAD % "served" + choice("", '"stop"'),
        "[DONE]",
    ]
    assert presenter.finished


async def test_a_replaced_text_is_sent_behind_the_old_one() -> None:
    presenter = TextCompletionChunks(question(About("chat", "precise")), AnswerAssembler())
    assert (await presenter.render(Delta("a")))[0].data.decode() == HEAD % "bing-precise" + choice("a")
    assert (await presenter.render(Replace("b")))[0].data.decode() == HEAD % "bing-precise" + choice("b")


def test_an_answer_that_fails_at_once_is_no_stream() -> None:
    with pytest.raises(AnswerFailedError):
        TextCompletionChunks(question(About("chat")), AnswerAssembler()).preamble(Failed("timeout.first"))


def test_a_whole_one_without_tokens_of_the_upstream_has_estimates() -> None:
    answer = AnswerAssembler()
    answer.add(Final("abcd"))
    body = encode_text_completion(question(About("chat", prompt_bytes=8)), answer).decode()
    usage = '"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3,"estimated":true}}'
    assert body == HEAD % "bing-balanced" + choice("abcd", '"stop"')[:-1] + "," + usage
