"""Handing questions over: the same steps for every protocol."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.answering.drain import ActiveRequests
from gateway.answering.idempotency import Idempotency, RequestKey
from gateway.answering.relay import Relay
from gateway.answering.submit import Questions
from gateway.errors import DrainingError, KeyLengthError
from gateway.ops.metrics import first_text_histogram
from gateway.settings import GatewaySettings
from tests.support.redis_client import redis_client
from wire import keys
from wire.answers import Answers
from wire.errors import KeyReusedError, TokenUnknownError
from wire.hmac_secret import HmacSecret
from wire.jobs import ANYBODY, Client, Jobs
from wire.messages import Chat
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ALICE = Client("key:alice", "alice")
HI = Chat("balanced", "hi")
KEY = RequestKey("key", "/api", "")


@asynccontextmanager
async def questions(store: Store) -> AsyncIterator[Questions]:
    jobs = Jobs(store, GatewaySettings())
    async with Answers(store) as answers:
        relay = Relay(jobs, answers, ActiveRequests(), 60, 60, first_text_histogram())
        yield Questions(relay, Idempotency(HmacSecret(store, b"s" * 32)))
    await jobs.close()


async def queued(store: Store) -> int:
    count: int = await redis_client(store).zcard(keys.queued_key())
    return count


async def test_a_question_without_a_token_begins_a_conversation(store: Store) -> None:
    async with questions(store) as service:
        first = await service.submit(HI, ALICE, token=None)
        second = await service.submit(HI, ALICE, token=first.token)
        assert (first.new, second.new, second.token) == (True, True, first.token)
        assert len({first.answer_id, second.answer_id}) == 2
        with pytest.raises(TokenUnknownError):
            await service.submit(HI, ALICE, token="nobody-knows-it")
        assert (await service.submit(HI, ALICE, token="of-the-client", create=True)).token == "of-the-client"


async def test_a_key_has_one_answer_and_one_conversation(store: Store) -> None:
    async with questions(store) as service:
        first = await service.submit(HI, ALICE, token=None, key=KEY)
        again = await service.submit(HI, ALICE, token=None, key=KEY)
        assert (again.answer_id, again.token, again.new) == (first.answer_id, first.token, False)
        assert await queued(store) == 1
        with pytest.raises(KeyReusedError):
            await service.submit(Chat("balanced", "another"), ALICE, token=None, key=KEY)


@pytest.mark.parametrize(
    "key", [RequestKey("key", "/image", ""), RequestKey("key", "/api", "", "token"), RequestKey("k", "/api", "")]
)
async def test_another_endpoint_conversation_or_key_has_another_answer(store: Store, key: RequestKey) -> None:
    async with questions(store) as service:
        first = await service.submit(HI, ALICE, token=None, key=KEY)
        other = await service.submit(HI, ALICE, token=None, key=key)
        assert (other.new, other.answer_id != first.answer_id) == (True, True)


async def test_nothing_is_submitted_in_a_drain(store: Store) -> None:
    async with questions(store) as service:
        service.relay.active_requests.drain()
        for key in (None, KEY):
            with pytest.raises(DrainingError):
                await service.submit(HI, ALICE, token=None, key=key)
        assert await queued(store) == 0


@pytest.mark.parametrize(("client", "value"), [(Client("address:1"), "k" * 15), (ALICE, "k" * 256)])
async def test_a_key_has_a_length(store: Store, client: Client, value: str) -> None:
    async with questions(store) as service:
        with pytest.raises(KeyLengthError):
            await service.submit(HI, client, token=None, key=RequestKey(value, "/api", ""))


async def test_a_question_is_asked_when_its_subscription_is_entered(store: Store) -> None:
    async with questions(store) as service:
        submission, subscription = service.ask(HI, ALICE, token=None)
        assert await queued(store) == 0
        async with subscription:
            assert await queued(store) == 1
            assert await service.relay.answers.read_token(submission.answer_id, "alice") == submission.token


async def test_a_question_that_is_refused_is_not_followed(store: Store) -> None:
    async with questions(store) as service:
        _, subscription = service.ask(HI, ALICE, token="nobody-knows-it")
        with pytest.raises(TokenUnknownError):
            async with subscription:
                raise AssertionError
        assert service.relay.answers.followed_count == 0


async def test_a_submission_is_followed_from_its_first_event(store: Store) -> None:
    async with questions(store) as service:
        submission = await service.submit(HI, ALICE, token=None)
        await service.relay.jobs.stop(submission.answer_id, "alice")
        async with service.follow(submission, ANYBODY) as events:
            assert [event.seq async for event in events] == [1]
        async with service.follow(submission, ANYBODY, after=1) as events:
            assert [event async for event in events] == []
