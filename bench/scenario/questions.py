"""What users do over HTTP, one question each; nothing here needs locust.

Each function gets the address, and calls `first` when the first delta has come. It raises RefusedError, WrongEndError
or OSError, and http.client.HTTPException when the connection breaks.
"""

import time
from collections.abc import Callable, Mapping
from http.client import HTTPResponse

from bench.scenario import mix
from bench.scenario.answer import AnswerReader
from bench.scenario.errors import WrongEndError
from bench.scenario.event_stream import EventStream
from bench.scenario.request import STREAM, is_stream, read_data, request

First = Callable[[], None]


def ask_whole(host: str, fields: Mapping[str, str]) -> str:
    """Ask /api and return the conversation's token."""
    with request(host, "/api", fields) as response:
        data = read_data(response)
    if not isinstance(data, dict) or not data.get("answer"):
        raise WrongEndError("an empty answer")
    return str(data["token"])


def ask_stream(host: str, fields: Mapping[str, str], first: First) -> str:
    """Ask /api_stream, read all of it, and return the conversation's token."""
    reader = AnswerReader()
    with request(host, "/api_stream", fields) as response:
        _check_stream(response)
        for event in EventStream().events(response):
            _take(reader, event, first)
    return str(reader.check_ended()["token"])


def check_same_token(before: str, token: str) -> None:
    """Raise WrongEndError when a conversation's token has changed; `before` is '' for a new one."""
    if before and token != before:
        raise WrongEndError("the conversation's token has changed")


def ask_images(host: str, fields: Mapping[str, str]) -> None:
    """Ask /image."""
    with request(host, "/image", fields) as response:
        pictures = read_data(response)
    if not isinstance(pictures, list) or not pictures:
        raise WrongEndError("no pictures")


def ask_and_reconnect(
    host: str, fields: Mapping[str, str], first: First, *, cut_after: int, reconnect_s: float = mix.RECONNECT_S
) -> None:
    """Ask as an EventSource whose connection is cut after `cut_after` deltas.

    It reconnects `reconnect_s` seconds later and gets the whole text.
    """
    reader, events = AnswerReader(), EventStream()
    for _ in range(mix.RECONNECTIONS):
        headers = {"accept": STREAM} | ({"last-event-id": events.last_id} if events.last_id else {})
        with request(host, "/api_stream", fields, headers) as response:
            _check_stream(response)
            for event in events.events(response):
                _take(reader, event, first)
                if reader.deltas == cut_after:
                    break
        if reader.end is not None:
            _check_no_content(host, fields, events.last_id)
            return
        cut_after = 0
        time.sleep(reconnect_s)
    raise WrongEndError(f"no end after {mix.RECONNECTIONS} connections")


def _check_no_content(host: str, fields: Mapping[str, str], last_id: str) -> None:
    """Check that an EventSource gets 204 after the end; otherwise it would reconnect forever."""
    with request(host, "/api_stream", fields, {"accept": STREAM, "last-event-id": last_id}) as response:
        if response.status != 204:
            raise WrongEndError(f"{response.status} in place of 204 after the end")


def ask_and_stop(host: str, fields: Mapping[str, str], first: First, *, stop_after: int) -> None:
    """Stop a stream after `stop_after` deltas; it must end with the text so far."""
    reader, state = AnswerReader(), ""
    with request(host, "/api_stream", fields) as response:
        _check_stream(response)
        answer = response.headers["x-answer-id"]
        for event in EventStream().events(response):
            _take(reader, event, first)
            if reader.deltas == stop_after and not state:
                state = _stop(host, answer)
    end = reader.check_ended()
    if state == "stopped" and not end["reset"]:
        raise WrongEndError("an answer that was stopped, without reset")


def _stop(host: str, answer: str) -> str:
    """Stop an answer and return its state afterwards."""
    with request(host, f"/answers/{answer}", {}, method="DELETE") as response:
        data = read_data(response)
    state = data.get("state") if isinstance(data, dict) else None
    if state not in ("stopped", "done"):
        raise WrongEndError(f"an answer that was stopped is {state}")
    return str(state)


def _check_stream(response: HTTPResponse) -> None:
    if not is_stream(response):
        read_data(response)
        raise WrongEndError(f"{response.status} without a stream")


def _take(reader: AnswerReader, event: bytes, first: First) -> None:
    before = reader.deltas
    reader.take(event)
    if before == 0 and reader.deltas:
        first()
