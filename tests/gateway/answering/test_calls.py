"""The end of a call, as its gateway reads it."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest
from starlette.types import Message as AsgiMessage

from gateway.answering.abandonment import Abandonment
from gateway.answering.calls import CallEnd, Calls
from gateway.answering.drain import ActiveRequests
from gateway.answering.idempotency import Idempotency, RequestKey
from gateway.answering.models import ModelChoice
from gateway.answering.relay import Relay
from gateway.answering.submit import Questions, Submission
from gateway.errors import ClientGoneError
from gateway.ops.metrics import first_text_histogram
from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.answers import Answers
from wire.errors import AnswerLostError, KeySpentError
from wire.hmac_secret import HmacSecret
from wire.jobs import ANYBODY, Jobs
from wire.messages import Call, Failed, Final
from wire.model_table import ModelTable, Offer, OfferedAccount
from wire.prompt import Message, Prompt, Text
from wire.redis.store import Store
from wire.result_store import ResultStore

pytestmark = pytest.mark.anyio

CALL = Call("embeddings", "m", msgspec.Raw(b"{}"))
END = Final("", model="m")
KEY = RequestKey("0123456789abcdef", "/v1/embeddings", "")


@dataclass
class Caller:
    """A gateway's calls, and the worker's side of them."""

    calls: Calls
    scenario: Scenario

    async def submit(self, key: RequestKey | None = None) -> Submission:
        return await self.calls.questions.submit(CALL, ANYBODY, token=None, key=key)

    async def end(self, result: bytes, event: Final | Failed = END) -> None:
        task = await self.scenario.take("w1")
        if result:
            await ResultStore(self.scenario.store).write(task.answer, result)
        await self.scenario.sessions.finish(task, "DONE", event, None, forget=True)

    async def read(self, submission: Submission, *, repeatable: bool = False, leaves: bool = False) -> CallEnd:
        async def receive() -> AsgiMessage:
            if not leaves:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        return await self.calls.read_end(submission, ANYBODY, receive, repeatable=repeatable)


@pytest.fixture
async def caller(store: Store) -> AsyncIterator[Caller]:
    jobs = Jobs(store, GatewaySettings())
    abandonment = Abandonment(jobs, 0.01)
    async with Answers(store) as answers:
        relay = Relay(jobs, answers, ActiveRequests(), 60, 60, first_text_histogram(), abandonment=abandonment)
        questions = Questions(relay, Idempotency(HmacSecret(store, b"s" * 32)))
        scenario = Scenario(store)
        await scenario.hire("w1")
        yield Caller(Calls(questions, ResultStore(store)), scenario)
    await abandonment.close()
    await jobs.close()


async def test_a_result_is_read_once_and_is_gone_then(caller: Caller) -> None:
    submission = await caller.submit()
    await caller.end(b"result")
    assert await caller.read(submission) == CallEnd(END, b"result")
    with pytest.raises(AnswerLostError):
        await caller.read(submission)


async def test_a_repeat_under_a_key_gets_the_same_result_for_a_minute(caller: Caller) -> None:
    first = await caller.submit(KEY)
    await caller.end(b"result")
    assert (await caller.read(first, repeatable=True)).result == b"result"
    again = await caller.submit(KEY)
    assert (await caller.read(again, repeatable=True)).result == b"result"
    await caller.calls.results.delete(first.answer_id)
    with pytest.raises(KeySpentError):
        await caller.read(again, repeatable=True)


async def test_of_a_call_that_failed_there_is_no_result_to_read(caller: Caller) -> None:
    submission = await caller.submit()
    await caller.end(b"", Failed("upstream.internal"))
    assert await caller.read(submission) == CallEnd(Failed("upstream.internal"))


@pytest.mark.parametrize(("key", "state"), [(None, "STOPPED"), (KEY, "QUEUED")])
async def test_a_client_that_leaves_stops_its_call_unless_it_may_repeat_it(
    caller: Caller, key: RequestKey | None, state: str
) -> None:
    submission = await caller.submit(key)
    with pytest.raises(ClientGoneError):
        await caller.read(submission, repeatable=key is not None, leaves=True)

    async def has_state() -> bool:
        return await caller.scenario.state(submission.answer_id) == state

    await until(has_state)


# Tokens

PROMPT = Prompt("anthropic", "m", (Message("user", (Text("q"),)),))


def choose(*calls: str, present: bool = True) -> ModelChoice:
    """Return a model of one account, which can be called for these."""
    account = OfferedAccount("a", "anthropic", Offer(("m",), calls=calls), present=present)
    return ModelChoice("m", ("m",), ModelTable((account,)))


async def count(caller: Caller, choice: ModelChoice) -> int | None:
    return await caller.calls.count_tokens(PROMPT, choice, ANYBODY, _stay)


async def _stay() -> AsgiMessage:
    await asyncio.Event().wait()
    return {}


async def test_tokens_are_those_that_a_server_counts(caller: Caller) -> None:
    counting = asyncio.create_task(count(caller, choose("count_tokens")))

    async def is_queued() -> bool:
        return bool(await caller.scenario.redis.zcard(keys.queued_key()))

    await until(is_queued)
    task = await caller.scenario.take("w1")
    assert isinstance(task.work, Call)
    assert (task.work.operation, task.work.model) == ("count_tokens", "m")
    assert msgspec.json.decode(bytes(task.work.body), type=Prompt) == PROMPT
    await ResultStore(caller.scenario.store).write(task.answer, b'{"input_tokens":12}')
    await caller.scenario.sessions.finish(task, "DONE", END, None, forget=True)
    assert await counting == 12


@pytest.mark.parametrize("choice", [choose(), choose("embeddings"), choose("count_tokens", present=False)])
async def test_where_no_account_can_count_now_nobody_is_asked(caller: Caller, choice: ModelChoice) -> None:
    assert await count(caller, choice) is None
    assert await caller.scenario.redis.exists(keys.queued_key()) == 0


async def test_a_count_that_takes_too_long_is_none_and_is_stopped(caller: Caller) -> None:
    caller.calls = dataclasses.replace(caller.calls, count_limit=0.05)
    assert await count(caller, choose("count_tokens")) is None

    async def is_stopped() -> bool:
        return not await caller.scenario.redis.zcard(keys.queued_key())

    await until(is_stopped)
