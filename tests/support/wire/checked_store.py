"""A store with a fate for each call of a script, compared with a model of Redis after each call that arrives."""

import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from gateway.settings import GatewaySettings
from tests.support.patched_store import PatchedStore
from tests.support.redis_client import redis_client
from tests.support.wire.model import Model, Seen
from wire import keys
from wire.errors import StoreUnavailableError, UnconfirmedError, WireError
from wire.redis.connection import Argument
from wire.redis.errors import translate_errors

# echoes: it arrives, and a copy of it some time later. lost: it arrives, its reply doesn't. late: it arrives some time
# later, its reply never. slow: its reply comes some time later, which is its caller's affair. unconfirmed: it arrives,
# and no replica has what it wrote, where its caller asks for that.
Fate = Literal["arrives", "twice", "echoes", "lost", "late", "slow", "unconfirmed"]
# Takes a reply of Redis to one call; returns whether that call may have changed anything.
Judge = Callable[[Any], bool]


@dataclass(frozen=True)
class Judges:
    """The judge of each of a call's scripts, at the time at which it is run."""

    judge_of: Callable[[str], Judge]


# How each kind of key is looked at; None: only whether it is there, since it holds times.
_LOOKS: dict[str, tuple[str, tuple[int | bool, ...]] | None] = {
    "ring": ("lrange", (0, -1)),
    "jobs_of": ("xrange", ()),
    "again": ("lrange", (0, -1)),
    "credit": ("hgetall", ()),
    "idle": ("zrange", (0, -1, False, True)),
    "took": ("hgetall", ()),
    "looks": None,
    "token": ("hgetall", ()),
    "mailbox": ("lrange", (0, -1)),
    "job": ("hgetall", ()),
    "work": ("get", ()),
    "log": ("xrange", ()),
    "queued": ("zrange", (0, -1)),
    "worker": None,
    "workers": ("smembers", ()),
    "stops": ("smembers", ()),
    "owned": ("smembers", ()),
    "idem": ("get", ()),
    "client": ("zrange", (0, -1)),
    "rate": None,
    "run": None,
    "transcript": ("lrange", (0, -1)),
    "kept": ("zrange", (0, -1)),
    "kept_transcripts": ("zrange", (0, -1)),
    "sizes": ("hgetall", ()),
    "bytes": ("hgetall", ()),
}
# Later than any time of Redis's, in ms.
_NEVER = 1 << 42


class CheckedStore(PatchedStore):
    """Redis, with the model of what it must hold: both get each call, and are compared after it."""

    def __init__(self, url: str, limits: GatewaySettings) -> None:
        super().__init__(url)
        self._limits = limits
        self._fate: Fate = "arrives"
        self._judge: Judge | Judges = bool
        self.model = Model(limits)
        self.seen: Seen = {}
        self.late: list[Callable[[], Coroutine[Any, Any, Any]]] = []

    async def begin(self) -> None:
        """With nothing."""
        await redis_client(self).flushall()
        self.model = Model(self._limits)
        self.late.clear()
        await self.look_after_queue()
        await self.observe()

    async def look_after_queue(self) -> None:
        """Gateways look after the queue all the time."""
        redis: Any = redis_client(self)
        await redis.hset(keys.looks_key(), mapping={"since": 1, "last": _NEVER})
        await redis.persist(keys.looks_key())

    async def carry(self, call: Callable[[], Awaitable[Any]], judge: Judge | Judges, fate: Fate) -> Any:
        """Make one call of a script. What it returns, or the error that it raises."""
        self._judge, self._fate = judge, fate
        try:
            return await call()
        except WireError as error:
            return error

    async def arrive_late(self, which: int) -> None:
        """One of the calls that are late arrives."""
        await self.late.pop(which % len(self.late))()

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        judge = self._judge.judge_of(script) if isinstance(self._judge, Judges) else self._judge
        arrive = partial(self._arrive, judge, script, key, *args)
        if self._fate in ("late", "echoes"):
            self.late.append(arrive)
        if self._fate == "late":
            raise StoreUnavailableError("nothing came back")
        reply = await arrive()
        if self._fate == "twice":
            await arrive()
        if self._fate == "lost":
            raise StoreUnavailableError("the reply was lost")
        return reply

    async def run_confirmed(self, script: str, key: str, *args: Argument) -> Any:
        reply = await self.run(script, key, *args)
        if self._fate == "unconfirmed":
            raise UnconfirmedError("no replica has it")
        return reply

    async def transfer(self, *command: Argument) -> Any:
        reply = await super().transfer(*command)
        await self.observe()
        return reply

    async def _arrive(self, judge: Judge, script: str, key: str, *args: Argument) -> Any:
        before, self.model.ring.began = self.seen, time.monotonic()
        reply = await super().run(script, key, *args)
        if script == "sweep":
            await self.look_after_queue()
        self.model.ring.now = self.seen = await self._look()
        may_have_changed = judge(reply)
        self.model.check(self.seen)
        assert may_have_changed or self.seen == before, f"{script}, which was answered {reply!r}, has changed something"
        return reply

    def to_do(self) -> bool:
        """Whether tokens wait or run, or dead workers are to be reaped."""
        running = any("running" in fields for fields in self.seen["token"].values())
        return (
            bool(self.seen["ring"]) or running or not self.seen["workers"].get("", set()) <= self.seen["worker"].keys()
        )

    async def observe(self) -> None:
        """Compare Redis with the model."""
        self.seen = await self._look()
        self.model.check(self.seen)

    async def _look(self) -> Seen:
        commands: Any = redis_client(self)
        seen: Seen = {kind: {} for kind in _LOOKS}
        with translate_errors():
            names = sorted(name.decode() for name in await commands.keys("*"))
            async with commands.pipeline(transaction=False) as pipe:
                for name in names:
                    how, args = _LOOKS[_kind(name)[0]] or ("exists", ())
                    getattr(pipe, how)(name, *args)
                values = await pipe.execute()
        for name, value in zip(names, values, strict=True):
            kind, id_ = _kind(name)
            seen[kind][id_] = _text(value)
        return seen


def _kind(name: str) -> tuple[str, str]:
    """Return a key's kind, by keys.NAMES, and its id."""
    kind, colon, id_ = name.removeprefix(keys.prefix()).partition(":")
    return next(known for known, part in keys.NAMES.items() if part == kind + colon), id_


def _text(value: Any) -> Any:
    """Return the value with text instead of bytes."""
    match value:
        case bytes():
            return value.decode()
        case dict():
            return {_text(key): _text(part) for key, part in value.items()}
        case list() | tuple() | set():
            return type(value)(map(_text, value))
        case _:
            return value
