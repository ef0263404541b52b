"""The log goes to stderr, one line an event."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from telemetry import logs
from telemetry.answer_digest import digest_answer


@contextmanager
def configured(*how: Any) -> Iterator[None]:
    """Configure the log for a process, and restore everything afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    logs.configure(*how)
    try:
        yield
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with configured("json"):
        structlog.get_logger().info("worker ready", accounts=2)
        structlog.get_logger().debug("a question", question="secret")
        logging.getLogger("httpx").info("GET https://example.com/secret")
        logging.getLogger("httpx").warning("careful")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert json.loads(lines[0]).items() >= {"event": "worker ready", "accounts": 2, "level": "info"}.items()
    assert lines[1:] == ["WARNING httpx careful"]


def test_a_librarys_repeated_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with configured("json"):
        for _ in range(100):
            logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert capsys.readouterr().err.splitlines() == ["WARNING uvicorn.error Invalid HTTP request received."]


def test_errors_are_one_json_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    with configured("json"):
        try:
            raise ValueError("broken")
        except ValueError:
            structlog.get_logger().exception("turn failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: broken" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        ("half a pair \ud83d", "half a pair \ud83d"),
        ("日本", "日本"),
        (2**70, 2**70),
        ({(1, 2): 3}, None),
        (b"bytes", None),
        (ValueError("broken"), "ValueError('broken')"),
    ],
    ids=repr,
)
def test_any_value_can_be_logged(capsys: pytest.CaptureFixture[str], value: object, logged: object) -> None:
    with configured("json"):
        structlog.get_logger().info("seen", value=value)
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert event["event"] == "seen"
    assert logged is None or event["value"] == logged


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_answers_id_is_in_no_line(capsys: pytest.CaptureFixture[str], form: str) -> None:
    answer = "s0-" + "0" * 32
    with configured(form):
        structlog.get_logger().info("answer ended", answer=answer)
        with structlog.contextvars.bound_contextvars(answer=answer):
            structlog.get_logger().warning("turn failed")
    lines = capsys.readouterr().err.splitlines()
    assert [digest_answer(answer) in line for line in lines] == [True, True]
    assert not [line for line in lines if answer in line]


def test_lines_for_people_at_a_level(capsys: pytest.CaptureFixture[str]) -> None:
    with configured("console", logging.DEBUG):
        structlog.get_logger().debug("a question", question="hello")
    out, err = capsys.readouterr()
    assert out == ""
    assert "a question" in err
    assert "hello" in err
