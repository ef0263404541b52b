"""A plain client of the emulated Bing: it sends what a browser would, and checks nothing that comes back."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

import aiohttp

Json = dict[str, Any]
SEPARATOR = "\x1e"


@dataclass
class SocketReply:
    """What came back on one socket: its messages, their records, and how it ended."""

    messages: list[str]
    records: list[Json]
    close_code: int | None

    @property
    def item(self) -> Json:
        item: Json = next(record["item"] for record in self.records if record.get("type") == 2)
        return item

    @property
    def answer(self) -> str:
        """The answer in the final record as a careful client reads it."""
        for message in reversed(self.item["messages"]):
            if message["author"] == "bot" and "messageType" not in message:
                return str(message.get("text", ""))
        return ""

    @property
    def update_messages(self) -> list[Json]:
        """The messages of every update."""
        updates = [record["arguments"][0] for record in self.records if record.get("type") == 1]
        return [message for update in updates for message in update.get("messages", [])]

    @property
    def texts(self) -> list[str]:
        """The answer's text in each update that has one."""
        return [
            message["text"] for message in self.update_messages if "messageType" not in message and "text" in message
        ]


class BingClient:
    """One account at one emulator."""

    def __init__(self, session: aiohttp.ClientSession, url: str, account: str | None) -> None:
        self.session = session
        self.url = url
        self.headers = {"Cookie": f"_U={account}"} if account else {}

    async def create(self) -> Json:
        async with self.session.get(f"{self.url}/turing/conversation/create", headers=self.headers) as response:
            created: Json = await response.json()
            return created

    async def script(self, **order: object) -> None:
        async with self.session.post(f"{self.url}/_script", json=order) as response:
            assert response.status == 200, await response.text()

    async def ledger(self) -> Json:
        async with self.session.get(f"{self.url}/_ledger") as response:
            entries: Json = await response.json()
            return entries

    async def open(self, query: str = "") -> aiohttp.ClientWebSocketResponse:
        """Return a socket after its handshake."""
        socket = await self.session.ws_connect(
            f"{self.url}/sydney/ChatHub{query}", headers=self.headers, max_msg_size=0
        )
        await socket.send_str('{"protocol":"json","version":1}' + SEPARATOR)
        assert await socket.receive_str() == "{}" + SEPARATOR
        await socket.send_str('{"type":6}' + SEPARATOR)
        return socket

    async def ask(self, created: Json, text: str, invocation: int = 3, query: str = "", **changes: Any) -> SocketReply:
        """Ask, and listen until the final record or the end of the socket."""
        socket = await self.open(query)
        await socket.send_str(question(created, text, invocation, **changes))
        reply = await listen(socket)
        await socket.close()
        return reply


def question(created: Json, text: str, invocation: int = 3, **changes: Any) -> str:
    """Return the type 4 record; changes replace fields of its argument."""
    request_id = str(uuid.uuid4())
    argument = {
        "source": "cib",
        "isStartOfSession": invocation == 3,
        "message": {"locale": "en-US", "author": "user", "text": text, "messageType": "Chat"},
        "tone": "Balanced",
        "requestId": request_id,
        "conversationSignature": created.get("conversationSignature"),
        "participant": {"id": created.get("clientId")},
        "conversationId": created.get("conversationId"),
    } | changes
    record = {"arguments": [argument], "invocationId": str(invocation), "target": "chat", "type": 4}
    return json.dumps(record) + SEPARATOR


async def listen(socket: aiohttp.ClientWebSocketResponse, limit: float = 5.0) -> SocketReply:
    """Return all messages until a final record or the end. Raises TimeoutError after the limit's seconds of silence."""
    reply = SocketReply([], [], None)
    while True:
        message = await socket.receive(timeout=limit)
        if message.type is not aiohttp.WSMsgType.TEXT:
            reply.close_code = socket.close_code
            return reply
        reply.messages.append(message.data)
        reply.records += [json.loads(part) for part in message.data.split(SEPARATOR) if part]
        if any(record.get("type") == 2 for record in reply.records):
            return reply
