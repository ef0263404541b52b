"""The steps of an answer over the chat socket: what is sent."""

from dataclasses import dataclass

from emulator.steps import Step


@dataclass(frozen=True, slots=True)
class SendText(Step):
    """One WebSocket text message."""

    data: str


@dataclass(frozen=True, slots=True)
class SendDelta(Step):
    """One WebSocket text message that brings the answer's text to `length` characters."""

    data: str
    length: int


@dataclass(frozen=True, slots=True)
class SendBinary(Step):
    """One WebSocket binary message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendFinal(Step):
    """The last message of a turn; `outcome` goes into the ledger just before it leaves."""

    data: str
    outcome: str
