"""The base of all users: it times each of their actions and reports it to locust under a name."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import gevent
from locust import User, between
from websocket import WebSocketException

from bench.scenario import mix
from bench.scenario.errors import RefusedError, WrongEndError

FIRST_DELTA = "first delta"
REFUSED = "refused"


class ActionTimer:
    """One action of a user. `first` is called when the first delta has come; later calls do nothing."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.first_ms: float | None = None

    def first(self) -> None:
        """Note the time of the first delta."""
        if self.first_ms is None:
            self.first_ms = self.ms

    @property
    def ms(self) -> float:
        """Milliseconds since it began."""
        return (time.perf_counter() - self._began) * 1000


class ScenarioUser(User):
    """A user that waits after a refusal for as long as Retry-After."""

    abstract = True
    wait_time = between(*mix.THINK_S)

    @property
    def address(self) -> str:
        """The service's address, as `http://name:port`."""
        return str(self.host).rstrip("/")

    @contextmanager
    def action(self, kind: str, name: str) -> Iterator[ActionTimer]:
        """Time what the body does, and report how it ended: well, refused (which is no failure), or wrong.

        What ends the body is swallowed: a user continues with its next task.
        """
        timer = ActionTimer()
        try:
            with gevent.Timeout(mix.LIMIT_S, TimeoutError(f"not over after {mix.LIMIT_S:.0f} s")):
                yield timer
        except RefusedError as refusal:
            self._report(REFUSED, f"{name}: {refusal.code}", timer.ms)
            gevent.sleep(min(max(refusal.retry_after, 1.0), mix.MAX_WAIT_S))
        except (WrongEndError, OSError, HTTPException, WebSocketException) as error:
            self._report(kind, name, timer.ms, error)
        else:
            self._report(kind, name, timer.ms)
            if timer.first_ms is not None:
                self._report(FIRST_DELTA, name, timer.first_ms)

    def _report(self, kind: str, name: str, ms: float, error: Exception | None = None) -> None:
        self.environment.events.request.fire(
            request_type=kind, name=name, response_time=ms, response_length=0, exception=error, context={}
        )
