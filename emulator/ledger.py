"""What really arrived: every create, every question, every image request."""

from collections import deque
from typing import Literal

import msgspec

from emulator import json_text
from emulator.received_request import ReceivedRequest

LIMIT = 200_000
REQUESTS = 200  # of so many turns, the newest, what was received is kept
RUNNING = "running"

Api = Literal["bing", "openai", "anthropic", "completions", "responses"]


class CreateEntry(msgspec.Struct):
    """One request for a conversation. Times in seconds of the emulator's clock."""

    started: float
    account: str
    conversation: str | None = None
    outcome: str = RUNNING
    ended: float | None = None


class TurnEntry(msgspec.Struct):
    """One question. `deltas` and `length` count the text updates and characters sent so far.

    Only over /v1: `model`; `messages` and `digest` count and hash what was sent beside the question; `text` is what has
    been sent so far; `request` is what was received.
    """

    started: float
    account: str
    conversation: str
    invocation: str
    question: str
    start_of_session: bool
    tone: str | None = None
    context: str = ""
    scripted: str = ""
    outcome: str = RUNNING
    deltas: int = 0
    length: int = 0
    ended: float | None = None
    api: Api = "bing"
    model: str = ""
    messages: int = 0
    digest: str = ""
    text: str = ""
    request: ReceivedRequest | None = None


class ImageEntry(msgspec.Struct):
    """One attempt to make pictures; the second POST after a refused first belongs to the same attempt."""

    started: float
    account: str
    prompt: str
    id: str | None = None
    posts: int = 1
    polls: int = 0
    scripted: str = ""
    outcome: str = RUNNING
    ended: float | None = None
    api: Api = "bing"


class CallEntry(msgspec.Struct):
    """One request for something other than an answer: vectors of texts, or a count of tokens.

    inputs: how many texts or messages were sent. tokens: how many they have, about.
    """

    started: float
    account: str
    operation: Literal["embeddings", "count_tokens"]
    model: str
    inputs: int
    tokens: int
    scripted: str = ""
    outcome: str = RUNNING
    ended: float | None = None
    api: Api = "openai"
    request: ReceivedRequest | None = None


class UpstreamLedger:
    """The newest entries of each kind, oldest first; never more than LIMIT of one kind."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.creates: deque[CreateEntry] = deque(maxlen=limit)
        self.turns: deque[TurnEntry] = deque(maxlen=limit)
        self.images: deque[ImageEntry] = deque(maxlen=limit)
        self.calls: deque[CallEntry] = deque(maxlen=limit)

    def add_turn(self, entry: TurnEntry) -> None:
        """List a question; what was received with one of long ago is forgotten."""
        self.turns.append(entry)
        if len(self.turns) > REQUESTS:
            self.turns[-REQUESTS - 1].request = None

    def add_call(self, entry: CallEntry) -> None:
        """List a call; what was received with one of long ago is forgotten."""
        self.calls.append(entry)
        if len(self.calls) > REQUESTS:
            self.calls[-REQUESTS - 1].request = None

    def encode(self) -> bytes:
        """Return the whole ledger as JSON."""
        names = ("creates", "turns", "images", "calls")
        lists = {name: list(getattr(self, name)) for name in names}
        try:
            return msgspec.json.encode(lists)
        except UnicodeEncodeError:  # half a surrogate pair in a question or an answer
            return json_text.dump(msgspec.to_builtins(lists)).encode()

    def clear(self) -> None:
        """Forget every entry. One still running is finished by its request, but no longer listed."""
        self.creates.clear()
        self.turns.clear()
        self.images.clear()
        self.calls.clear()


def finish(entry: CreateEntry | TurnEntry | ImageEntry | CallEntry, outcome: str, now: float) -> None:
    """Set the outcome of a running entry; later calls change nothing."""
    if entry.ended is None:
        entry.outcome = outcome
        entry.ended = now
