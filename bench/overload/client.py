"""The load client, a process of its own: `python -m bench.overload.client` reads a plan from stdin, asks, and tells."""

import asyncio
import gc
import itertools
import socket
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import msgspec
import uvloop

from bench.overload.plan import Group, Plan, Second, Told, get
from bench.overload.stream import Stream
from bench.spread import spread
from bench.verdict import COMPLETE, UNFINISHED

# What the kernel holds for a client that reads slowly, in bytes.
_SLOW_BUFFER = 4096
_COME_BACK_S = 1.0


async def run(plan: Plan) -> dict[str, Told]:
    """Ask all questions, wait for the ends within the plan's limit, and tell of each group by its name."""
    began, ports = time.time_ns(), itertools.cycle(plan.ports)
    streams: dict[str, list[Stream]] = {group.name: [] for group in plan.groups}
    try:
        async with asyncio.timeout(plan.limit), asyncio.TaskGroup() as tasks:
            for group in plan.groups:
                for number in range(group.count):
                    tasks.create_task(_ask(group, number * group.every, next(ports), streams[group.name]))
    except TimeoutError:
        pass
    return {group.name: told(group, streams[group.name], began, plan) for group in plan.groups}


async def _ask(group: Group, after: float, port: int, streams: list[Stream]) -> None:
    """One question, and those who read its answer too."""
    await asyncio.sleep(after)
    stream = _new(streams)
    if group.bytes_per_s:
        await _read_slowly(stream, group, port)
        return
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_read(stream, group.request, port))
        if group.readers and (answer := await stream.answer):
            for _ in range(group.readers):
                tasks.create_task(_follow(streams, answer, port))


async def _follow(streams: list[Stream], answer: str, port: int) -> None:
    """Read an answer by its id; come back when told to."""
    stream = _new(streams)
    await _read(stream, get(f"/answers/{answer}/stream"), port)
    while stream.sent_back:
        await asyncio.sleep(_COME_BACK_S)
        streams.remove(stream)
        stream = _new(streams)
        await _read(stream, get(f"/answers/{answer}/stream"), port)


def _new(streams: list[Stream]) -> Stream:
    stream = Stream(asyncio.get_running_loop().create_future())
    streams.append(stream)
    return stream


async def _read(stream: Stream, request: bytes, port: int) -> None:
    """Ask for something and read what comes to its end. Whom nobody answers counts as unfinished."""
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: stream, "127.0.0.1", port)
    except OSError:
        stream.connection_lost(None)
        return
    try:
        transport.write(request)
        await stream.ended
    finally:
        transport.abort()


async def _read_slowly(stream: Stream, group: Group, port: int) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, group.request)
        while data := await loop.sock_recv(connection, group.bytes_per_s):
            stream.data_received(data)
            await asyncio.sleep(len(data) / group.bytes_per_s)


def told(group: Group, streams: list[Stream], began: int, plan: Plan) -> Told:
    """What became of a group; `began` is the client's start in nanoseconds of Unix time."""
    refused = Counter(refusal for stream in streams if (refusal := stream.refusal()))
    verdicts = Counter(stream.verdict(group.deltas) for stream in streams if not stream.refusal())
    complete, unfinished = verdicts.pop(COMPLETE, 0), verdicts.pop(UNFINISHED, 0)
    window = [
        delays for stream in streams for at, delays in stream.arrivals if plan.from_s <= (at - began) / 1e9 < plan.to_s
    ]
    pieces = sum(map(len, window))
    return Told(
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


def _seconds(streams: Iterable[Stream], began: int) -> Iterator[Second]:
    events: Counter[int] = Counter()
    delays: defaultdict[int, list[int]] = defaultdict(list)
    for stream in streams:
        for at, found in stream.arrivals:
            second = (at - began) // 10**9
            events[second] += 1
            delays[second] += found
    for second in sorted(delays):
        yield Second(second, len(delays[second]), events[second], spread(delays[second]))


if __name__ == "__main__":
    read = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    # It keeps all that comes: looking through that would hold it up, longer each time, and pass for the path's delay.
    gc.disable()
    print(msgspec.json.encode(uvloop.run(run(read))).decode(), flush=True)
