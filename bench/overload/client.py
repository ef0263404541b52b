"""The load client of an overload: `python -m bench.overload.client` reads a plan from stdin and writes the outcome."""

import asyncio
import gc
import itertools
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from bench.clients.spread import spread
from bench.clients.stdio import run_plan
from bench.clients.stream import run_within
from bench.clients.transports import get_request
from bench.clients.verdict import COMPLETE, UNFINISHED
from bench.overload.arrivals import OverloadStream
from bench.overload.plan import Group, GroupOutcome, OverloadPlan, Second

# What the kernel buffers for a client that reads slowly, in bytes.
_SLOW_BUFFER = 4096
_RECONNECT_S = 1.0


async def run(plan: OverloadPlan) -> dict[str, GroupOutcome]:
    """Ask all questions, wait for the ends within the plan's limit, and return each group's outcome by its name."""
    began, ports = time.time_ns(), itertools.cycle(plan.ports)
    streams: dict[str, list[OverloadStream]] = {group.name: [] for group in plan.groups}
    asks = (
        _ask(group, number * group.every, next(ports), streams[group.name])
        for group in plan.groups
        for number in range(group.count)
    )
    await run_within(plan.limit, asks)
    return {group.name: group_outcome(group, streams[group.name], began, plan) for group in plan.groups}


async def _ask(group: Group, after: float, port: int, streams: list[OverloadStream]) -> None:
    """Ask one question, and read its answer with as many more readers as the group has."""
    await asyncio.sleep(after)
    stream = _open(streams, group.request)
    if group.bytes_per_s:
        await _read_slowly(stream, group, port)
        return
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_read(stream, port))
        if group.readers and (answer := await stream.answer):
            for _ in range(group.readers):
                tasks.create_task(_follow(streams, answer, port))


async def _follow(streams: list[OverloadStream], answer: str, port: int) -> None:
    """Read an answer by its id; reconnect as an EventSource does."""
    request = get_request(f"/answers/{answer}/stream")
    stream = _open(streams, request)
    await _read(stream, port)
    while stream.is_sent_back:
        await asyncio.sleep(_RECONNECT_S)
        streams.remove(stream)
        stream = _open(streams, request)
        await _read(stream, port)


def _open(streams: list[OverloadStream], request: bytes) -> OverloadStream:
    stream = OverloadStream(request)
    streams.append(stream)
    return stream


async def _read(stream: OverloadStream, port: int) -> None:
    """Read a stream to its end. One that is not connected counts as unfinished."""
    try:
        await stream.ask(port)
    except OSError:
        stream.connection_lost(None)


async def _read_slowly(stream: OverloadStream, group: Group, port: int) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, group.request)
        while data := await loop.sock_recv(connection, group.bytes_per_s):
            stream.data_received(data)
            await asyncio.sleep(len(data) / group.bytes_per_s)


def group_outcome(group: Group, streams: list[OverloadStream], began: int, plan: OverloadPlan) -> GroupOutcome:
    """Return what became of a group; `began` is the client's start in nanoseconds of Unix time."""
    refused = Counter(refusal for stream in streams if (refusal := stream.refusal()))
    verdicts = Counter(stream.verdict(group.deltas) for stream in streams if not stream.refusal())
    complete, unfinished = verdicts.pop(COMPLETE, 0), verdicts.pop(UNFINISHED, 0)
    window = [
        delays
        for stream in streams
        for at, delays in stream.arrivals.events
        if plan.from_s <= (at - began) / 1e9 < plan.to_s
    ]
    pieces = sum(map(len, window))
    return GroupOutcome(
        asked=len(streams),
        complete=complete,
        refused=dict(refused),
        unfinished=unfinished,
        wrong=dict(verdicts),
        deltas_per_event=round(pieces / len(window), 2) if window else None,
        delay_ms=spread(itertools.chain.from_iterable(window)),
        first_delta_ms=spread(stream.first for stream in streams if stream.first is not None),
        seconds=list(_seconds(streams, began)),
    )


def _seconds(streams: Iterable[OverloadStream], began: int) -> Iterator[Second]:
    events: Counter[int] = Counter()
    delays: defaultdict[int, list[int]] = defaultdict(list)
    for stream in streams:
        for at, late in stream.arrivals.events:
            second = (at - began) // 10**9
            events[second] += 1
            delays[second] += late
    for second in sorted(delays):
        yield Second(second, len(delays[second]), events[second], spread(delays[second]))


if __name__ == "__main__":
    # It keeps everything that comes: a collection would delay it, longer each time, and count as the path's delay.
    gc.disable()
    run_plan(OverloadPlan, run)
