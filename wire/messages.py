"""Messages that cross processes: jobs on their way to a worker, events on their way back.

Each is a tagged struct encoded as JSON. `v` is the format's version; unknown fields are ignored, so that processes of
neighbouring versions understand each other during a rolling restart.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import msgspec

from wire.blocks import Block, Piece, add_piece, add_text, join_pieces
from wire.errors import BadMessageError
from wire.prompt import Prompt
from wire.reasons import Reason

VERSION = 1

TYPE_FIELD = "type"
Style = Literal["balanced", "creative", "precise"]
Role = Literal["system", "user", "assistant", "tool"]
# Why an answer ended: it was complete, it reached its maximal length, or the upstream withheld the rest.
FinishReason = Literal["stop", "length", "content_filter"]
# The same in more words than a version before this one understands: a client is to carry out the calls, or the model
# declined.
EndReason = Literal["stop", "length", "content_filter", "tool_calls", "refusal"]

# What a server can be called for beside answers.
Operation = Literal["embeddings", "count_tokens"]


class HistoryMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message of a conversation, its role and, where its client sent one, the name of who wrote it."""

    role: Role
    text: str
    name: str = ""


class Chat(msgspec.Struct, frozen=True, tag="chat", tag_field=TYPE_FIELD):
    """A question. `request` is the id that ties the log lines of all processes together; `trace` is a `traceparent`.

    `wait`: for how many seconds its client would rather wait for an account's return than be refused.
    `instructions` are the system prompt. `history` are the messages before, of a client that keeps its conversations
    itself; an upstream that knows the conversation doesn't get them again.
    `leading` and `asked` are the messages that the instructions and the question were joined from, where these don't
    say all: several, one with a name, or one of another role. An upstream that gets a list of messages gets them.
    """

    style: Style
    question: str
    request: str = ""
    wait: float = 0.0
    instructions: str = ""
    history: tuple[HistoryMessage, ...] = ()
    leading: tuple[HistoryMessage, ...] = ()
    asked: tuple[HistoryMessage, ...] = ()
    trace: str = ""
    v: int = VERSION


class Prompted(Chat, frozen=True, tag="prompted"):
    """A question that text alone can't say; its `prompt` says all of it, and the fields for text are empty.

    A worker of version 0.1 can't read it, so that it never answers without the tools that it doesn't know.
    The other fields are what its client's answer looks like; see wire.about.About.
    """

    prompt: Prompt = Prompt("chat", "", ())
    include_usage: bool = False
    functions: bool = False
    echo: dict[str, Any] = {}
    stored: bool = False
    background: bool = False


class Image(msgspec.Struct, frozen=True, tag="image", tag_field=TYPE_FIELD):
    """An image request; see Chat."""

    keyword: str
    request: str = ""
    wait: float = 0.0
    trace: str = ""
    v: int = VERSION


class Call(msgspec.Struct, frozen=True, tag="call", tag_field=TYPE_FIELD):
    """A request to a model's server that belongs to no conversation, and whose result is kept for a minute only.

    Of embeddings the `body` is that of the request, in which the model that answers replaces the one in it; of counting
    tokens it is a wire.prompt.Prompt. See also Chat.
    """

    operation: Operation
    model: str
    body: msgspec.Raw
    request: str = ""
    wait: float = 0.0
    trace: str = ""
    v: int = VERSION


Work = Chat | Prompted | Image | Call


class Source(msgspec.Struct, frozen=True):
    """A page that an answer cites."""

    title: str
    url: str


class TurnCount(msgspec.Struct, frozen=True):
    """The number of questions that an upstream conversation has had, of those that it allows."""

    used: int
    limit: int


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens, as the upstream counted them.

    `cached` and `cache_written` are parts of `prompt`, `reasoning` is part of `completion`; `raw` is the server's own
    object.
    """

    prompt: int
    completion: int
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    raw: dict[str, Any] = {}


class Delta(msgspec.Struct, frozen=True, tag="delta", tag_field=TYPE_FIELD, omit_defaults=True):
    """What continues an answer. `provider` and `model` answer; only an answer's first event has them.

    `text` is all of the text in it. `pieces` say where that and everything else belongs; without them the text
    continues the last block of text (see wire.blocks).
    """

    text: str
    provider: str = ""
    model: str = ""
    pieces: tuple[Piece, ...] = ()


class Replace(msgspec.Struct, frozen=True, tag="replace", tag_field=TYPE_FIELD, omit_defaults=True):
    """The upstream took its text back: this is the whole answer so far. `provider` and `model` as in Delta."""

    text: str
    provider: str = ""
    model: str = ""


class Final(msgspec.Struct, frozen=True, tag="final", tag_field=TYPE_FIELD):
    """The terminal event of a job that was answered.

    `text` is the whole answer; `reset`: the next question begins a fresh conversation; `images` contains the
    addresses of pictures, in a stable order, for an image request: of one that is kept here only the path at any
    gateway (see wire.pictures). `provider` and `model` answered.

    `blocks` are the answer's, where it is more than one plain text. `ended` is `finish` in more words, '' for the same
    one; `finish_raw` is the upstream's own word, and `extra` what it sent beside the choice.
    """

    text: str
    urls: tuple[Source, ...] = ()
    reset: bool = False
    suggestions: tuple[str, ...] = ()
    turns: TurnCount | None = None
    images: tuple[str, ...] = ()
    stopped: bool = False
    provider: str = ""
    finish: FinishReason = "stop"
    usage: Usage | None = None
    model: str = ""
    blocks: tuple[Block, ...] = ()
    ended: EndReason | Literal[""] = ""
    finish_raw: str = ""
    extra: dict[str, Any] = {}
    v: int = VERSION

    @property
    def end_reason(self) -> EndReason:
        """Why the answer ended."""
        return self.ended or self.finish

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """The blocks, also of an answer that is one plain text."""
        return self.blocks or ((Block("text", self.text),) if self.text else ())


class Failed(msgspec.Struct, frozen=True, tag="failed", tag_field=TYPE_FIELD):
    """The terminal event of a job that was not answered.

    `reason` is one of wire.reasons, or one that only another version knows; `text` is what was answered before it broke
    off; `retry_after` is in seconds, and set only where nothing was spent; `provider` was asked, if any was.
    `exhausted`: several accounts were tried already, so that repeating the request at once is of no use. `detail`: the
    upstream's own words for the client, without secrets, and `param` the field of the request that it names.

    `code` and `message` are what a client gets where the reason is unknown here: that of another version, or of a
    provider that isn't part of this project.
    """

    reason: str
    text: str = ""
    reset: bool = True
    retry_after: int | None = None
    provider: str = ""
    exhausted: bool = False
    detail: str = ""
    param: str = ""
    code: int = 0
    message: str = ""
    v: int = VERSION


Event = Delta | Replace | Final | Failed
TERMINAL = (Final, Failed)


def apply_event(text: str, event: Event) -> str:
    """Return the answer's text after `event`, where it was `text` before."""
    match event:
        case Delta(text=more):
            return text + more
        case Replace(text=whole) | Final(text=whole):
            return whole
        case Failed():
            return text


def apply_to_blocks(blocks: list[Block], event: Event) -> None:
    """Let the blocks of an answer grow by an event. ValueError if it doesn't continue them.

    The end of an answer that was stopped has only the text: of the blocks all stay but a call that may not be whole.
    """
    match event:
        case Delta(text=text, pieces=pieces):
            for piece in pieces:
                add_piece(blocks, piece)
            if text and not pieces:
                add_text(blocks, text)
        case Replace(text=text):
            blocks[:] = [Block("text", text)] if text else []
        case Final(stopped=True, blocks=()):
            if blocks and blocks[-1].kind == "tool_call":
                del blocks[-1]
        case Final():
            blocks[:] = event.all_blocks
        case Failed():
            pass


def join_deltas(events: Iterable[Event]) -> Iterator[Event]:
    """Yield events that say the same, with deltas in a row as one: to apply each would copy all of the answer."""
    for is_delta, run in groupby(events, lambda event: isinstance(event, Delta)):
        if not is_delta:
            yield from run
            continue
        deltas = [event for event in run if isinstance(event, Delta)]
        # The place of text is known only behind a piece.
        placed = next((number for number, delta in enumerate(deltas) if delta.pieces), len(deltas))
        yield from (_join_run(part) for part in (deltas[:placed], deltas[placed:]) if part)


def _join_run(deltas: Sequence[Delta]) -> Delta:
    pieces = _pieces(deltas) if deltas[0].pieces else ()
    joined = tuple(join_pieces(list(grown)) for _, grown in groupby(pieces, lambda piece: (piece.block, piece.kind)))
    return msgspec.structs.replace(deltas[0], text="".join([delta.text for delta in deltas]), pieces=joined)


def _pieces(deltas: Iterable[Delta]) -> Iterator[Piece]:
    """Yield the pieces of deltas, of which the first one has some, also of those that bring only text."""
    place = 0
    for delta in deltas:
        for piece in delta.pieces or ((Piece(place, "text", delta.text),) if delta.text else ()):
            yield piece
            place = piece.block + (piece.kind != "text")


_encoder = msgspec.json.Encoder()
_work: msgspec.json.Decoder[Work] = msgspec.json.Decoder(Work)
_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(message: Work | Event) -> bytes:
    """Encode a message as JSON. BadMessageError if it contains a lone surrogate."""
    try:
        return _encoder.encode(_with_sentence(message) if isinstance(message, Failed) else message)
    except UnicodeEncodeError as error:
        raise BadMessageError("text holds half a surrogate pair") from error


def decode_work(data: bytes) -> Work:
    """Decode a job. BadMessageError if the data is none."""
    try:
        return _work.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessageError(f"not a job: {error}") from error


def decode_event(data: bytes) -> Event:
    """Decode an event. BadMessageError if the data is none."""
    try:
        event = _event.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessageError(f"not an event: {error}") from error
    return _without_sentence(event) if isinstance(event, Failed) else event


# For the rolling update from 0.x, whose events have to have a code and a sentence. To be removed with the release after
# this one; a reason that is unknown here then has no sentence of its own any more.


def _with_sentence(event: Failed) -> Failed:
    """Return the event as a gateway of the version before can read it: its HTTP status depends on the code."""
    if event.code:
        return event
    unspent = 120 if event.reason == Reason.ACCOUNT_THROTTLED else 503
    code = 500 if event.retry_after is None else unspent
    return msgspec.structs.replace(event, code=code, message=event.message or "未知错误")


def _without_sentence(event: Failed) -> Failed:
    """Return the event without what the version before wrote for its clients, where the reason is known here."""
    return msgspec.structs.replace(event, code=0, message="") if event.reason in _REASONS else event


_REASONS = frozenset(Reason)
