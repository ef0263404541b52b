"""What clients saw: every frame of every question, with its place in the answer."""

import time
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["whole", "naive", "eventsource", "socket", "image"]


@dataclass(frozen=True)
class Frame:
    """One frame. `answer` and `seq` come from an SSE id; `at` is in seconds of the monotonic clock."""

    body: dict[str, Any]
    answer: str | None = None
    seq: int | None = None
    at: float = 0.0

    @property
    def code(self) -> int:
        return int(self.body["code"])

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.body.get("data") or {}
        return data


@dataclass
class Exchange:
    """One question at one client, and all that came back. An image request's question is its keyword.

    `chain` names what the question belongs to when no token does (a socket). `key` is the Idempotency-Key. `refused` is
    the frame that came instead of a stream. `cut` says that the connection broke and this kind of client can't come
    back; `hung`, that the client gave up waiting; `stopped`, that somebody stopped the answer, with success. Times
    are in seconds of the monotonic clock.
    """

    kind: Kind
    question: str
    token: str | None = None
    chain: str = ""
    key: str = ""
    streaming: bool = True
    frames: list[Frame] = field(default_factory=list)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    refused: Frame | None = None
    connections: int = 0
    gateway: str = ""
    answer: str = ""
    cut: bool = False
    hung: bool = False
    stopped: bool = False
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def is_terminal(self, frame: Frame) -> bool:
        """An error, or the frame with the whole answer."""
        return frame.code != 200 or not self.streaming or frame.data["done"] is True

    @property
    def terminals(self) -> list[Frame]:
        return [frame for frame in self.frames if self.is_terminal(frame)]

    @property
    def deltas(self) -> list[str]:
        return [frame.data["answer"] for frame in self.frames if not self.is_terminal(frame)]

    @property
    def end(self) -> Frame | None:
        """The first terminal frame, or the refusal."""
        terminals = self.terminals
        return terminals[0] if terminals else self.refused

    @property
    def code(self) -> int | None:
        """The code of the end."""
        return self.end.code if self.end else None

    @property
    def answered(self) -> bool:
        return self.code == 200

    @property
    def given_token(self) -> str | None:
        """The token that the answer carries, else the one it was asked with."""
        for frame in self.frames:
            if "token" in frame.data:
                return str(frame.data["token"])
        return self.token
