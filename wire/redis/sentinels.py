"""Sentinels, which know where the primary is. See https://valkey.io/topics/sentinel/ for their protocol."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

from wire.errors import StoreUnavailableError
from wire.redis.address import Endpoint, RedisAddress
from wire.redis.connection import RedisConnection, connect
from wire.redis.pipeline import Pipeline

# Seconds that a sentinel has to answer.
_TIMEOUT = 0.4
_RECONNECT_PAUSE = 1.0
# A sentinel says it of the primary that is replaced, and seconds before, of the replica that it is about to promote.
_SWITCHED, _PROMOTES = "+switch-master", "+failover-state-send-slaveof-noone"
# Seconds that the others have to agree to a promotion.
_PROMOTION = 10.0


class _Promotion(NamedTuple):
    """A replica that is promoted while its primary may still serve: what that takes from then on is thrown away."""

    old: Endpoint
    new: Endpoint
    until: float


class Sentinels:
    """Finder of the primary by the sentinels of an address; see wire.redis.replicated_nodes.Locator.

    What most of all configured sentinels say is sure, and nothing else: a few may be cut off together with an old
    primary. A replica that one of them promotes is looked at before the others have heard of it; the server's own word
    decides whether it is used.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.changed = asyncio.Event()
        self._service = address.service
        self._urls = [address.sentinel_url(sentinel) for sentinel in address.endpoints]
        self._links = [Pipeline(partial(connect, url, _TIMEOUT, _TIMEOUT), _TIMEOUT, {}) for url in self._urls]
        self._listeners: list[asyncio.Task[None]] = []
        self._promotion: _Promotion | None = None

    async def locate(self, _: str) -> Endpoint:
        """Return where the primary is; see Locator."""
        if not self._listeners:
            self._listeners = [asyncio.create_task(self._listen(url)) for url in self._urls]
        votes, sure, failure = await self._vote()
        if sure:
            return self._after_promotion(sure)
        if len(votes) > 1:
            raise StoreUnavailableError("the sentinels disagree on where the primary is")
        if failure:
            answers = f"only {votes.total()} of {len(self._links)} sentinels" if votes else "no sentinel"
            raise StoreUnavailableError(f"{answers} answers, which is no majority: {failure}")
        raise StoreUnavailableError(f"most sentinels know no primary named {self._service}")

    async def confirm(self, _: str) -> Endpoint | None:
        """Return where most of the sentinels say that the primary is; see Locator."""
        sure = (await self._vote())[1]
        return sure and self._after_promotion(sure)

    def _after_promotion(self, primary: Endpoint) -> Endpoint:
        """Return which replica takes over from what the sentinels still call the primary, or that one."""
        promotion = self._promotion
        if promotion and (primary != promotion.old or asyncio.get_running_loop().time() > promotion.until):
            self._promotion = promotion = None
        return promotion.new if promotion else primary

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

    async def _listen(self, url: str) -> None:
        """Report each switch of the primary that the sentinel publishes; and that one may have been missed."""
        while True:
            try:
                connection = await connect(url, _TIMEOUT, _TIMEOUT, self._on_message)
            except StoreUnavailableError:
                await asyncio.sleep(_RECONNECT_PAUSE)
                continue
            await self._follow(connection)
            await asyncio.sleep(_RECONNECT_PAUSE)

    async def _follow(self, connection: RedisConnection) -> None:
        try:
            connection.send("SUBSCRIBE", _SWITCHED, _PROMOTES)
            await asyncio.wait({connection.lost})
        finally:
            await connection.close()

    def _on_message(self, message: Any) -> None:
        """Wake whoever waits for changes: at the subscription's beginning too, for one may have been missed."""
        _, channel, content = message
        if not isinstance(content, bytes):
            self.changed.set()
            return
        words = content.decode().split(" ")
        if channel == _PROMOTES.encode() and words[5] == self._service:
            _, _, host, port, _, _, old_host, old_port = words
            until = asyncio.get_running_loop().time() + _PROMOTION
            self._promotion = _Promotion(Endpoint(old_host, int(old_port)), Endpoint(host, int(port)), until)
            self.changed.set()
        elif words[0] == self._service:
            self.changed.set()

    async def close(self) -> None:
        """See Locator."""
        for listener in self._listeners:
            listener.cancel()
        await asyncio.gather(*self._listeners, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._links))
