"""Says of all questions that wait that somebody waits for them, and ends those that wait too long."""

import asyncio
import contextvars

import structlog

from wire.errors import StoreUnavailableError
from wire.jobs import Jobs

# How often Redis is told that somebody waits for an answer, and how soon again after it was away, in seconds.
_FOLLOW_EVERY = 5.0
_AWAY_PAUSE = 0.5
# How many are told of at once.
_AT_ONCE = 50
_LOG = structlog.get_logger()


class WaitingJob:
    """An answer that somebody waits for. What is due at `due` is to say so, and from `until` on to end it."""

    __slots__ = ("answer", "due", "until")

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.due = 0.0
        self.until = 0.0


class QueueKeepAlive:
    """Attends the answers of one process, in one task while there are any: a task for each would be its dearest part.

    A job may wait for `queue_timeout` seconds; one that runs by then is left alone.
    """

    def __init__(self, jobs: Jobs, queue_timeout: float) -> None:
        self._jobs = jobs
        self._queue_timeout = queue_timeout
        self._attended: set[WaitingJob] = set()
        self._task: asyncio.Task[None] | None = None

    def begin(self, one: WaitingJob) -> None:
        """Somebody waits from now on."""
        now = asyncio.get_running_loop().time()
        one.until = now + self._queue_timeout
        one.due = min(now + _FOLLOW_EVERY, one.until)
        self._attended.add(one)
        if self._task is None:
            # It works for many requests: what it logs is no particular one's.
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())

    def end(self, one: WaitingJob) -> None:
        """Nobody waits any more. The task ends with the last one."""
        self._attended.discard(one)
        if not self._attended and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_AWAY_PAUSE, _FOLLOW_EVERY, self._queue_timeout))
            due = [one for one in self._attended if one.due <= loop.time()]
            for first in range(0, len(due), _AT_ONCE):
                await asyncio.gather(*map(self._see_to, due[first : first + _AT_ONCE]))

    async def _see_to(self, one: WaitingJob) -> None:
        try:
            await self._tell(one)
        except StoreUnavailableError:
            one.due = asyncio.get_running_loop().time() + _AWAY_PAUSE
            one.until = max(one.until, one.due)
        except Exception as error:  # noqa: BLE001 - the others' sake
            self._attended.discard(one)
            _LOG.error("question not attended any more", answer=one.answer, exc_info=error)

    async def _tell(self, one: WaitingJob) -> None:
        if asyncio.get_running_loop().time() >= one.until:
            if await self._jobs.expire(one.answer):
                _LOG.warning("question waited too long", answer=one.answer)
            self._attended.discard(one)
        elif await self._jobs.keep_alive(one.answer):
            one.due = min(asyncio.get_running_loop().time() + _FOLLOW_EVERY, one.until)
        else:
            one.due = one.until
