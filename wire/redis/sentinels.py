"""Sentinels, which know where the primary is. See https://valkey.io/topics/sentinel/ for their protocol."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any

from wire.errors import StoreUnavailableError
from wire.redis.address import Endpoint, RedisAddress
from wire.redis.candidate import Candidate
from wire.redis.connection import RedisConnection, connect
from wire.redis.pipeline import Pipeline
from wire.redis.promotions import CHANNELS, Promotion, Promotions

# Seconds that a sentinel has to answer.
_TIMEOUT = 0.4
_RECONNECT_PAUSE = 1.0
# A sentinel says it of the primary that is replaced, seconds after it has promoted a replica.
_SWITCHED = "+switch-master"
# Seconds between two looks at a replica that is promoted, and for which it is looked at.
_LOOK_PAUSE, _LOOKS = 0.05, 2.0


class Sentinels:
    """Finder of the primary by the sentinels of an address; see wire.redis.replicated_nodes.Locator.

    What most of all configured sentinels say is sure: a few may be cut off together with an old primary. A primary that
    one of them replaces isn't used any more, for what it takes would be thrown away. The replica that takes over is
    used as soon as it says so itself, if most have chosen the sentinel that promotes it, and once most say so
    otherwise.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.changed = asyncio.Event()
        self._address = address
        self._service = address.service
        self._urls = [address.sentinel_url(sentinel) for sentinel in address.endpoints]
        self._links = [Pipeline(partial(connect, url, _TIMEOUT, _TIMEOUT), _TIMEOUT, {}) for url in self._urls]
        self._listeners: list[asyncio.Task[None]] = []
        self._promotions = Promotions(address.service, len(self._urls))

    async def locate(self, _: str) -> Endpoint:
        """Return where the primary is; see Locator. While it is replaced this takes up to 2 s."""
        if not self._listeners:
            self._listeners = [asyncio.create_task(self._listen(number, url)) for number, url in enumerate(self._urls)]
        primary = await self._majority()
        while promotion := self._promotions.current(primary):
            candidate = Candidate(self._address.server_url(promotion.new))
            try:
                if await self._takes_over(promotion, candidate):
                    return promotion.new
            finally:
                await candidate.close()
            primary = await self._majority()
        return primary

    async def _takes_over(self, promotion: Promotion, candidate: Candidate) -> bool:
        """Wait until the candidate may be used, or its promotion is no longer the current one; return whether it may.

        StoreUnavailableError, with one sentence, if neither comes soon or there is no majority.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LOOKS
        while self._promotions.current(await self._majority()) is promotion:
            if self._promotions.is_elected(promotion) and await candidate.has_taken_over():
                return True
            if loop.time() > deadline:
                raise StoreUnavailableError(f"{promotion.new} is to replace {promotion.old}, and hasn't yet")
            await asyncio.sleep(_LOOK_PAUSE)
        return False

    async def confirm(self, _: str) -> Endpoint | None:
        """Return where most of the sentinels say that the primary is, or where it will be; see Locator."""
        sure = (await self._vote())[1]
        promotion = self._promotions.current(sure) if sure else None
        return promotion.new if promotion else sure

    async def _majority(self) -> Endpoint:
        """Return what most of the sentinels say. StoreUnavailableError, with one sentence, if there is no such."""
        votes, sure, failure = await self._vote()
        if sure:
            return sure
        if len(votes) > 1:
            raise StoreUnavailableError("the sentinels disagree on where the primary is")
        if failure:
            answers = f"only {votes.total()} of {len(self._links)} sentinels" if votes else "no sentinel"
            raise StoreUnavailableError(f"{answers} answers, which is no majority: {failure}")
        raise StoreUnavailableError(f"most sentinels know no primary named {self._service}")

    async def _vote(self) -> tuple[Counter[Endpoint], Endpoint | None, StoreUnavailableError | None]:
        """Ask all until most agree; return the votes, what most agree on, and why one didn't answer."""
        votes: Counter[Endpoint] = Counter()
        failure: StoreUnavailableError | None = None
        answers: asyncio.Queue[Endpoint | StoreUnavailableError | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._ask(link, answers)) for link in self._links]
            for _ in asked:
                answer = await answers.get()
                if isinstance(answer, StoreUnavailableError):
                    failure = answer
                elif answer is not None:
                    votes[answer] += 1
                    if 2 * votes[answer] > len(asked):
                        break
            for task in asked:
                task.cancel()
        sure = next((endpoint for endpoint, count in votes.items() if 2 * count > len(self._links)), None)
        return votes, sure, failure

    async def _ask(self, link: Pipeline, answers: "asyncio.Queue[Endpoint | StoreUnavailableError | None]") -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                reply: Any = await link.execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        except TimeoutError:
            answers.put_nowait(StoreUnavailableError("no answer in time"))
        except StoreUnavailableError as error:
            answers.put_nowait(error)
        else:
            answers.put_nowait(Endpoint(reply[0].decode(), int(reply[1])) if reply else None)

    async def _listen(self, number: int, url: str) -> None:
        """Report what the sentinel publishes about the primary; and that something may have been missed."""
        while True:
            try:
                connection = await connect(url, _TIMEOUT, _TIMEOUT, partial(self._on_message, number))
            except StoreUnavailableError:
                await asyncio.sleep(_RECONNECT_PAUSE)
                continue
            await self._follow(connection)
            await asyncio.sleep(_RECONNECT_PAUSE)

    async def _follow(self, connection: RedisConnection) -> None:
        try:
            connection.send("SUBSCRIBE", _SWITCHED, *CHANNELS)
            await asyncio.wait({connection.lost})
        finally:
            await connection.close()

    def _on_message(self, sentinel: int, message: Any) -> None:
        """Wake whoever waits for changes: at the subscription's beginning too, for one may have been missed."""
        _, channel, content = message
        if not isinstance(content, bytes):
            self._promotions.forget_votes(sentinel)
            self.changed.set()
        elif channel == _SWITCHED.encode():
            if content.decode().split(" ")[0] == self._service:
                self.changed.set()
        elif self._promotions.record(sentinel, channel.decode(), content.decode()):
            self.changed.set()

    async def close(self) -> None:
        """See Locator."""
        for listener in self._listeners:
            listener.cancel()
        await asyncio.gather(*self._listeners, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._links))
