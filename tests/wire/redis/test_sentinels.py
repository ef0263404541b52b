"""What sentinels say, and what follows from it; see test_replicated_nodes.py for real ones."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import hiredis
import pytest

from tests.support.conditions import until
from tests.support.scripted_redis import array
from wire.errors import StoreUnavailableError
from wire.redis.address import Endpoint, RedisAddress
from wire.redis.sentinels import Sentinels

pytestmark = pytest.mark.anyio
FIRST, SECOND = Endpoint("10.0.0.1", 6379), Endpoint("10.0.0.2", 6379)


class ScriptedSentinel:
    """Answers with the endpoint that it has; None: it knows no such primary. `silent`: it doesn't answer."""

    def __init__(self, endpoint: Endpoint | None) -> None:
        self.endpoint = endpoint
        self.silent = False
        self.questions = 0
        self.listeners: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = hiredis.Reader()
        with suppress(ConnectionResetError):
            while data := await reader.read(4096):
                parser.feed(data)
                while (command := parser.gets()) is not False:
                    self._answer(command, writer)
        writer.close()

    def _answer(self, command: list[bytes], writer: asyncio.StreamWriter) -> None:
        if command[0] == b"SUBSCRIBE":
            self.listeners.append(writer)
            writer.write(b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n")
            return
        self.questions += 1
        if self.silent:
            return
        endpoint = self.endpoint
        writer.write(array(endpoint.host, str(endpoint.port)) if endpoint else b"*-1\r\n")

    def publish(self, content: str, channel: str = "+switch-master") -> None:
        for listener in self.listeners:
            listener.write(array("message", channel, content))


@asynccontextmanager
async def running(*endpoints: Endpoint | None) -> AsyncIterator[tuple[Sentinels, Sequence[ScriptedSentinel]]]:
    """Run scripted sentinels that say so, and the finder that asks them."""
    async with AsyncExitStack() as stack:
        scripted, hosts = [ScriptedSentinel(endpoint) for endpoint in endpoints], []
        for sentinel in scripted:
            server = await asyncio.start_server(sentinel.serve, "127.0.0.1", 0)
            stack.callback(server.close)
            hosts.append(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        sentinels = Sentinels(RedisAddress.parse(f"redis+sentinel://{','.join(hosts)}/bing"))
        stack.push_async_callback(sentinels.close)
        yield sentinels, scripted


async def test_what_most_say_is_sure() -> None:
    async with running(FIRST, SECOND, SECOND) as (sentinels, _):
        assert await sentinels.locate("s0") == SECOND
        assert await sentinels.confirm("s0") == SECOND


async def test_without_a_majority_nothing_is_sure() -> None:
    async with running(FIRST, FIRST, FIRST) as (sentinels, scripted):
        scripted[1].silent = scripted[2].silent = True
        with pytest.raises(StoreUnavailableError, match="only 1 of 3 sentinels answers, which is no majority"):
            await sentinels.locate("s0")
        assert await sentinels.confirm("s0") is None


async def test_sentinels_that_disagree_are_reported() -> None:
    async with running(FIRST, SECOND, None) as (sentinels, _):
        assert await sentinels.confirm("s0") is None
        with pytest.raises(StoreUnavailableError, match="disagree"):
            await sentinels.locate("s0")


async def test_a_name_that_they_do_not_know_is_reported() -> None:
    async with running(None, None, None) as (sentinels, _):
        with pytest.raises(StoreUnavailableError, match="most sentinels know no primary named bing"):
            await sentinels.locate("s0")


async def test_that_none_answers_is_reported_in_time() -> None:
    async with running(FIRST, FIRST) as (sentinels, scripted):
        for sentinel in scripted:
            sentinel.silent = True
        async with asyncio.timeout(5):
            with pytest.raises(
                StoreUnavailableError, match="no sentinel answers, which is no majority: no answer in time"
            ):
                await sentinels.locate("s0")


async def test_a_switch_of_this_primary_wakes_who_waits_and_one_of_another_does_not() -> None:
    async with running(FIRST) as (sentinels, (scripted,)):
        await sentinels.locate("s0")
        # The subscription's own beginning.
        await sentinels.changed.wait()
        sentinels.changed.clear()
        scripted.publish("other 10.0.0.1 6379 10.0.0.2 6379")
        scripted.publish("bing 10.0.0.1 6379 10.0.0.2 6379")
        await sentinels.changed.wait()
        sentinels.changed.clear()
        scripted.publish("other 10.0.0.1 6379 10.0.0.2 6379")
        await sentinels.confirm("s0")
        assert not sentinels.changed.is_set()


async def test_a_replica_that_one_promotes_is_looked_at_before_the_others_have_heard_of_it() -> None:
    """What its primary takes from then on is thrown away."""
    async with running(FIRST, FIRST, FIRST) as (sentinels, scripted):
        await sentinels.locate("s0")
        await until(lambda: scripted[0].listeners, "it listens")
        for service in ("other", "bing"):
            content = f"slave of {SECOND.host} {SECOND.port} @ {service} {FIRST.host} {FIRST.port}"
            scripted[0].publish(content, "+failover-state-send-slaveof-noone")
        await until(lambda: points_to(sentinels, SECOND))
        assert await sentinels.confirm("s0") == SECOND
        for sentinel in scripted:
            sentinel.endpoint = SECOND
        assert await sentinels.locate("s0") == SECOND
        for sentinel in scripted:
            sentinel.endpoint = FIRST
        assert await sentinels.locate("s0") == FIRST, "most say so, after the switch"


async def test_a_promotion_that_the_others_do_not_agree_to_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wire.redis.sentinels._PROMOTION", -1.0)
    async with running(FIRST) as (sentinels, (scripted,)):
        await sentinels.locate("s0")
        await until(lambda: scripted.listeners, "it listens")
        await sentinels.changed.wait()
        sentinels.changed.clear()
        content = f"slave of {SECOND.host} {SECOND.port} @ bing {FIRST.host} {FIRST.port}"
        scripted.publish(content, "+failover-state-send-slaveof-noone")
        await sentinels.changed.wait()
        assert await sentinels.locate("s0") == FIRST


async def points_to(sentinels: Sentinels, endpoint: Endpoint) -> bool:
    return await sentinels.locate("s0") == endpoint
