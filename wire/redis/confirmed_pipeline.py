"""Scripts whose effects a fail-over must not undo: their replies count once a replica has what they wrote.

They have a connection of their own, since WAIT holds up all that comes behind it. What starts while it waits leaves
together, with one WAIT for all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog

from wire.errors import StoreUnavailableError, UnconfirmedError
from wire.redis.connection import Argument, RedisConnection
from wire.redis.pipeline import Pipeline, ignore_outcome
from wire.redis.replicas import Replicas

# Milliseconds that a replica has for it. One that is well needs one or two, over a network too.
_WAIT_MS = 400
# What a server says that doesn't know WAIT, or forbids it. One that became a replica meanwhile says something else.
_FORBIDDEN = ("NOPERM", "ERR unknown command")
_LOG = structlog.get_logger()
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Call:
    script: str
    key: str
    args: Sequence[Argument]
    read: Callable[[Any], Any]
    outcome: "asyncio.Future[Any]"
    reply: "asyncio.Future[Any] | None" = None


class ConfirmedPipeline(Pipeline):
    """A Pipeline whose scripts raise UnconfirmedError while no replica has what was written, though one is expected.

    `marker` is the key of a shard's marker and `prefix` that shard's. The marker is written ahead of each WAIT, which
    waits for what its own connection has written: a script that is repeated may write nothing.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[RedisConnection]],
        patience: float,
        sources: Mapping[str, str],
        marker: str,
        prefix: str,
        sentry: str = "",
    ) -> None:
        super().__init__(connect, patience, sources, sentry)
        self._marker = marker
        self._prefix = prefix
        self._calls: list[_Call] = []
        self._waits = False
        # Whether the last WAIT has confirmed nothing.
        self._in_doubt = False

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> "asyncio.Future[T]":
        """Start a script; see Pipeline."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        self._calls.append(_Call(script, key, args, read, outcome))
        if not self._waits:
            self._waits = True
            loop.call_soon(self._send_calls)
        return outcome

    def _send_calls(self) -> None:
        calls, self._calls = self._calls, []
        waiting = self._start(partial(self._send_together, calls))
        waiting.add_done_callback(partial(self._on_confirmed, calls))

    def _send_together(self, calls: Sequence[_Call], connection: RedisConnection) -> "asyncio.Future[bool]":
        for call in calls:
            call.reply = self._send(connection, call.script, call.key, *call.args, read=call.read)
        self._send(connection, "touch", self._marker, self._prefix, read=bool).add_done_callback(ignore_outcome)
        count = connection.execute("WAIT", 1, _WAIT_MS, read=int)
        return asyncio.ensure_future(_is_confirmed(count, connection.replicas))

    def _on_confirmed(self, calls: Sequence[_Call], waiting: "asyncio.Future[bool]") -> None:
        error = StoreUnavailableError("closed") if waiting.cancelled() else waiting.exception()
        if error is None:
            self._report(waiting.result())
            if not waiting.result():
                error = UnconfirmedError("no replica has what was written")
        for call in calls:
            _settle(call, error)
        self._waits = bool(self._calls)
        if self._calls:
            self._send_calls()

    def _report(self, confirmed: bool) -> None:
        """Log once that replicas don't keep up, and once that they do again."""
        if self._in_doubt == confirmed:
            self._in_doubt = not confirmed
            if confirmed:
                _LOG.info("questions are accepted and sent again")
            else:
                _LOG.warning("no replica has what is written in time: questions are refused, and none is sent")


async def _is_confirmed(count: "asyncio.Future[int]", replicas: Replicas) -> bool:
    """Return whether enough replicas have what was written by the count that WAIT replies. StoreUnavailableError."""
    try:
        replicated = await count
    except StoreUnavailableError as error:
        if not str(error).startswith(_FORBIDDEN):
            raise
        # As before there was a replica: refusing everything would help nobody.
        _LOG.warning("redis forbids WAIT: a fail-over may lose accepted questions", cause=str(error))
        replicas.can_be_awaited = False
        return True
    replicas.record(replicated)
    return replicated > 0 or not replicas.are_expected


def _settle(call: _Call, error: BaseException | None) -> None:
    """Pass on what came of a call, or why nothing did. What Redis itself has said against it comes first."""
    reply = call.reply if call.reply is not None and call.reply.done() and not call.reply.cancelled() else None
    error = (reply.exception() if reply is not None else None) or error
    if call.outcome.done():
        return
    if error is not None:
        call.outcome.set_exception(error)
    else:
        assert reply is not None
        call.outcome.set_result(reply.result())
