"""The steps of an answer over this API: what is sent."""

from dataclasses import dataclass

from emulator.json_text import Json
from emulator.openai.error_response import ErrorResponse
from emulator.steps import Step


@dataclass(frozen=True, slots=True)
class SendChunk(Step):
    """One event; `piece` is the answer's text in it."""

    body: Json
    piece: str = ""


@dataclass(frozen=True, slots=True)
class SendRaw(Step):
    """Text of the stream exactly as given, line ends included. spoils: whether it cuts off a whole completion."""

    text: str
    spoils: bool = True


@dataclass(frozen=True, slots=True)
class SendDone(Step):
    """The proper end: usage if it was asked for, [DONE], and what comes after it all the same.

    `outcome` goes into the ledger just before it leaves.
    """

    outcome: str = "Success"
    after: str = ""


@dataclass(frozen=True, slots=True)
class SendEnd(Step):
    """The end of the response without [DONE], which is a proper end for HTTP."""

    outcome: str


@dataclass(frozen=True, slots=True)
class SendError(Step):
    """An error in the stream (or, when nothing was begun, as the response), after which the response ends."""

    error: ErrorResponse
    outcome: str
    done: bool = False
