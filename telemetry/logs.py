"""Structured logs of all processes: one line an event, for people or as JSON, on stderr."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import structlog

from telemetry import traces
from telemetry.answer_digest import digest_answer
from telemetry.repeated_lines import RepeatedLines

LogFormat = Literal["console", "json"]
# Whether a logger is made once, at its first line. One that outlives its stderr, as in tests, must not be.
CACHES_LOGGERS = True


def configure(log_format: LogFormat, level: int = logging.INFO) -> None:
    """Configure the process's log. Libraries' records below WARNING are dropped: they may contain questions."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RepeatedLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    renderer: structlog.typing.Processor
    renderer = (
        structlog.processors.JSONRenderer(_encode)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _hide_answer,
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=CACHES_LOGGERS,
    )


def _encode(event: structlog.typing.EventDict, default: Callable[[Any], Any]) -> str:
    """Encode one event; `default` replaces values that JSON doesn't have."""
    try:
        return msgspec.json.encode(event, enc_hook=default).decode()
    except (UnicodeEncodeError, TypeError):
        # Half of a surrogate pair, or a key that is no text.
        return json.dumps(event, default=default, skipkeys=True)


def _hide_answer(
    _: structlog.typing.WrappedLogger, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace an answer's id, the field `answer`, by its digest."""
    if answer := event.get("answer"):
        event["answer"] = digest_answer(answer)
    return event


def _add_trace(
    _: structlog.typing.WrappedLogger, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add the current trace's id, if there is one."""
    if trace := traces.current_trace_id():
        event["trace"] = trace
    return event
