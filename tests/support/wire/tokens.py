"""The jobs and tokens of the model of Redis."""

from dataclasses import dataclass, field
from typing import Any, Literal

from wire.jobs import IdempotencyKey
from wire.messages import Delta, Event, HistoryMessage

# What one turn adds to a transcript.
Exchange = tuple[HistoryMessage, ...]

_ENDS = ("DONE", "FAILED", "STOPPED")


@dataclass(eq=False)
class Job:
    """A job that was handed in. `marks`: how often it was marked as sent; `tries`: the workers that it outlived.

    `stateless`: it is out at an upstream that remembers nothing; its question `begins` the conversation's transcript.
    `overdue`: it has waited for longer than it may.
    """

    answer: str
    token: str
    client: str = ""
    once: IdempotencyKey | None = None
    weight: int = 1
    state: str = "QUEUED"
    events: list[Event] = field(default_factory=list)
    marks: int = 0
    tries: int = 0
    taken_over: bool = False
    stateless: bool = False
    begins: bool = False
    overdue: bool = False

    @property
    def ended(self) -> bool:
        return self.state in _ENDS

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def partial_exchange(self) -> Exchange:
        """What a transcript gets of an answer that broke off."""
        question, text = self.answer.removeprefix("s0-"), self.text
        return (HistoryMessage("user", question), HistoryMessage("assistant", text)) if text else ()


@dataclass(eq=False)
class Token:
    """A token that is alive; its `mailbox` holds jobs in the order in which they must start, also some that have ended.

    `op` names the last call whose reply is kept, `reply` is that reply; `client` asked last.

    `turn` is the client in whose line it waits, and `entry` where: since the monotonic time `entered`, or for longer
    than it is left to its owner (`old`).
    """

    name: str
    client: str = ""
    mailbox: list[Job] = field(default_factory=list)
    running: Job | None = None
    owner: str | None = None
    fence: int = 0
    session: str | None = None
    sent: int = 0
    reset: bool = False
    stateless: bool = False
    transcript: list[Exchange] = field(default_factory=list)
    ending: bool = False
    op: object = None
    reply: Any = None
    turn: str | None = None
    entry: Literal["again", "line"] = "line"
    entered: float = 0.0
    old: bool = False

    @property
    def waiting(self) -> list[Job]:
        """The jobs that wait."""
        return [job for job in self.mailbox if not job.ended]

    def drop(self) -> None:
        """Forget the conversation."""
        self.session, self.sent, self.stateless, self.transcript = None, 0, False, []

    def extend(self, exchange: Exchange, *, begins: bool) -> None:
        """Add an exchange to the transcript."""
        if exchange:
            self.transcript = [*([] if begins else self.transcript), exchange]
