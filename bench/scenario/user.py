"""What all users have in common: each thing they do is told to locust under its name."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import gevent
from locust import User, between
from websocket import WebSocketException

from bench.scenario import mix
from bench.scenario.ends import RefusedError, WrongEndError

FIRST_DELTA = "first delta"
REFUSED = "refused"


class Told:
    """One thing that a user does. `first` is to be called when the first delta is there; later calls do nothing."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.first_ms: float | None = None

    def first(self) -> None:
        if self.first_ms is None:
            self.first_ms = self.ms

    @property
    def ms(self) -> float:
        """Milliseconds since it began."""
        return (time.perf_counter() - self._began) * 1000


class ScenarioUser(User):
    """One whom a refusal sends away for as long as it says."""

    abstract = True
    wait_time = between(*mix.THINK_S)

    @property
    def address(self) -> str:
        """Where the service is, as `http://name:port`."""
        return str(self.host).rstrip("/")

    @contextmanager
    def doing(self, kind: str, name: str) -> Iterator[Told]:
        """Time what the body does, and tell how it ended: well, refused (which is no failure), or wrong.

        What ends the body is swallowed: a user goes on with its next task.
        """
        told = Told()
        try:
            with gevent.Timeout(mix.LIMIT_S, TimeoutError(f"not over after {mix.LIMIT_S:.0f} s")):
                yield told
        except RefusedError as refused:
            self._tell(REFUSED, f"{name}: {refused.code}", told.ms)
            gevent.sleep(min(max(refused.retry_after, 1.0), mix.COME_BACK_S))
        except (WrongEndError, OSError, HTTPException, WebSocketException) as error:
            self._tell(kind, name, told.ms, error)
        else:
            self._tell(kind, name, told.ms)
            if told.first_ms is not None:
                self._tell(FIRST_DELTA, name, told.first_ms)

    def _tell(self, kind: str, name: str, ms: float, error: Exception | None = None) -> None:
        self.environment.events.request.fire(
            request_type=kind, name=name, response_time=ms, response_length=0, exception=error, context={}
        )
