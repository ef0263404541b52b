"""The steps of an answer that both APIs share; each API adds what it sends."""

from dataclasses import dataclass


class Step:
    """One thing that an answer does next."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Pause(Step):
    """Wait this many seconds, times the pace unless exact."""

    seconds: float
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Tick(Step):
    """Wait until the next beat of this period, times the pace unless exact; the first beat is now."""

    period: float
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Close(Step):
    """End the answer early by closing the socket (code 1000) or the TCP connection (FIN)."""


@dataclass(frozen=True, slots=True)
class Reset(Step):
    """End the TCP connection with RST."""


@dataclass(frozen=True, slots=True)
class Silence(Step):
    """Send nothing more and wait for the client to leave."""
