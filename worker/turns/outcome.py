"""The end of a turn, as it is published, saved and counted."""

from dataclasses import dataclass

from wire.errors import StateLostError
from wire.messages import Chat, Delta, Failed, Final, HistoryMessage, Replace, Work
from wire.reasons import Reason
from wire.sessions import State
from wire.terminal_events import INTERRUPTED, STATE_LOST

_REASONS = frozenset(Reason)


@dataclass(frozen=True)
class Outcome:
    """The end of a turn: the terminal event and the session to save (None starts a fresh one next time).

    `sent` is the number of questions sent in a saved session, where another conversation was tried after it.
    `answer` is what the transcript of a saved session gets after the question, which it gets alone if that is empty;
    `starts_transcript` drops what the transcript held before. `rest` is the event ahead of the terminal one, where some
    of the text is in no event yet.
    """

    state: State
    event: Final | Failed
    session: bytes | None
    sent: int | None = None
    answer: str | None = None
    starts_transcript: bool = False
    rest: Delta | Replace | None = None

    @property
    def label(self) -> tuple[str, str, str]:
        """The provider, how the turn ended and, if it failed, the reason.

        A reason that only a third-party provider knows is `other`, so that the label has a bounded set of values.
        """
        provider, state = self.event.provider, self.state.lower()
        if self.state != "FAILED" or isinstance(self.event, Final):
            return provider, state, ""
        return provider, state, self.event.reason if self.event.reason in _REASONS else "other"

    def transcript(self, work: Work) -> tuple[HistoryMessage, ...]:
        """Return the messages to add to the transcript of the token whose job did this work."""
        if self.answer is None or not isinstance(work, Chat):
            return ()
        before = work.history if self.starts_transcript else ()
        answer = (HistoryMessage("assistant", self.answer),) if self.answer else ()
        return (*before, HistoryMessage("user", work.question), *answer)


def interrupted(error: BaseException) -> Outcome:
    """Return the outcome of a turn that `error` broke off. Redis decides whether it counts."""
    return Outcome("FAILED", STATE_LOST if isinstance(error, StateLostError) else INTERRUPTED, None)
