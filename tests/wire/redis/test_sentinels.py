"""What sentinels say, and what follows from it; see test_replicated_nodes.py for real ones."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

import hiredis
import pytest

from tests.support.conditions import until
from tests.support.scripted_redis import array, scripted_redis
from wire.errors import StoreUnavailableError
from wire.redis.address import Endpoint, RedisAddress
from wire.redis.sentinels import Sentinels

pytestmark = pytest.mark.anyio
FIRST, SECOND = Endpoint("10.0.0.1", 6379), Endpoint("10.0.0.2", 6379)
# What a server says of its role, the last ones with a replica and without any.
REPLICA = b"*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:6379\r\n$9\r\nconnected\r\n:1\r\n"
PRIMARY = b"*3\r\n$6\r\nmaster\r\n:1\r\n*1\r\n" + array("10.0.0.1", "6379", "1")
ALONE = b"*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n"


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


async def replace(scripted: Sequence[ScriptedSentinel], new: Endpoint, voters: int) -> None:
    """Let the first sentinel promote a replica, chosen by so many of them."""
    await until(lambda: all(sentinel.listeners for sentinel in scripted), "they are listened to")
    for number, sentinel in enumerate(scripted[:voters]):
        sentinel.publish("1", "+new-epoch")
        if number == 0:
            sentinel.publish(f"master bing {FIRST.host} {FIRST.port}", "+try-failover")
        sentinel.publish("sentinel-0 1", "+vote-for-leader")
    content = f"slave {new} {new.host} {new.port} @ bing {FIRST.host} {FIRST.port}"
    scripted[0].publish(content, "+failover-state-send-slaveof-noone")


@contextmanager
def candidate(role: bytes) -> Iterator[tuple[Endpoint, dict[str, bytes]]]:
    """Run a server that says that it has this role, and yield where, and its replies."""
    replies = {"ROLE": role}
    with scripted_redis(replies) as port:
        yield Endpoint("127.0.0.1", port), replies


async def test_a_replica_is_used_as_soon_as_it_has_taken_over_if_most_have_chosen_it() -> None:
    async with running(FIRST, FIRST, FIRST) as (sentinels, scripted):
        assert await sentinels.locate("s0") == FIRST
        with candidate(REPLICA) as (second, replies):
            await replace(scripted, second, voters=2)
            await until(lambda: is_replaced(sentinels), "its primary isn't used any more")
            locating = asyncio.create_task(sentinels.locate("s0"))
            questions = scripted[0].questions
            await until(lambda: scripted[0].questions > questions + 2, "it was looked at")
            assert not locating.done()
            replies["ROLE"] = PRIMARY
            assert await locating == second
            assert await sentinels.confirm("s0") == second


async def test_a_replica_that_is_a_primary_already_is_not_used_before_most_have_chosen_it() -> None:
    """As when one sentinel is ordered to fail over: until most say so it may be the only one that thinks so."""
    async with running(FIRST, FIRST, FIRST) as (sentinels, scripted):
        await sentinels.locate("s0")
        with candidate(PRIMARY) as (second, _):
            await replace(scripted, second, voters=1)
            await until(lambda: is_replaced(sentinels), "its primary isn't used any more")
            locating = asyncio.create_task(sentinels.locate("s0"))
            questions = scripted[0].questions
            await until(lambda: scripted[0].questions > questions + 2, "they were asked")
            assert not locating.done()
            for sentinel in scripted[1:]:
                sentinel.endpoint = second
            assert await locating == second


async def test_a_promotion_that_takes_long_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wire.redis.sentinels._LOOKS", 0.0)
    async with running(FIRST, FIRST, FIRST) as (sentinels, scripted):
        await sentinels.locate("s0")
        with candidate(ALONE) as (second, _):
            await replace(scripted, second, voters=3)
            await until(lambda: is_replaced(sentinels), "its primary isn't used any more")
            with pytest.raises(StoreUnavailableError, match="and hasn't yet"):
                await sentinels.locate("s0")


async def test_a_promotion_that_is_given_up_leaves_the_primary_in_its_place() -> None:
    async with running(FIRST, FIRST, FIRST) as (sentinels, scripted):
        await sentinels.locate("s0")
        with candidate(REPLICA) as (second, _):
            await replace(scripted, second, voters=3)
            await until(lambda: is_replaced(sentinels), "its primary isn't used any more")
            locating = asyncio.create_task(sentinels.locate("s0"))
            await until(lambda: sentinels.changed.is_set(), "it is news")
            sentinels.changed.clear()
            scripted[0].publish(f"master bing {FIRST.host} {FIRST.port}", "-failover-abort-slave-timeout")
            assert await locating == FIRST
            assert sentinels.changed.is_set()


async def is_replaced(sentinels: Sentinels) -> bool:
    return await sentinels.confirm("s0") != FIRST
