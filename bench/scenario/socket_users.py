"""Users of the two WebSockets. One connection is one conversation."""

import json
import random
from contextlib import closing

from locust import task
from websocket import WebSocket, create_connection

from bench.scenario import mix
from bench.scenario.answer import AnswerReader
from bench.scenario.user import ActionTimer, ScenarioUser


class SocketUser(ScenarioUser):
    """Some questions over one socket, each asked when the one before is answered."""

    weight = mix.SOCKET_USERS

    @task(2)
    def stream(self) -> None:
        """Ask at /ws_stream, which sends deltas, then the whole."""
        self._converse("/ws_stream")

    @task
    def one_frame(self) -> None:
        """Ask at /ws, which sends one frame a question."""
        self._converse("/ws")

    def _converse(self, path: str) -> None:
        socket: WebSocket | None = None
        with self.action("open", path):
            socket = create_connection(self.address.replace("http", "ws", 1) + path, timeout=mix.LIMIT_S)
        if socket is None:
            return
        with closing(socket):
            for _ in range(random.randint(*mix.TURNS)):
                with self.action("WS", path) as timer:
                    ask(socket, timer)
                if not socket.connected:
                    return
                self.wait()


def ask(socket: WebSocket, timer: ActionTimer) -> None:
    """Ask one question and read its answer. RefusedError, WrongEndError, WebSocketException."""
    socket.send(json.dumps(mix.question()))
    reader = AnswerReader()
    while reader.end is None:
        reader.take(socket.recv())
        if reader.deltas:
            timer.first()
