"""What users do over HTTP, one question each: nothing here knows of locust.

Each is told the address, and calls `first` when the first delta is there. RefusedError, WrongEndError, OSError, and
http.client.HTTPException when the connection breaks.
"""

import random
import time
from collections.abc import Callable, Mapping
from http.client import HTTPResponse

from bench.scenario import mix
from bench.scenario.ends import WrongEndError
from bench.scenario.eventstream import EventStream
from bench.scenario.reading import Reading
from bench.scenario.request import STREAM, data_of, requested, streams

First = Callable[[], None]


def whole(host: str, asked: Mapping[str, str]) -> str:
    """Ask /api; the conversation's token."""
    with requested(host, "/api", asked) as response:
        data = data_of(response)
    if not isinstance(data, dict) or not data.get("answer"):
        raise WrongEndError("an empty answer")
    return str(data["token"])


def streamed(host: str, asked: Mapping[str, str], first: First) -> str:
    """Ask /api_stream and read all of it; the conversation's token."""
    reading = Reading()
    with requested(host, "/api_stream", asked) as response:
        _check_streams(response)
        for event in EventStream().events(response):
            _take(reading, event, first)
    return str(reading.check_ended()["token"])


def check_same(before: str, token: str) -> None:
    """WrongEndError when a conversation's token has changed; `before` is '' for a new one."""
    if before and token != before:
        raise WrongEndError("the conversation's token has changed")


def drawn(host: str, asked: Mapping[str, str]) -> None:
    """Ask /image."""
    with requested(host, "/image", asked) as response:
        pictures = data_of(response)
    if not isinstance(pictures, list) or not pictures:
        raise WrongEndError("no pictures")


def resumed(host: str, asked: Mapping[str, str], first: First) -> None:
    """An EventSource that is cut off within its answer, comes back, and has the whole text in the end."""
    reading, events = Reading(), EventStream()
    cut_after = random.randint(*mix.CUT_AFTER)
    for _ in range(mix.RECONNECTIONS):
        headers = {"accept": STREAM} | ({"last-event-id": events.last_id} if events.last_id else {})
        with requested(host, "/api_stream", asked, headers) as response:
            _check_streams(response)
            for event in events.events(response):
                _take(reading, event, first)
                if reading.deltas == cut_after:
                    break
        if reading.end is not None:
            _check_over(host, asked, events.last_id)
            return
        cut_after = 0
        time.sleep(mix.RECONNECT_S)
    raise WrongEndError(f"no end after coming back {mix.RECONNECTIONS} times")


def _check_over(host: str, asked: Mapping[str, str], last: str) -> None:
    """After the end an EventSource that comes back is sent away, or it would go on for ever."""
    with requested(host, "/api_stream", asked, {"accept": STREAM, "last-event-id": last}) as response:
        if response.status != 204:
            raise WrongEndError(f"{response.status} in place of 204 after the end")


def stopped(host: str, asked: Mapping[str, str], first: First) -> None:
    """A stream that its user stops within the answer; it ends with the text so far."""
    reading, stop_after = Reading(), random.randint(*mix.CUT_AFTER)
    state = ""
    with requested(host, "/api_stream", asked) as response:
        _check_streams(response)
        answer = response.headers["x-answer-id"]
        for event in EventStream().events(response):
            _take(reading, event, first)
            if reading.deltas == stop_after and not state:
                state = _stop(host, answer)
    end = reading.check_ended()
    if state == "stopped" and not end["reset"]:
        raise WrongEndError("an answer that was stopped, without reset")


def _stop(host: str, answer: str) -> str:
    """The answer's state afterwards."""
    with requested(host, f"/answers/{answer}", {}, method="DELETE") as response:
        data = data_of(response)
    state = data.get("state") if isinstance(data, dict) else None
    if state not in ("stopped", "done"):
        raise WrongEndError(f"an answer that was stopped is {state}")
    return str(state)


def _check_streams(response: HTTPResponse) -> None:
    if not streams(response):
        data_of(response)
        raise WrongEndError(f"{response.status} without a stream")


def _take(reading: Reading, event: bytes, first: First) -> None:
    before = reading.deltas
    reading.take(event)
    if before == 0 and reading.deltas:
        first()
