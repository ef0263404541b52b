"""The AsyncAPI document keeps up with the code: sockets, messages, reasons."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from starlette.routing import WebSocketRoute

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.docs import asyncapi
from gateway.http import websocket
from gateway.ops.metrics import ANY_PATH
from gateway.settings import GatewaySettings
from gateway.v2.messages import SUBPROTOCOL
from tests.support.api_document import Document
from tests.support.gateway.harness import running
from wire.redis.store import Store

V2 = Path(__file__).parents[3] / "gateway/v2"
MESSAGES, FRAMES = ((V2 / name).read_text() for name in ("messages.py", "frames.py"))
FOUND = asyncapi.document()
DOCUMENT = Document(FOUND)
SCHEMAS = FOUND["components"]["schemas"]


def test_every_socket_is_a_channel() -> None:
    app = create_app(GatewaySettings(), Store("memory://"), ActiveRequests())
    routed = {route.path for route in app.routes if isinstance(route, WebSocketRoute)} - {ANY_PATH}
    assert {channel["address"] for channel in FOUND["channels"].values()} == routed


def test_the_subprotocol_is_named() -> None:
    header = FOUND["channels"]["v2"]["bindings"]["ws"]["headers"]["properties"]["Sec-WebSocket-Protocol"]
    assert header["examples"] == [SUBPROTOCOL]


def test_every_close_code_is_documented() -> None:
    for channel in FOUND["channels"].values():
        assert str(websocket._SERVICE_RESTART) in channel["x-close-codes"]


def test_every_message_of_v2_is_documented() -> None:
    sent = set(re.findall(r'case "(\w+)":', MESSAGES))
    received = set(re.findall(r'tag="(\w+)"', FRAMES))
    documented = {
        schema["properties"]["type"]["const"] for schema in SCHEMAS.values() if "type" in schema.get("properties", {})
    }
    assert len(sent) == 3
    assert len(received) == 7
    assert documented == sent | received


def test_every_field_of_a_message_of_v2_is_documented() -> None:
    read = set(re.findall(r'message\.get\("(\w+)"', MESSAGES))
    assert len(read) > 5
    assert read <= {name for one in ("Ask", "Resume", "Stop") for name in SCHEMAS[one]["properties"]}


def test_every_example_has_the_shape_of_its_message() -> None:
    for message in FOUND["components"]["messages"].values():
        assert message["examples"]
        for example in message["examples"]:
            DOCUMENT.check(message["payload"], example["payload"])


def test_every_shape_is_used_and_every_message_sent() -> None:
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(FOUND)))
    assert named == set(SCHEMAS)
    sent = {name for channel in FOUND["channels"].values() for name in channel["messages"]}
    assert sent == set(FOUND["components"]["messages"])


@pytest.mark.anyio
async def test_a_question_that_waits_gets_its_place_as_documented() -> None:
    store = Store("memory://")
    async with (
        running(store, worker=False) as gateway,
        gateway.socket("/ws_stream", subprotocols=[SUBPROTOCOL]) as socket,
    ):
        await socket.send(json.dumps({"type": "ask", "id": "1", "style": "balanced", "question": "hello"}))
        for name in ("Accepted", "Queued"):
            async with asyncio.timeout(10):
                frame = json.loads(await socket.recv())
            DOCUMENT.check({"$ref": f"#/components/schemas/{name}"}, frame)
    await store.close()
