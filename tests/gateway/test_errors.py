"""The table of errors."""

import pytest
from starlette.exceptions import HTTPException

from gateway import errors
from gateway.errors import Problem, prefers_english, problem_of
from wire.errors import (
    AnswerNotFoundError,
    ClientFullError,
    KeyReusedError,
    KeySpentError,
    QueueFullError,
    StoreUnavailableError,
    TokenUnknownError,
)

BUSY = "服务繁忙,请稍后再试"


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (errors.RefusedError(errors.STYLE), Problem(110, "style不存在", None, "request.style")),
        (TokenUnknownError("t"), Problem(120, "token不存在", None, "token.unknown")),
        (QueueFullError(7), Problem(503, BUSY, 7, "queue.full")),
        (ClientFullError(7), Problem(429, "请求过多,请稍后再试", 7, "client.limit")),
        (errors.SocketFullError(), Problem(429, "请求过多,请稍后再试", 1, "socket.limit")),
        (KeyReusedError("k"), Problem(422, "Idempotency-Key 已用于另一个问题", None, "key.reused")),
        (KeySpentError("k"), Problem(404, "未找到文件", None, "key.spent")),
        (errors.KeyLengthError(1, 9), Problem(422, "Idempotency-Key 须有 1 至 9 个字符", None, "key.length")),
        (StoreUnavailableError("away"), Problem(503, BUSY, 2, "store.unavailable")),
        (errors.AnswerUnknownError(), Problem(404, "未找到文件", None, "answer.unknown")),
        (AnswerNotFoundError("gone"), Problem(500, "回答已丢失,请重新提问", None, "state.lost")),
        (errors.DeadlineError(), Problem(500, "回答超时,请重新提问", None, "timeout.gateway")),
        (errors.DrainingError(), Problem(503, BUSY, 1, "gateway.draining")),
        (HTTPException(404), Problem(404, "未找到文件")),
        (HTTPException(418), Problem(418, "未知错误")),
    ],
)
def test_each_error_is_told_in_its_own_way(error: Exception, problem: Problem) -> None:
    assert problem_of(error) == problem


def test_a_subclass_is_told_like_its_parent() -> None:
    class WorseError(StoreUnavailableError):
        pass

    assert problem_of(WorseError()) == Problem(503, BUSY, 2, "store.unavailable")


def test_what_the_table_does_not_know_is_nothing() -> None:
    assert problem_of(RuntimeError()) is None


@pytest.mark.parametrize("status", [401, 404, 405, 408, 413, 422, 429])
def test_messages_of_statuses_come_in_two_languages(status: int) -> None:
    chinese, english = errors.by_status(status), errors.by_status(status, english=True)
    assert english.message.isascii()
    assert not chinese.message.isascii()


def test_errors_up_to_399_ride_on_a_200() -> None:
    assert [Problem(code, "").status for code in (110, 120, 404, 500, 503)] == [200, 200, 404, 500, 503]


@pytest.mark.parametrize(
    ("header", "english"),
    [
        ("", False),
        ("*", False),
        ("fr", False),
        ("en", True),
        ("en-US,en;q=0.9", True),
        ("zh-CN,zh;q=0.9,en;q=0.8", False),
        ("en;q=0.9, zh;q=0.5", True),
        ("en, zh", False),
        ("en;q=high", False),
        ("EN-gb;level=1", True),
    ],
)
def test_english_is_for_who_prefers_it_to_chinese(header: str, english: bool) -> None:
    assert prefers_english(header) is english
