"""The work of a job is beside the scripts, from before it is accepted until it ends, and no longer."""

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.about import describe
from wire.answers import Answers
from wire.errors import QueueFullError, StoreFullError, StoreUnavailableError, TokenUnknownError
from wire.jobs import Client, IdempotencyKey, Jobs, new_answer_id, new_token
from wire.messages import Chat, Failed, HistoryMessage, decode_work, encode
from wire.redis.connection import Argument
from wire.redis.long_strings import CHUNK
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter
from wire.sessions import ClaimedJob, StatelessSession
from wire.work_store import SHORT_WORK, SMALL_WORK, UNACCEPTED_TTL, WorkStore

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


@pytest.fixture
def scenario(store: Store) -> Scenario:
    """Even short work is beside its job."""
    return Scenario(store, inside=0)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_work_of_any_size_is_read_as_it_was_written_and_expires(store: Store, size: int) -> None:
    works, work = WorkStore(store), bytes(range(1, 252)) * (size // 251 + 1)
    for _ in range(2):
        await works.write("s0-1", work[:size])
    assert await works.read("s0-1") == work[:size]
    assert size == 0 or 0 < await store.execute("TTL", keys.work_key("s0-1")) <= UNACCEPTED_TTL


class Submitting:
    """Work that is being submitted in a store, by its client and size, until all gates open."""

    def __init__(self, works: WorkStore, limit: int) -> None:
        self.works, self.limit = works, limit
        self.written: list[tuple[str, int]] = []
        self.gate = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def submit(self, client: str, *sizes: int) -> None:
        """Begin to submit work of each of these sizes."""
        self.tasks += [asyncio.create_task(self._submit(client, size)) for size in sizes]
        for _ in range(3):
            await asyncio.sleep(0)

    async def _submit(self, client: str, size: int) -> None:
        async with self.works.submitting(client, size, self.limit):
            self.written.append((client, size))
            await self.gate.wait()

    async def end(self) -> None:
        """Let all of it be accepted."""
        self.gate.set()
        await asyncio.gather(*self.tasks)


async def test_small_work_is_written_at_once_beside_large_work(store: Store) -> None:
    large, submitting = 8 * MIB, Submitting(WorkStore(store), 16 * MIB)
    await submitting.submit("large", *[large] * 3)
    await submitting.submit("other", large)
    assert submitting.written == [("large", large)]
    for client, size in (("small", 20_000), ("large", 20_000), ("third", SMALL_WORK)):
        await submitting.submit(client, size)
        assert submitting.written[-1] == (client, size)
    await submitting.end()
    assert [client for client, size in submitting.written if size == large] == ["large", "large", "other", "large"]


async def test_what_is_written_at_once_is_bounded_small_work_included(store: Store) -> None:
    submitting = Submitting(WorkStore(store), 16 * MIB)
    for client in "abcdefghijklmnop":
        await submitting.submit(client, *[SMALL_WORK] * 4, *[2 * MIB] * 4)
    assert 14 * MIB < sum(size for _, size in submitting.written) <= 16 * MIB
    await submitting.end()
    assert len(submitting.written) == 16 * 8


async def test_a_question_is_accepted_while_large_ones_of_another_client_are_written(store_url: str) -> None:
    gate, accepted = asyncio.Event(), list[str]()

    class Slow(Store):
        """A store to which long strings are written slowly."""

        async def transfer(self, *command: Argument) -> Any:
            if command[0] == "SETRANGE":
                await gate.wait()
            return await super().transfer(*command)

    store = Slow(store_url)
    jobs = Jobs(store, GatewaySettings(store_bytes=16 * 4 * MIB))

    async def submit(client: str, size: int) -> None:
        await jobs.submit(
            new_answer_id(), Chat("balanced", "x" * size), new_token(), create=True, client=Client(client)
        )
        accepted.append(client)

    large = [asyncio.create_task(submit("large", 2 * MIB)) for _ in range(2)]
    await until(lambda: len(jobs._works._large._lines.get("large", ())) == 1)
    await submit("small", 20_000)
    gate.set()
    await asyncio.gather(*large)
    assert accepted == ["small", "large", "large"]
    await jobs.close()
    await store.close()


@pytest.mark.parametrize("size", [SHORT_WORK + 1, 2 * SMALL_WORK])
async def test_work_that_waits_for_too_long_finds_redis_full(
    store: Store, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("wire.work_store._LONGEST_WAIT", 0.0)
    submitting = Submitting(WorkStore(store), 1)
    await submitting.submit("a", size)
    with pytest.raises(StoreFullError):
        async with submitting.works.submitting("b", size, 1):
            pass
    await submitting.end()


@pytest.mark.parametrize("size", [10, 2 * CHUNK])
async def test_work_is_gone_when_its_job_ends_and_no_other_key_had_it(scenario: Scenario, size: int) -> None:
    await scenario.hire("w1")
    question = await scenario.ask("x" * size)
    assert await scenario.redis.ttl(keys.work_key(question.answer)) > UNACCEPTED_TTL
    task = await scenario.take("w1")
    assert task.work == Chat("balanced", "x" * size)
    for name in await scenario.names() - {keys.work_key(question.answer)}:
        kind = (await scenario.redis.type(name)).decode()
        if kind == "hash":
            assert sum(map(len, (await scenario.redis.hgetall(name)).values())) < 1000, name
    await scenario.finish(task)
    assert await scenario.redis.exists(keys.work_key(question.answer)) == 0


async def test_no_script_gets_work(store_url: str) -> None:
    seen: list[int] = []

    class Measuring(Store):
        async def run(self, script: str, key: str, *args: Argument) -> Any:
            seen.append(sum(len(str(arg)) for arg in args))
            return await super().run(script, key, *args)

    store = Measuring(store_url)
    scenario = Scenario(store)
    await scenario.hire("w1")
    token = (await scenario.ask("x" * 100_000)).token
    await scenario.ask("y" * 100_000, token)
    await scenario.finish(await scenario.sent("w1"))
    following = await scenario.take("w1")
    assert following.work == Chat("balanced", "y" * 100_000)
    assert max(seen) < 5000
    await store.close()


async def test_short_work_is_inside_its_job_until_that_ends_and_comes_with_it(store: Store) -> None:
    scenario, longest = Scenario(store), SHORT_WORK - len(encode(Chat("balanced", "")))
    await scenario.hire("w1")
    first = await scenario.ask("x" * longest)
    second = await scenario.ask("y", first.token)
    longer = await scenario.ask("z" * (longest + 1))
    assert {name for name in await scenario.names() if ":work:" in name} == {keys.work_key(longer.answer)}
    for _ in range(2):
        # A repeat of the call gives the same.
        ((task, short),) = (await scenario.sessions.take("w1", 1, 0, 1, {})).jobs
        assert decode_work(short) == Chat("balanced", "x" * longest)
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    await scenario.finish(task)
    ((_, beside), (_, short)) = (await scenario.sessions.take("w1", 2, 1, 2, {})).jobs
    assert (beside, decode_work(short)) == (b"", Chat("balanced", "y"))
    for answer, there in ((first.answer, False), (second.answer, True)):
        assert await scenario.redis.hexists(keys.job_key(answer), "short_work") == there
    assert not any(b"xx" in value for value in (await scenario.redis.hgetall(keys.took_key("w1"))).values())


@pytest.mark.parametrize("refusal", ["unknown", "full", "asked before"])
async def test_work_of_a_job_that_is_refused_is_gone(store: Store, refusal: str) -> None:
    scenario = Scenario(store, GatewaySettings(queue_limit=1), inside=0)
    once = IdempotencyKey("name", "question")
    remaining = set()
    if refusal != "unknown":
        remaining = {keys.work_key((await scenario.ask(once=once)).answer)}
    if refusal == "asked before":
        await scenario.ask("again", once=once)
    elif refusal == "full":
        with pytest.raises(QueueFullError):
            await scenario.ask()
    else:
        with pytest.raises(TokenUnknownError):
            await scenario.ask("hello", new_token())
    assert {name for name in await scenario.names() if ":work:" in name} == remaining


async def test_a_job_whose_work_is_lost_is_not_accepted(store_url: str) -> None:
    class Losing(Store):
        async def transfer(self, *command: Argument) -> Any:
            return b""

    store = Losing(store_url)
    answer = new_answer_id()
    with pytest.raises(StoreUnavailableError):
        await Jobs(store, GatewaySettings(), inside=0).submit(answer, Chat("balanced", "?"), new_token(), create=True)
    assert await store.execute("EXISTS", keys.job_key(answer)) == 0
    await store.close()


async def test_a_job_whose_work_is_lost_later_ends_and_keeps_its_conversation(scenario: Scenario) -> None:
    await scenario.hire("w1")
    first = await scenario.ask()
    await scenario.finish(await scenario.sent("w1"))
    lost = await scenario.ask("lost", first.token)
    await scenario.redis.delete(keys.work_key(lost.answer))
    assert await scenario.take_all("w1") == []
    assert await scenario.events(lost.answer) == [Failed("state.lost", reset=False)]
    await scenario.ask("next", first.token)
    assert (await scenario.take("w1")).session == b"{}"


async def test_a_job_that_a_gateway_of_0_1_has_submitted_is_worked_on(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question, work = await scenario.ask(), Chat("balanced", "of 0.1", instructions="be brief")
    await scenario.redis.delete(keys.work_key(question.answer))
    await scenario.redis.hdel(keys.job_key(question.answer), "about")
    await scenario.redis.hset(keys.job_key(question.answer), "work", encode(work))
    async with Answers(scenario.store) as answers:
        assert (await scenario.take("w1")).work == work
        assert (await answers.read_job(question.answer)).about == describe(work)


@pytest.mark.parametrize("leaves", [False, True])
async def test_while_a_process_of_0_1_lives_work_is_inside_its_job(scenario: Scenario, leaves: bool) -> None:
    def reporter(name: str, load: ProcessLoad) -> Reporter:
        return Reporter(scenario.store, "worker", name, lambda: load, dict, lambda: False)

    await reporter("new", ProcessLoad(apart=True)).report()
    old = reporter("old", ProcessLoad("0.1.0"))
    await old.report()
    if leaves:
        await old.leave()
    question = await scenario.ask("hello")
    inside = await scenario.redis.hget(keys.job_key(question.answer), "work")
    assert (inside is None) == leaves
    assert bool(await scenario.redis.exists(keys.work_key(question.answer))) == leaves
    await scenario.hire("w1")
    assert (await scenario.take("w1")).work == Chat("balanced", "hello")


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize("size", [5, 100_000])
async def test_a_stopped_answer_continues_its_transcript_without_the_work(
    scenario: Scenario, begins: bool, size: int
) -> None:
    await scenario.hire("w1")
    work = Chat("balanced", "q" * size, history=(HistoryMessage("user", "before"),))
    await scenario.jobs.submit("s0-1", work, token := new_token(), create=True)
    task: ClaimedJob = await scenario.take("w1")
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True, stateless=StatelessSession(b"{}", begins))
    older = msgspec.json.encode([HistoryMessage("user", "older")])
    await scenario.redis.rpush(keys.transcript_key(token), older)
    await scenario.redis.hset(keys.token_key(token), "said", len(older))
    await scenario.answered("s0-1", token, 0)
    await scenario.redis.hset(keys.job_key("s0-1"), "state", "SENT")
    await scenario.jobs.stop("s0-1")
    assert await scenario.redis.exists(keys.work_key("s0-1")) == 0
    await scenario.sessions.finish(task, "STOPPED", Failed("stop"), b"{}", begins=begins)
    transcript = await scenario.sessions.read_transcript(token)
    texts = [message.text for message in transcript.messages]
    if size > 5:
        assert (texts, transcript.whole) == ([], False)
    else:
        assert texts == [*(["before"] if begins else ["older"]), "qqqqq", "whole"]
