"""Stored responses of /v1/responses: what later requests continue from, and what is read by its id.

Of each response its own input is kept, by the gateway that accepted it, and its end, by the worker that answered. Each
is a string beside the scripts, for RESPONSE_TTL seconds after it was last used. A response refers to those that it
continues from, so that a conversation is kept once, whatever branches it has.

A script counts them: all clients' together have a limit, and a client leaves as much of it as it takes. Its oldest ones
make room. An end is kept before the answer's terminal event is written; if the answer ends in another way after all,
the scripts delete it.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from wire import keys
from wire.about import About, weigh_messages
from wire.errors import BadMessageError
from wire.messages import Final, Prompted, Work, decode_event, encode
from wire.prompt import Message
from wire.redis.long_strings import Admit, measure_string, read_head, read_string, write_string
from wire.redis.store import Store
from wire.scripts import encode_arguments
from wire.store_memory import StoreMemory
from wire.threads import LARGE, run_sized

# What a response takes beside its bytes, and the part of the bytes that count which all may take: 1 / _ALL_PART.
RESPONSE_BYTES = 512
_ALL_PART = 4
# How many of the responses before it are named in each.
STEP = 16
# What the script returns while there is more to forget.
_MORE = 2
# In place of the input of a response that was deleted.
_DELETED = b"-"
# Ahead of an end: whether a worker has kept it, before the answer's terminal event, or a gateway after that.
_BY_WORKER, _BY_GATEWAY = b"D", b"S"
# A response and its end as they are kept.
_Strings = tuple[bytes, bytes]


class StoredResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """A response without its end. `accepted` is the Unix time.

    `messages` are its own input, without instructions. `ancestors` are the responses that it continues from, the last
    one first, up to STEP of them; `depth` is how many there are in all, and `size` the bytes of their input and ends,
    this one's input included. `named`: it is part of a conversation with a name, which knows what came before.

    `owner` may continue from it; see wire.jobs.Client for the `holder`, and wire.answers.AcceptedJob for the rest.
    """

    token: str
    owner: str
    about: About
    accepted: int
    messages: tuple[Message, ...]
    holder: str = ""
    ancestors: tuple[str, ...] = ()
    depth: int = 0
    size: int = 0
    named: bool = False


class ResponseLink(msgspec.Struct, frozen=True):
    """What is read of a stored response to continue from it: the fields of the same names."""

    token: str
    owner: str
    messages: tuple[Message, ...]
    ancestors: tuple[str, ...] = ()
    depth: int = 0
    size: int = 0
    named: bool = False


Start = TypeVar("Start", StoredResponse, ResponseLink)


@dataclass(frozen=True)
class Recalled(Generic[Start]):
    """A response with its end, if that is kept, and the bytes of that."""

    start: Start
    end: Final | None
    end_size: int = 0


RecalledResponse = Recalled[StoredResponse]
RecalledLink = Recalled[ResponseLink]
_decoder = msgspec.json.Decoder(StoredResponse)
_link_decoder = msgspec.json.Decoder(ResponseLink)


@dataclass(frozen=True)
class ResponseMemory:
    """The stored responses of all clients. `ttl` is in seconds. All may raise StoreUnavailableError.

    `admit` is awaited by those that read, and raises what it does.
    """

    store: Store
    memory: StoreMemory
    ttl: int

    async def write(self, client: str, answer: str, response: StoredResponse, before: Sequence[str] = ()) -> bool:
        """Keep a response whose job was accepted, and those `before` it for as long. Return whether there is room."""
        if (await self.memory.read()).is_full:
            return False
        content = await run_sized(weigh_messages(response.messages), msgspec.json.encode, response)
        await write_string(self.store, keys.response_key(answer), content, self.ttl)
        return await self._count(client, answer, begun=len(content) + RESPONSE_BYTES, used=before)

    async def write_end(self, client: str, answer: str, end: Final, *, written: bool = False) -> bool:
        """Keep the end of an answer, before its terminal event is `written` or after that; return as `write`.

        One that is kept before changes nothing where another is there.
        """
        if (await self.memory.read()).is_full:
            return False
        content = (_BY_GATEWAY if written else _BY_WORKER) + encode(end)
        if not await write_string(self.store, keys.response_end_key(answer), content, self.ttl, new=not written):
            return False
        return await self._count(client, answer, ended=len(content))

    async def touch(self, client: str, answers: Sequence[str]) -> None:
        """Let responses live on, the last one first."""
        await self._count(client, "", used=answers)

    async def delete(self, client: str, answer: str) -> None:
        """Delete a response. Its answer isn't found any more, even while its events are still kept."""
        await self.store.transfer("SET", keys.response_key(answer), _DELETED, "EX", self.ttl)
        await self.store.transfer("DEL", keys.response_end_key(answer))
        await self._count(client, answer, begun=RESPONSE_BYTES, ended=0)

    async def is_deleted(self, answer: str) -> bool:
        """Return whether a response was deleted."""
        return bool(await self.store.execute("STRLEN", keys.response_key(answer)) == len(_DELETED))

    async def read(self, answers: Sequence[str], admit: Admit | None = None) -> list[RecalledResponse | None]:
        """Return responses; None for one that isn't kept, was deleted, or that this version can't read."""
        return await self._read(_decoder, answers, admit)

    async def read_links(self, answers: Sequence[str], admit: Admit | None = None) -> list[RecalledLink | None]:
        """Return responses as `read` does, to continue from them: what else there is of them takes no memory."""
        return await self._read(_link_decoder, answers, admit)

    async def _read(
        self, decoder: msgspec.json.Decoder[Start], answers: Sequence[str], admit: Admit | None
    ) -> list[Recalled[Start] | None]:
        """Return responses: short ones all at once, then long ones one after the other."""
        heads = await asyncio.gather(*map(self._read_heads, answers))
        size = sum(map(_weigh, heads))
        if admit is not None:
            await admit(size)
        read = await run_sized(size, _decode_short, decoder, heads)
        long = [number for number, head in enumerate(heads) if _is_cut(head)]
        del heads
        for number in long:
            read[number] = await self._read_long(decoder, answers[number], admit)
        return read

    async def _read_heads(self, answer: str) -> _Strings:
        """Return the strings of a response, of long ones a little more than LARGE bytes."""
        read = partial(read_head, self.store, size=LARGE + 1)
        return await asyncio.gather(read(keys.response_key(answer)), read(keys.response_end_key(answer)))

    async def _read_long(
        self, decoder: msgspec.json.Decoder[Start], answer: str, admit: Admit | None
    ) -> Recalled[Start] | None:
        names = (keys.response_key(answer), keys.response_end_key(answer))
        if admit is not None:
            await admit(sum(await asyncio.gather(*(measure_string(self.store, name) for name in names))))
        start, end = await asyncio.gather(*(read_string(self.store, name) for name in names))
        return await run_sized(len(start) + len(end), _decode, decoder, (start, end))

    async def _count(
        self,
        client: str,
        answer: str,
        begun: int | None = None,
        ended: int | None = None,
        used: Sequence[str] = (),
    ) -> bool:
        digest = hashlib.sha256(client.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        use = await self.memory.read()
        run = partial(self.store.run, "keep_response", keys.responses_key(digest), keys.prefix())
        arguments = partial(encode_arguments, client=digest, answer=answer, ttl=self.ttl, all=use.allowed // _ALL_PART)
        reply: Any = await run(arguments(begun=begun, ended=ended, used=used))
        while reply == _MORE:
            # Many small ones make room for a large one, some at a time.
            reply = await run(arguments(begun=None, ended=None, used=()))
        return bool(reply)


def is_stored_response(work: Work) -> bool:
    """Return whether the end of a job's answer is kept here."""
    return isinstance(work, Prompted) and work.stored and work.prompt.dialect == "responses"


def _weigh(strings: _Strings) -> int:
    return len(strings[0]) + len(strings[1])


def _is_cut(strings: _Strings) -> bool:
    return max(map(len, strings)) > LARGE


def _decode_short(decoder: msgspec.json.Decoder[Start], heads: Sequence[_Strings]) -> list[Recalled[Start] | None]:
    return [None if _is_cut(head) else _decode(decoder, head) for head in heads]


def _decode(decoder: msgspec.json.Decoder[Start], strings: _Strings) -> Recalled[Start] | None:
    start, end = strings
    if not start or start == _DELETED:
        return None
    try:
        response = decoder.decode(start)
        final = decode_event(end[1:]) if end else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadMessageError):
        return None
    return Recalled(response, final if isinstance(final, Final) else None, len(end))
