"""How full Redis is, by its own count and by ours, and what is refused of it."""

import asyncio
from typing import Any

import msgspec
import pytest
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs

from gateway.settings import GatewaySettings
from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.errors import ClientBytesError, StoreFullError
from wire.jobs import Client, IdempotencyKey, new_answer_id, new_token
from wire.messages import Call, Chat, HistoryMessage, Prompted
from wire.prompt import Message, Prompt, Text, Tool
from wire.redis.connection import Argument
from wire.redis.store import Store
from wire.sessions import StatelessSession
from wire.store_memory import UNLIMITED_STORE_BYTES, MemoryUse, StoreMemory

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024
ALICE, BOB = Client("alice"), Client("bob")


def limited(store: Store, **limits: Any) -> Scenario:
    return Scenario(store, GatewaySettings(**{"store_bytes": 16 * MIB, **limits}))


async def counted(scenario: Scenario, owner: str = "all") -> int:
    return int(await scenario.redis.hget(keys.bytes_key(), owner) or 0)


async def fill(scenario: Scenario, client: Client) -> int:
    """Ask large questions until one is refused; return how many were accepted."""
    for accepted in range(1000):
        try:
            await scenario.ask("x" * MIB, client=client)
        except ClientBytesError:
            return accepted
    raise AssertionError("never refused")


async def test_one_client_gets_half_and_leaves_room_for_others(store: Store) -> None:
    scenario = limited(store)
    assert await fill(scenario, ALICE) == 7
    assert await fill(scenario, BOB) == 4
    await scenario.ask(client=Client("carol"))
    with pytest.raises(ClientBytesError) as refused:
        await scenario.ask("x" * MIB, client=ALICE)
    assert 1 <= refused.value.retry_after <= 60


async def test_a_question_of_many_small_values_counts_as_the_memory_that_it_takes(store: Store) -> None:
    """Fifteen of 250,000 values each were little in Redis, and 0.7 GB in a worker."""
    scenario = limited(store)

    async def ask(schema: dict[str, Any]) -> int:
        tool = Tool("function", "find", parameters=schema)
        before = await counted(scenario)
        prompted = Prompted("balanced", "", prompt=Prompt("chat", "m", (), tools=(tool,)))
        await scenario.jobs.submit(new_answer_id(), prompted, new_token(), create=True, client=ALICE)
        return await counted(scenario) - before

    dense, text = await ask({"enum": [{}] * 10_000}), await ask({"enum": ["x" * 30_000]})
    assert dense > 10_000 * 200
    assert text < 110_000


async def test_a_question_with_one_wide_character_counts_as_the_memory_that_it_takes(store: Store) -> None:
    """Sixteen of 8 MB took a worker to 1.3 GB: four bytes a character, and once more for their joined parts."""
    scenario = limited(store)

    async def ask(*texts: str) -> int:
        before = await counted(scenario)
        message = Message("user", tuple(map(Text, texts)))
        prompted = Prompted("balanced", "", prompt=Prompt("chat", "m", (message,)))
        await scenario.jobs.submit(new_answer_id(), prompted, new_token(), create=True, client=ALICE)
        return await counted(scenario) - before

    plain, wide, joined = await ask("a" * 20_000), await ask("😀" + "a" * 20_000), await ask("😀", "a" * 20_000)
    assert 59_900 < wide - plain < 60_100
    assert 79_900 < joined - plain < 80_200


async def test_a_call_for_embeddings_counts_as_it_came(store: Store) -> None:
    scenario = limited(store)
    body = msgspec.Raw(msgspec.json.encode({"input": [[1] * 20_000]}))
    await scenario.jobs.submit(new_answer_id(), Call("embeddings", "m", body), new_token(), create=True)
    assert await counted(scenario) < 120_000


async def test_a_client_with_a_weight_gets_that_many_times_what_it_leaves(store: Store) -> None:
    scenario = limited(store)
    assert await fill(scenario, Client("heavy", weight=3)) == 11
    assert await fill(scenario, BOB) == 2


async def test_a_client_has_a_limit_of_its_own(store: Store) -> None:
    assert await fill(limited(store, client_bytes=2 * MIB), ALICE) == 1


async def test_above_the_limit_of_all_everybody_is_refused_until_something_ends(store: Store) -> None:
    scenario = limited(store)
    questions = [await scenario.ask("x" * MIB, client=Client(str(number))) for number in range(14)]
    with pytest.raises(StoreFullError) as refused:
        await scenario.ask("x" * 2 * MIB, client=BOB)
    assert 1 <= refused.value.retry_after <= 60
    assert scenario.jobs.refusals["store.full"] == 1
    for question in questions[:2]:
        await scenario.jobs.stop(question.answer)
    await scenario.ask("x" * 2 * MIB, client=BOB)


async def test_what_was_asked_before_is_found_although_there_is_no_room(store: Store) -> None:
    scenario = limited(store)
    once = IdempotencyKey("name", "question")
    question = await scenario.ask(client=ALICE, once=once)
    await fill(scenario, ALICE)
    assert (await scenario.ask("x" * MIB, client=ALICE, once=once)).answer == question.answer


async def test_large_questions_of_one_client_leave_room_for_all_others(valkey_store: Store) -> None:
    """85 of 1 MB at once once filled Redis, and nobody was served for ten minutes."""
    scenario = Scenario(valkey_store, GatewaySettings(client_limit=1000))
    await scenario.hire("w1")
    await redis_client(valkey_store).config_set("maxmemory", str(64 * MIB))
    try:
        refused = []
        for _ in range(85):
            try:
                await scenario.ask("x" * MIB, client=ALICE)
            except ClientBytesError as error:
                refused.append(error.retry_after)
        assert 70 <= len(refused) <= 75
        assert set(refused) <= set(range(1, 61))
        for number in range(50):
            await scenario.ask("x" * 10_000, client=Client(f"other {number}"))
        use = await StoreMemory(valkey_store).read()
        assert not use.is_degraded
        assert use.used - use.counted < 8 * MIB, "what is counted is what there is"
    finally:
        await redis_client(valkey_store).config_set("maxmemory", "0")


async def test_a_client_that_fills_the_store_slowly_leaves_room_for_all_others(store: Store) -> None:
    """25 kB/s of new conversations and long answers once filled Redis for hours."""
    limits = GatewaySettings(store_bytes=16 * MIB, client_limit=1000)
    scenario = Scenario(store, limits, lease_ttl=3600.0)
    await scenario.hire("w1")
    exchange, refusals = (HistoryMessage("user", "x" * 60_000),), 0
    for number in range(160):
        try:
            await scenario.ask(client=ALICE)
            text = "y" * 30_000
        except ClientBytesError:
            await scenario.ask(client=Client(f"other {number % 6}"))
            text, refusals = "y", refusals + 1
        await scenario.finish(await scenario.sent("w1"), text, exchange=exchange, begins=True)
    assert refusals > 40
    assert await counted(scenario) < 0.85 * 16 * MIB
    assert await counted(scenario, ":alice") < 8 * MIB
    assert await counted(scenario, "transcripts") <= 4 * MIB


async def test_what_is_kept_about_a_question_counts_beside_it(scenario: Scenario) -> None:
    sizes: list[int] = []
    for instructions in ("", "x" * 4096):
        work = Chat("balanced", "hello" * 1000, instructions=instructions)
        await scenario.jobs.submit(new_answer_id(), work, new_token(), create=True, client=ALICE)
        sizes.append(await counted(scenario, ":alice") - sum(sizes))
    assert sizes[1] - sizes[0] >= 2 * 4096


async def test_an_answer_counts_instead_of_its_question(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.ask("x" * MIB, client=ALICE)
    assert await counted(scenario, ":alice") > MIB
    await scenario.finish(await scenario.sent("w1"), "y" * 10_000)
    assert 10_000 < await counted(scenario, ":alice") == await counted(scenario) < 30_000


@pytest.mark.parametrize("stopped", [False, True])
async def test_what_is_left_of_a_question_behind_its_answer_counts(scenario: Scenario, stopped: bool) -> None:
    """Its instructions, and what its transcript was to get: 90 kB once counted as 1 kB for ten minutes."""
    await scenario.hire("w1")
    answer, work = new_answer_id(), Chat("balanced", "x" * 50_000, instructions="y" * 4096)
    await scenario.jobs.submit(answer, work, new_token(), create=True, client=ALICE)
    task = await scenario.take("w1")
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True, stateless=StatelessSession(b"{}", begins=True))
    if stopped:
        await scenario.jobs.stop(answer)
    await scenario.finish(task)
    left = sum(map(len, (await scenario.redis.hgetall(keys.job_key(answer))).values()))
    assert 4096 < left < await counted(scenario, ":alice")


async def test_what_expires_by_itself_counts_until_the_next_beat(scenario: Scenario) -> None:
    for _ in range(21):
        await scenario.ask()
    await scenario.ask(once=IdempotencyKey("name", "question"))
    expiring = keys.kept_key()
    await scenario.redis.zadd(expiring, dict.fromkeys(await scenario.redis.zrange(expiring, 0, -1), 1))
    for left in (25, 5, 0):
        await scenario.sessions.beat("w1")
        assert await scenario.redis.zcard(expiring) == left
    assert not await scenario.redis.exists(keys.bytes_key(), keys.sizes_key())


async def test_each_question_forgets_more_of_what_expired_than_it_adds(scenario: Scenario) -> None:
    for _ in range(15):
        await scenario.ask()
    expiring = keys.kept_key()
    await scenario.redis.zadd(expiring, dict.fromkeys(await scenario.redis.zrange(expiring, 0, -1), 1))
    for left in (12, 4):
        await scenario.ask()
        assert await scenario.redis.zcard(expiring) == left


async def test_a_token_and_an_idempotency_key_count_as_long_as_they_are_kept(scenario: Scenario) -> None:
    await scenario.hire("w1")
    token = (await scenario.ask(client=ALICE, once=IdempotencyKey("name", "question"))).token
    await scenario.finish(await scenario.sent("w1"))

    async def items() -> set[str]:
        return {item.decode() for item in await scenario.redis.zrange(keys.kept_key(), 0, -1)} & {
            f"k:{token}",
            "i:name",
        }

    async def lifetime(item: str) -> float:
        seconds, _ = await scenario.redis.time()
        expires: float = await scenario.redis.zscore(keys.kept_key(), item)
        return expires / 1000 - float(seconds)

    assert await items() == {f"k:{token}", "i:name"}
    assert await counted(scenario, ":alice") > 1024 + 512
    assert abs(await lifetime(f"k:{token}") - scenario.limits.session_ttl) < 60
    assert abs(await lifetime("i:name") - scenario.limits.idempotency_ttl) < 60
    await scenario.sessions.end(token)
    assert await items() == {"i:name"}
    withdrawn = await scenario.ask(client=BOB, once=IdempotencyKey("other", "question"))
    await scenario.jobs.stop(withdrawn.answer)
    assert not await scenario.redis.hexists(keys.sizes_key(), "i:other")


async def test_the_token_of_pictures_counts_no_longer_than_they_do(scenario: Scenario) -> None:
    await scenario.hire("w1")
    token = (await scenario.ask()).token
    await scenario.finish(await scenario.sent("w1"), forget=True)
    expires = await scenario.redis.zscore(keys.kept_key(), f"k:{token}")
    ttl = await scenario.redis.pttl(keys.token_key(token))
    seconds, micros = await scenario.redis.time()
    assert abs(expires - (seconds * 1000 + micros // 1000 + ttl)) < 1000


@pytest.mark.parametrize("stateless", [False, True])
async def test_the_oldest_transcripts_go_first_and_a_conversation_with_them(store: Store, stateless: bool) -> None:
    scenario = limited(store)
    await scenario.hire("w1")
    exchange = (HistoryMessage("user", "x" * 60_000),)
    tokens = []
    for _ in range(75):
        tokens.append((await scenario.ask()).token)
        task = await scenario.take("w1")
        session = StatelessSession(b"{}", begins=True) if stateless else None
        await scenario.sessions.mark_sent(task, 1, 1, fresh=True, stateless=session)
        await scenario.finish(task, exchange=exchange, begins=True)
    assert 3 * MIB < await counted(scenario, "transcripts") <= 4 * MIB
    assert (await scenario.sessions.read_transcript(tokens[-1])).whole
    oldest = await scenario.sessions.read_transcript(tokens[0])
    assert (oldest.messages, oldest.whole) == ((), stateless)
    await scenario.ask("on", tokens[0])
    task = await scenario.take("w1")
    assert (task.session, task.reset) == ((None, True) if stateless else (b"{}", False))


async def test_the_limit_follows_from_redis_where_none_is_set(valkey_store: Store) -> None:
    assert (await StoreMemory(valkey_store).read()).allowed == UNLIMITED_STORE_BYTES
    await redis_client(valkey_store).config_set("maxmemory", str(64 * MIB))
    try:
        use = await StoreMemory(valkey_store).read()
        assert (use.limit, use.allowed) == (64 * MIB, 32 * MIB)
        assert 0 < use.used < use.limit
        assert (await StoreMemory(valkey_store, 20 * MIB).read()).allowed == 20 * MIB
    finally:
        await redis_client(valkey_store).config_set("maxmemory", "0")


async def test_filling_up_is_logged_once_and_so_is_its_end(store: Store) -> None:
    memory = StoreMemory(store, 100)
    with capture_logs() as lines:
        for amount in (10, 90, 95, 10, 10):
            await store.execute("HSET", keys.bytes_key(), "all", amount)
            memory._until = 0.0
            assert (await memory.read()).counted == amount
    events = [line["event"] for line in lines if "maxmemory" not in line["event"]]
    assert events == ["redis is nearly full", "redis has room again"]


async def test_a_redis_without_a_limit_of_its_own_is_logged_once(valkey_store: Store) -> None:
    memory = StoreMemory(valkey_store)
    with capture_logs([merge_contextvars]) as lines, bound_contextvars(request="of somebody"):
        for _ in range(2):
            memory._until = 0.0
            await memory.read()
    assert [(line["log_level"], line["allowed"]) for line in lines] == [("warning", UNLIMITED_STORE_BYTES)]
    assert "request" not in lines[0], "it is about no request"


async def test_redis_is_asked_once_a_second_however_many_questions_come(store_url: str) -> None:
    looks: list[Argument] = []

    class CountingStore(Store):
        async def execute(self, *command: Argument) -> Any:
            looks.append(command[0])
            return await super().execute(*command)

    store = CountingStore(store_url)
    memory = StoreMemory(store)
    first = await memory.read()
    memory._until, looks[:] = 0.0, []
    assert await asyncio.gather(*(memory.read() for _ in range(20))) == [first] * 20
    assert looks.count("HGET") == 1
    await store.close()


def test_the_share_is_the_larger_one() -> None:
    assert MemoryUse(50, 100, 10, 100).share == 0.5
    assert MemoryUse(5, 100, 90, 100).is_degraded
    assert not MemoryUse(5, 100, 90, 100).is_full
    assert MemoryUse(85, 100, 0, 100).is_full
    assert not MemoryUse(85, 0, 0, 100).is_degraded
