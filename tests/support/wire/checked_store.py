"""A store with a fate for each call of a script, compared with a model of Redis after each call that arrives."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal

import msgspec

from gateway.settings import GatewaySettings
from tests.support.patched_store import PatchedStore
from tests.support.wire.model import Model, Seen
from wire import keys
from wire.errors import StoreUnavailableError, WireError
from wire.messages import Failed, decode_event
from wire.redis.connection import Argument
from wire.redis.errors import translate_errors
from wire.sessions import Lease

# echoes: it arrives, and a copy of it some time later. lost: it arrives, its reply doesn't. late: it arrives some time
# later, its reply never. slow: its reply comes some time later, which is its caller's affair.
Fate = Literal["arrives", "twice", "echoes", "lost", "late", "slow"]
# Takes a reply of Redis to one call; returns whether that call may have changed anything.
Judge = Callable[[Any], bool]

# How each kind of key is looked at; None: only whether it is there, since it holds times.
_LOOKS: dict[str, tuple[str, tuple[int, ...]] | None] = {
    "jobs": ("xrange", ()),
    "jobs_of": ("xrange", ()),
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
# The end of a job without work.
UNREAD = Failed("state.lost", reset=False)
# Scripts that only touch the schedule's entries.
_HINTS = ("prepare", "give_back")


class CheckedStore(PatchedStore):
    """Redis, with the model of what it must hold: both get each call, and are compared after it."""

    def __init__(self, url: str, limits: GatewaySettings) -> None:
        super().__init__(url)
        self._limits = limits
        self._fate: Fate = "arrives"
        self._judge: Judge = bool
        self.model = Model(limits)
        self.seen: Seen = {}
        self.late: list[Callable[[], Coroutine[Any, Any, Any]]] = []

    async def begin(self) -> None:
        """With nothing."""
        await self.commands.flushall()
        self.model = Model(self._limits)
        self.late.clear()
        await self.observe()

    async def carry(self, call: Callable[[], Awaitable[Any]], judge: Judge, fate: Fate) -> Any:
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
        if script in _HINTS:
            return await super().run(script, key, *args)
        arrive = partial(self._arrive, self._judge, script, key, *args)
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

    async def transfer(self, *command: Argument) -> Any:
        reply = await super().transfer(*command)
        await self.observe()
        return reply

    async def _arrive(self, judge: Judge, script: str, key: str, *args: Argument) -> Any:
        before = self.seen
        reply = await super().run(script, key, *args)
        if script == "finish":
            judge = self._judge_of_unread(*args) or judge
        # The work that comes with a job is not remembered, so a repeat may be without it.
        may_have_changed = judge(reply[0] if script in ("claim", "finish") and isinstance(reply, list) else reply)
        await self.observe()
        assert may_have_changed or self.seen == before, f"{script}, which was answered {reply!r}, has changed something"
        return reply

    def _judge_of_unread(self, *args: Any) -> Judge | None:
        """Return the judge of a finish that a claim or another finish makes, of a job that has ended meanwhile."""
        _, arguments, event, session, _ = args
        if decode_event(event) != UNREAD:
            return None
        how = msgspec.json.decode(arguments)
        lease = Lease(how["token"], how["worker"], int(how["fence"]))
        return partial(self.model.finish, lease, how["job"], "FAILED", UNREAD, session or None, False, None, (), False)

    def to_do(self) -> bool:
        """Whether entries wait to be claimed, or dead workers to be reaped."""
        entries = [*self.seen["jobs"].values(), *self.seen["jobs_of"].values()]
        return any(entries) or not self.seen["workers"].get("", set()) <= self.seen["worker"].keys()

    async def observe(self) -> None:
        """Compare Redis with the model."""
        self.seen = await self._look()
        self.model.check(self.seen)

    async def _look(self) -> Seen:
        commands: Any = self.commands
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
