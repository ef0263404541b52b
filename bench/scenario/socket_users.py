"""Users of the two WebSockets. One connection is one conversation."""

import json
import random
from contextlib import closing

from locust import task
from websocket import WebSocket, create_connection

from bench.scenario import mix
from bench.scenario.reading import Reading
from bench.scenario.user import ScenarioUser, Told


class Talking(ScenarioUser):
    """Some questions over one socket, each asked when the one before is answered."""

    weight = mix.TALKING

    @task(2)
    def stream(self) -> None:
        """/ws_stream: deltas, then the whole."""
        self._talk("/ws_stream")

    @task
    def one_frame(self) -> None:
        """/ws: one frame a question."""
        self._talk("/ws")

    def _talk(self, path: str) -> None:
        socket: WebSocket | None = None
        with self.doing("open", path):
            socket = create_connection(self.address.replace("http", "ws", 1) + path, timeout=mix.LIMIT_S)
        if socket is None:
            return
        with closing(socket):
            for _ in range(random.randint(*mix.TURNS)):
                with self.doing("WS", path) as told:
                    answered(socket, told)
                if not socket.connected:
                    return
                self.wait()


def answered(socket: WebSocket, told: Told) -> None:
    """Ask one question and read its answer. RefusedError, WrongEndError, WebSocketException."""
    socket.send(json.dumps(mix.question()))
    reading = Reading()
    while reading.end is None:
        reading.take(socket.recv())
        if reading.deltas:
            told.first()
