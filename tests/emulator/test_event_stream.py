import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from emulator.clock import EmulatorClock
from emulator.event_stream import (
    EventStreamResponder,
    FailAnswer,
    FinishAnswer,
    SendEvent,
    SendStreamText,
    WholeBodyResponder,
)
from emulator.ledger import TurnEntry
from emulator.pacing import Pacer
from emulator.sse_layout import SseLayout
from emulator.steps import Close, Step

pytestmark = pytest.mark.anyio

HELLO = [SendEvent({"text": "Hel"}, "delta", "Hel"), SendEvent({"text": "lo"}, piece="lo")]
END = FinishAnswer((SendEvent({"done": True}, "end"),), "Success", after=": late\n\n")


class Teapot:
    """An error that a test knows again."""

    def render(self) -> web.Response:
        """Return the HTTP response."""
        return web.Response(status=418)


def join(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add events up to one body."""
    return {"text": "".join(event.get("text", "") for event in events)}


async def play(steps: list[Step], whole: bool) -> tuple[httpx.Response | None, TurnEntry]:
    """Return what a client gets for these steps, None if the connection broke, and the ledger's entry."""
    entry = TurnEntry(0, "k", "c", "1", "q", True)

    async def handle(request: web.Request) -> web.StreamResponse:
        clock = EmulatorClock()
        responder: EventStreamResponder | WholeBodyResponder
        if whole:
            responder = WholeBodyResponder(request, entry, clock, join, {"x-a": "1"})
        else:
            responder = EventStreamResponder(request, entry, clock, SseLayout(batch=2), {"x-a": "1"})
        return await responder.play(iter(steps), Pacer(0))

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestServer(app, handler_cancellation=True) as server, httpx.AsyncClient() as client:
        try:
            return await client.get(str(server.make_url("/"))), entry
        except httpx.TransportError:
            return None, entry


async def test_a_stream_has_names_only_where_there_are_any() -> None:
    response, entry = await play([*HELLO, END], whole=False)
    assert response is not None
    assert response.headers["x-a"] == "1"
    assert response.text == (
        'event: delta\ndata: {"text":"Hel"}\n\ndata: {"text":"lo"}\n\nevent: end\ndata: {"done":true}\n\n: late\n\n'
    )
    assert (entry.text, entry.deltas, entry.length, entry.outcome) == ("Hello", 2, 5, "Success")


async def test_a_whole_body_is_what_the_events_add_up_to() -> None:
    response, entry = await play([*HELLO, SendStreamText(": x\n\n", spoils=False), END], whole=True)
    assert response is not None
    assert (response.json(), response.headers["x-a"]) == ({"text": "Hello"}, "1")
    assert entry.text == "Hello"


async def test_a_broken_event_cuts_a_whole_body() -> None:
    response, _ = await play([*HELLO, SendStreamText("data: {\n\n"), END], whole=True)
    assert response is not None
    with pytest.raises(json.JSONDecodeError):
        response.json()


@pytest.mark.parametrize("whole", [True, False])
async def test_an_error_is_an_event_or_the_response(whole: bool) -> None:
    fail = FailAnswer(SendEvent({"error": 1}, "error"), Teapot(), "Failed")
    response, entry = await play([*HELLO, fail], whole)
    assert response is not None
    assert response.status_code == (418 if whole else 200)
    assert response.text.endswith("" if whole else 'event: error\ndata: {"error":1}\n\n')
    assert (entry.outcome, entry.text) == ("Failed", "" if whole else "Hello")


@pytest.mark.parametrize("whole", [True, False])
async def test_a_connection_drops_after_what_was_sent(whole: bool) -> None:
    response, entry = await play([HELLO[0], Close()], whole)
    assert response is None
    assert (entry.outcome, entry.text) == ("closed", "Hel")
