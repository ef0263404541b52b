"""The load client's plan under overload, and its outcome."""

import msgspec

from bench.clients.spread import Spread
from bench.clients.transports import question_request
from bench.overload.upstream import MIN_SIZE


class Group(msgspec.Struct, frozen=True):
    """`count` questions, one every `every` seconds, for answers of `deltas` pieces, `rate` a second.

    size: characters of a piece. bytes_per_s: how fast their client reads; 0 is as fast as it can.
    readers: how many more clients follow each answer by its id.
    """

    name: str
    count: int
    every: float
    deltas: int
    rate: float
    size: int = MIN_SIZE
    bytes_per_s: int = 0
    readers: int = 0

    @property
    def answer_s(self) -> float:
        """How long an answer takes upstream."""
        return self.deltas / self.rate

    @property
    def request(self) -> bytes:
        """The question as HTTP."""
        return question_request(f"!deltas={self.deltas} !rate={self.rate:g} !size={self.size}")


class OverloadPlan(msgspec.Struct, frozen=True):
    """Groups that ask at the same time, spread over the ports.

    After `limit` seconds the client gives up on what isn't over. Only what arrives between `from_s` and `to_s` counts
    for the delays.
    """

    ports: list[int]
    groups: list[Group]
    from_s: float
    to_s: float
    limit: float


class Second(msgspec.Struct, frozen=True):
    """A group's second, counted from the client's start: pieces, the events that carried them, the pieces' delays."""

    at: int
    deltas: int
    events: int
    delay_ms: Spread | None


class GroupOutcome(msgspec.Struct, frozen=True):
    """What became of a group. asked = complete + refused + unfinished + what `wrong` counts.

    refused: by status, code and Retry-After. delay_ms: over the plan's window; `seconds` contain all.
    """

    asked: int
    complete: int
    refused: dict[str, int]
    unfinished: int
    wrong: dict[str, int]
    deltas_per_event: float | None
    delay_ms: Spread | None
    first_delta_ms: Spread | None
    seconds: list[Second]
