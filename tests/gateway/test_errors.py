"""The table of errors."""

import importlib
import re
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from gateway import errors
from gateway.errors import Problem, failure_of, prefers_english, problem_of
from wire.errors import (
    AnswerLostError,
    AnswerNotFoundError,
    ClientBytesError,
    ClientDailyError,
    ClientFullError,
    KeyReusedError,
    KeySpentError,
    QueueFullError,
    StoreFullError,
    StoreUnavailableError,
    TokenUnknownError,
)
from wire.messages import Failed
from wire.reasons import Reason

ROOT = Path(__file__).parent.parent.parent
BUSY = "服务繁忙,请稍后再试"


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (errors.RefusedError(Reason.REQUEST_STYLE), Problem(110, "style不存在", None, "request.style")),
        (TokenUnknownError("t"), Problem(120, "token不存在", None, "token.unknown")),
        (QueueFullError(7), Problem(503, BUSY, 7, "queue.full")),
        (ClientFullError(7), Problem(429, "请求过多,请稍后再试", 7, "client.limit")),
        (ClientBytesError(7), Problem(429, "请求过多,请稍后再试", 7, "client.bytes")),
        (ClientDailyError(7), Problem(429, "今日提问次数已用完,请稍后再试", 7, "client.daily")),
        (StoreFullError(7), Problem(503, BUSY, 7, "store.full")),
        (errors.SocketFullError(), Problem(429, "请求过多,请稍后再试", 1, "socket.limit")),
        (KeyReusedError("k"), Problem(422, "Idempotency-Key 已用于另一个问题", None, "key.reused")),
        (KeySpentError("k"), Problem(404, "未找到文件", None, "key.spent")),
        (
            errors.BodyEncodingError("br"),
            Problem(415, "不支持 Content-Encoding: br,请发送未压缩的内容", None, "request.encoding"),
        ),
        (errors.KeyLengthError(1, 9), Problem(422, "Idempotency-Key 须有 1 至 9 个字符", None, "key.length")),
        (errors.QuestionLengthError(9), Problem(110, "问题过长,最多 9 字节", None, "request.toolong")),
        (StoreUnavailableError("away"), Problem(503, BUSY, 2, "store.unavailable")),
        (AnswerNotFoundError(), Problem(404, "未找到文件", None, "answer.unknown")),
        (AnswerLostError(), Problem(500, "回答已丢失,请重新提问", None, "state.lost")),
        (errors.DeadlineError(), Problem(500, "回答超时,请重新提问", None, "timeout.gateway")),
        (errors.DrainingError(), Problem(503, BUSY, 1, "gateway.draining")),
        (HTTPException(404), Problem(404, "未找到文件", None, "request.path")),
        (HTTPException(418), Problem(418, "未知错误")),
    ],
)
def test_each_error_is_reported_in_its_own_way(error: Exception, problem: Problem) -> None:
    assert problem_of(error) == problem


def test_a_subclass_is_reported_like_its_parent() -> None:
    class WorseError(StoreUnavailableError):
        pass

    assert problem_of(WorseError()) == Problem(503, BUSY, 2, "store.unavailable")


def test_what_nobody_expects_is_an_internal_error() -> None:
    assert problem_of(RuntimeError()) == Problem(500, "未知错误", None, "internal")


def test_each_reason_has_a_spec_and_each_spec_a_reason() -> None:
    assert set(errors.ERRORS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_each_sentence_comes_in_two_languages(reason: Reason) -> None:
    """The English of the drop-in endpoints has no full stop, as their Chinese has none; that of the OpenAI API has."""
    spec = errors.ERRORS[reason]
    assert spec.en.isascii()
    assert not spec.en.endswith(".")
    assert not spec.zh.isascii()
    assert spec.openai.message.isascii()
    assert spec.openai.message.endswith(".")


@pytest.mark.parametrize("module", ["wire.errors", "gateway.errors", "worker.errors"])
def test_each_exception_that_reaches_a_client_has_a_reason(module: str) -> None:
    """What is missing never leaves a process, or is a root, or has its reason with it, or is of a kind that has one."""
    internal = {
        "WireError",
        "BadMessageError",
        "ConversationMovedError",
        "LeaseLostError",
        "AnswerEndedError",
        "StateLostError",
        "RefusedError",
        "TurnEndedError",
        "ClientGoneError",
        "UpstreamError",
    }
    names = vars(importlib.import_module(module)).items()
    kinds = {kind for _, kind in names if isinstance(kind, type) and issubclass(kind, Exception)}
    own = {kind for kind in kinds if kind.__module__ == module}
    assert {kind.__name__ for kind in own if not set(errors.REASONS).intersection(kind.__mro__)} <= internal
    assert not {kind.__name__ for kind in errors.REASONS} & internal


def test_each_reason_is_used() -> None:
    """By its name or by its value, somewhere in the product's sources other than the two tables."""
    tables = {ROOT / "wire/reasons.py", ROOT / "gateway/errors.py"}
    paths = {path for package in ("gateway", "worker", "wire") for path in (ROOT / package).rglob("*.py")} - tables
    sources = "\n".join(path.read_text() for path in sorted(paths))
    mapped = {*errors.REASONS.values(), *errors.STATUS_REASONS.values(), Reason.INTERNAL}
    unused = [reason for reason in Reason if f"Reason.{reason.name}" not in sources and f'"{reason}"' not in sources]
    assert set(unused) <= mapped


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (Failed("account.throttled", retry_after=60), Problem(120, "已上限,60秒后尝试", 60, "account.throttled")),
        (
            Failed("account.throttled", retry_after=43200),
            Problem(120, "已上限,24小时后尝试", 43200, "account.throttled"),
        ),
        (
            Failed("question.invalid", detail="No 'k'."),
            Problem(500, "上游认为请求无效: No 'k'.", None, "question.invalid"),
        ),
        (Failed("account.throttled"), Problem(500, "已上限,24小时后尝试", None, "account.throttled")),
        (Failed("account.none", retry_after=5), Problem(503, "没有可用的上游账号", 5, "account.none")),
        (Failed("queue.timeout", retry_after=5), Problem(503, BUSY, 5, "queue.timeout")),
        (Failed("interrupted"), Problem(500, "回答中断,请重新提问", None, "interrupted")),
        (Failed("its.own", code=500, message="坏了"), Problem(500, "坏了", None, "its.own")),
        (Failed("its.own", code=503, message="未知错误", retry_after=3), Problem(503, "未知错误", 3, "its.own")),
        (Failed("its.own"), Problem(500, "未知错误", None, "its.own")),
    ],
)
def test_each_failure_has_its_code_and_sentence(event: Failed, problem: Problem) -> None:
    assert failure_of(event) == problem


def test_a_failure_comes_in_english_too() -> None:
    assert failure_of(Failed("interrupted"), english=True).message == "The answer was interrupted, ask again"
    assert failure_of(Failed("its.own", code=500, message="未知错误"), english=True).message == "Unknown error"


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
        ("fr;q=1," * 1000 + "en", False),
    ],
)
def test_english_is_for_who_prefers_it_to_chinese(header: str, english: bool) -> None:
    assert prefers_english(header) is english


def test_the_consoles_shorter_words_are_for_reasons_and_in_both_languages() -> None:
    words = (ROOT / "gateway/console/static/words.js").read_text()
    table = words[words.index("const SHORT") : words.index("};", words.index("const SHORT"))]
    entries = re.findall(r'"?([a-z_.]+)"?: \["([^"]+)", "([^"]+)"\]', table)
    assert entries
    assert {reason for reason, _, _ in entries} <= {*Reason, "other"}
    assert all(english.isascii() and not chinese.isascii() for _, english, chinese in entries)
