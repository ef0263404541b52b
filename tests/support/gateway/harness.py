"""A gateway on a real port, and a worker that answers from a script instead of asking anybody."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.answering.drain import ActiveRequests
from gateway.answering.timings import TIMINGS, Timings
from gateway.http.listener import SOCKET_OPTIONS
from gateway.server import serve
from gateway.settings import GatewaySettings
from tests.support.redis_client import redis_client
from wire import keys
from wire.errors import AnswerEndedError, StoreUnavailableError
from wire.ledger import AccountRecord, AccountStatus, Ledger
from wire.messages import Call, Chat, Delta, Event, Failed, Final, Image, Source, Work, encode
from wire.model_table import Offer
from wire.needs import Ability
from wire.redis.store import Store
from wire.redis.subscriptions import Subscriptions
from wire.response_memory import ResponseMemory, is_stored_response
from wire.result_store import ResultStore
from wire.sessions import ClaimedJob, Sessions, State
from worker.bell import Bell

Step = Event | asyncio.Event

HELLO: Sequence[Step] = (
    Delta("你好,"),
    Delta('wor"ld'),
    Final('你好,wor"ld', urls=(Source("标题", "https://example.org/?a=1&b=2"),)),
)


@dataclass
class ScriptedWorker:
    """Takes every job and plays the script of its question (or keyword): events, and gates to wait at.

    `asked` is every job that reached it, in order, with the token it belongs to. The script of a call is that of its
    model, and its result one of the `results`.
    """

    store: Store
    name: str = "scripted"
    scripts: dict[str, Sequence[Step]] = field(default_factory=dict)
    asked: list[tuple[str, Work]] = field(default_factory=list)
    results: dict[str, bytes] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until cancelled."""
        sessions, rung, number, seen = Sessions(self.store), asyncio.Event(), 0, 0
        await sessions.beat(self.name)
        async with Subscriptions(self.store) as subscriptions, asyncio.TaskGroup() as tasks:
            tasks.create_task(Bell(subscriptions, self.name, rung.set, rung.set).run())
            while True:
                number += 1
                with contextlib.suppress(StoreUnavailableError):
                    turns = await sessions.take(self.name, number, seen, 100, {})
                    seen = turns.number
                    for job, short in turns.jobs:
                        tasks.create_task(self._play(sessions, job, short))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await rung.wait()
                rung.clear()

    async def beat(self) -> None:
        """Be alive until cancelled."""
        sessions = Sessions(self.store)
        while True:
            with contextlib.suppress(StoreUnavailableError):
                await sessions.beat(self.name)
            await asyncio.sleep(1)

    async def _play(self, sessions: Sessions, job: ClaimedJob, short: bytes) -> None:
        task = await sessions.read_work(job, short)
        if task is None:
            return
        prompt = script_name(task.work)
        self.asked.append((task.lease.token, task.work))
        if isinstance(task.work, Call) and prompt in self.results:
            await ResultStore(self.store).write(task.answer, self.results[prompt])
        try:
            await self._steps(sessions, task, self.scripts.get(prompt, HELLO))
        except AnswerEndedError:
            await sessions.finish(task, "STOPPED", Final("never written"), None, count_free=lambda: 100)

    async def _steps(self, sessions: Sessions, task: ClaimedJob, script: Sequence[Step]) -> None:
        await sessions.mark_sent(task, 1, task.sent + 1, fresh=task.session is None)
        seq = 0
        for step in script:
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, Final | Failed):
                if isinstance(step, Final) and is_stored_response(task.work):
                    memory = ResponseMemory(self.store, sessions.memory, sessions.limits.response_ttl)
                    with contextlib.suppress(StoreUnavailableError):
                        await memory.write_end(task.asker, task.answer, step)
                await sessions.finish(task, _state(step), step, b"saved", count_free=lambda: 100)
                return
            else:
                seq += 1
                await sessions.append(task.lease, task.answer, seq, encode(step))
        raise AssertionError(f"the script of {task.work!r} has no end")


def script_name(work: Work) -> str:
    """Return the name of the script of some work: its question, keyword or model."""
    match work:
        case Chat(question=question):
            return question
        case Image(keyword=keyword):
            return keyword
        case Call(model=model):
            return model


def _state(event: Final | Failed) -> State:
    if isinstance(event, Failed):
        return "FAILED"
    return "STOPPED" if event.stopped else "DONE"


@dataclass
class RunningGateway:
    """A gateway under test."""

    address: str
    store: Store
    active_requests: ActiveRequests
    worker: ScriptedWorker
    client: httpx.AsyncClient
    beating: "asyncio.Task[None] | None" = None

    async def announce(self, account: str, *models: str, abilities: Sequence[Ability] = (), **offer: Any) -> None:
        """Let the worker have a server's account with these models."""
        record = AccountRecord(
            account, account, provider="openai", offer=Offer(models, abilities=tuple(abilities), **offer)
        )
        await Ledger(self.store).announce(record, AccountStatus(account), self.worker.name)

    async def lose_account(self, account: str) -> None:
        """Let an account have been announced for the last time an hour ago."""
        await redis_client(self.store).zincrby(keys.accounts_key(), -3_600_000, account)

    async def lose_worker(self) -> None:
        """Let the worker leave, so that none is alive any more."""
        await self._stop_beating()
        await Sessions(self.store).leave(self.worker.name)

    async def lose_accounts(self) -> None:
        """Let the worker live on without an account."""
        await self._stop_beating()
        await Sessions(self.store).beat(self.worker.name, takes_work=False)

    async def _stop_beating(self) -> None:
        if self.beating is not None:
            self.beating.cancel()
            await asyncio.wait([self.beating])

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def socket(self, path: str, **options: Any) -> connect:
        """A WebSocket to `path`."""
        return connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, **options)

    async def raw(self, request: bytes) -> bytes:
        """All that a connection gives for `request`, up to its end; bytes as they are on the wire."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()

    async def get(self, target: str, *headers: str, method: str = "GET") -> bytes:
        """A raw request without a body."""
        lines = [f"{method} {target} HTTP/1.1", "Host: gateway", "Connection: close", *headers, "", ""]
        return await self.raw("\r\n".join(lines).encode())


def settings(**changes: Any) -> GatewaySettings:
    """Settings for a gateway under test."""
    return GatewaySettings(gateway_port=0, **changes)


@asynccontextmanager
async def running(
    store: Store,
    config: GatewaySettings | None = None,
    *,
    worker: bool | None = True,
    timings: Timings = TIMINGS,
    socket_options: Sequence[tuple[str, str, int]] = SOCKET_OPTIONS,
) -> AsyncIterator[RunningGateway]:
    """A gateway on a port of its own, with a scripted worker beside it.

    Without `worker` there is one that is alive and takes nothing; with None there is none at all.
    """
    active_requests, scripted = ActiveRequests(), ScriptedWorker(store)
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = serve(
        config or settings(),
        store,
        active_requests,
        ready=listening.set_result,
        timings=timings,
        socket_options=socket_options,
    )
    tasks, beating = [asyncio.create_task(serving)], None
    if worker is not None:
        # One that is alive, whether or not it takes anything: without any, questions are refused at once.
        beating = asyncio.create_task(scripted.beat())
        tasks.append(beating)
        with contextlib.suppress(StoreUnavailableError):
            await Sessions(store).beat(scripted.name)
    if worker:
        tasks.append(asyncio.create_task(scripted.run()))
    try:
        async with asyncio.timeout(10):
            address = await listening
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=10) as client:
            yield RunningGateway(address, store, active_requests, scripted, client, beating)
    finally:
        active_requests.abort()
        for task in tasks[1:]:
            task.cancel()
        ended = await asyncio.gather(*tasks[1:], return_exceptions=True)
        await tasks[0]
        for error in ended:
            if isinstance(error, Exception):
                raise error


def body_of(response: bytes) -> bytes:
    """The body of a raw response."""
    head, _, body = response.partition(b"\r\n\r\n")
    return _unchunked(body) if b"transfer-encoding: chunked" in head else body


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        whole, body = whole + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return whole


def frames_of(stream: bytes) -> list[Any]:
    """The JSON documents of a plain event stream."""
    events = stream.decode().split("\n\n")
    assert events.pop() == "", "a stream ends with a whole event"
    assert all(event.startswith("data: ") and "\n" not in event for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def joined(frames: Sequence[Any]) -> str:
    """What a page shows that only appends `data.answer` while `done` is false."""
    return "".join(frame["data"]["answer"] for frame in frames if "data" in frame and not frame["data"]["done"])


async def received(socket: ClientConnection) -> list[Any]:
    """Frames up to the terminal one."""
    frames = []
    async with asyncio.timeout(10):
        while True:
            frames.append(json.loads(await socket.recv()))
            if frames[-1]["code"] != 200 or frames[-1]["data"].get("done", True):
                return frames


async def read_close_code(socket: ClientConnection) -> int:
    """Return the code that the socket is closed with; nothing else may come before."""
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(5):
            await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


@contextlib.contextmanager
def closing_gate() -> Iterator[asyncio.Event]:
    """A gate that is open at the latest when the test ends."""
    gate = asyncio.Event()
    try:
        yield gate
    finally:
        gate.set()


async def has_tokens(store: Store) -> bool:
    """Whether any conversation is kept."""
    return bool(await redis_client(store).keys("*token:*"))
