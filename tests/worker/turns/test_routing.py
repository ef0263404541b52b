"""The account and the conversation that each attempt of a job gets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.support.worker.harness import ACCOUNTS, WorkerHarness, pool_on, settings_with
from wire.jobs import RETRY_AFTER
from wire.ledger import AccountSlot
from wire.messages import Chat, HistoryMessage
from wire.reasons import Reason
from wire.sessions import ClaimedJob
from worker.accounts.account import CookieAccount, ServerAccount
from worker.accounts.penalties import NO_PENALTY, penalty_for
from worker.accounts.pool import AccountPool, ReservationRequest
from worker.errors import UpstreamError
from worker.providers import SavedConversation
from worker.providers.registry import PROVIDERS, ProviderSpec
from worker.providers.transcript import History
from worker.turns.routing import AttemptRouter
from worker.turns.session_state import SessionState, encode

pytestmark = pytest.mark.anyio

EARLIER = (HistoryMessage("user", "one"), HistoryMessage("assistant", "first"))


@pytest.fixture
async def pool(harness: WorkerHarness) -> AsyncIterator[AccountPool]:
    pool = pool_on(harness.client.store, settings_with())
    await pool.announce()
    yield pool
    await pool.close(1)


def router(harness: WorkerHarness, pool: AccountPool, job: ClaimedJob, tries: int = 3) -> AttemptRouter:
    return AttemptRouter(pool, harness.sessions, job, tries, asyncio.get_running_loop().time() + 10)


async def reserve(attempts: AttemptRouter) -> str:
    """Reserve an account, free it at once, and return its name."""
    reservation = await attempts.reserve()
    await reservation.release(NO_PENALTY, sent=False)
    return reservation.account.name


async def test_a_saved_conversation_continues_at_its_account(harness: WorkerHarness, pool: AccountPool) -> None:
    job = harness.with_session(await harness.task(), encode(SessionState("b", b"old")), sent=3)
    attempts = router(harness, pool, job)
    attempts.restore_session()
    assert attempts.conversation == SavedConversation(b"old", 3)
    assert await reserve(attempts) == "b"
    assert (attempts.reset, attempts.starts_transcript) == (False, False)


async def test_a_conversation_whose_account_is_gone_is_reset(harness: WorkerHarness, pool: AccountPool) -> None:
    job = harness.with_session(await harness.task(), encode(SessionState("gone", b"old")), sent=3)
    attempts = router(harness, pool, job)
    attempts.restore_session()
    assert (attempts.conversation, attempts.reset) == (None, True)
    assert await reserve(attempts) in ("a", "b")


async def test_an_expired_session_starts_anew_at_its_account(harness: WorkerHarness, pool: AccountPool) -> None:
    job = harness.with_session(await harness.task(), encode(SessionState("b", b"old")), sent=3)
    attempts = router(harness, pool, job)
    attempts.restore_session()
    account = (await attempts.reserve()).account
    await attempts.prepare_retry(UpstreamError(Reason.SESSION_EXPIRED, refused=True), account, sent=True)
    assert (attempts.conversation, attempts.reset, attempts.starts_transcript) == (None, True, True)
    assert await reserve(attempts) == "b"


async def test_a_refused_account_is_not_asked_again(harness: WorkerHarness, pool: AccountPool) -> None:
    attempts = router(harness, pool, await harness.task())
    first = (await attempts.reserve()).account
    await attempts.prepare_retry(UpstreamError(Reason.ACCOUNT_CAPTCHA, refused=True), first, sent=True)
    second = (await attempts.reserve()).account
    assert {first.name, second.name} == {"a", "b"}
    await attempts.prepare_retry(UpstreamError(Reason.ACCOUNT_CAPTCHA, refused=True), second, sent=True)
    with pytest.raises(UpstreamError) as raised:
        await attempts.reserve()
    assert (raised.value.reason, raised.value.retry_after) == ("account.none", RETRY_AFTER)


async def test_the_last_try_ends_the_job(harness: WorkerHarness, pool: AccountPool) -> None:
    attempts = router(harness, pool, await harness.task(), tries=1)
    account = (await attempts.reserve()).account
    with pytest.raises(UpstreamError) as raised:
        await attempts.prepare_retry(UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True), account, sent=True)
    assert (raised.value.reason, raised.value.retry_after) == ("account.none", RETRY_AFTER)


async def test_a_busy_account_is_left_when_all_others_are_throttled(harness: WorkerHarness) -> None:
    accounts = [CookieAccount(name, {"_U": name}, turns=1) for name in ("a", "b")]
    pool = pool_on(harness.client.store, settings_with(), accounts)
    await pool.announce()
    held = await pool.reserve(AccountSlot("other", 1, "desk"), ReservationRequest(["b"]), 0.0)
    attempts = router(harness, pool, await harness.task(), tries=1)
    reservation = await attempts.reserve()
    error = UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True)
    await reservation.release(penalty_for(error, sent=True), sent=True)
    with pytest.raises(UpstreamError) as raised:
        await attempts.prepare_retry(error, reservation.account, sent=True)
    assert (raised.value.reason, raised.value.exhausted) == ("account.none", True)
    await held.release(NO_PENALTY, sent=False)
    await pool.close(1)


@pytest.mark.parametrize(("tries", "reason"), [(1, "account.none"), (2, "account.throttled")])
async def test_used_up_tries_are_a_limit_only_when_nobody_is_left(
    harness: WorkerHarness, pool: AccountPool, tries: int, reason: str
) -> None:
    attempts = router(harness, pool, await harness.task(), tries=tries)
    error = UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True)

    async def use_up() -> None:
        for _ in range(2):
            reservation = await attempts.reserve()
            await reservation.release(penalty_for(error, sent=True), sent=True)
            await attempts.prepare_retry(error, reservation.account, sent=True)

    with pytest.raises(UpstreamError) as raised:
        await use_up()
    assert raised.value.reason == reason


@pytest.mark.parametrize(("reason", "sent"), [(Reason.TRANSPORT_CLOSED, True), (Reason.QUESTION_REFUSED, False)])
async def test_a_failure_that_another_account_would_have_too_is_final(
    harness: WorkerHarness, pool: AccountPool, reason: Reason, sent: bool
) -> None:
    attempts = router(harness, pool, await harness.task())
    account, failure = (await attempts.reserve()).account, UpstreamError(reason)
    with pytest.raises(UpstreamError) as raised:
        await attempts.prepare_retry(failure, account, sent=sent)
    assert raised.value is failure


async def test_the_clients_own_history_is_used_instead_of_the_transcript(
    harness: WorkerHarness, pool: AccountPool
) -> None:
    job = replace(await harness.task(), work=Chat("balanced", "two", history=EARLIER, instructions="Be brief."))
    attempts = router(harness, pool, harness.with_session(job, encode(SessionState("a", b"old")), sent=1))
    attempts.restore_session()
    account = (await attempts.reserve()).account
    await attempts.prepare_retry(UpstreamError(Reason.ACCOUNT_CAPTCHA, refused=True), account, sent=True)
    assert await reserve(attempts) == "b"
    assert await attempts.load_history() == History("Be brief.", EARLIER)
    assert (attempts.reset, attempts.starts_transcript) == (False, True)


async def test_pictures_need_an_account_that_makes_them(harness: WorkerHarness, pool: AccountPool) -> None:
    await pool.replace([ServerAccount("local", "http://127.0.0.1:1/v1", "m")])
    with pytest.raises(UpstreamError) as raised:
        await router(harness, pool, await harness.picture()).reserve()
    assert raised.value.reason == "image.none"


async def test_pictures_are_not_asked_of_a_provider_that_makes_none(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its account names an image_model, and PROVIDER has it first."""
    monkeypatch.setitem(PROVIDERS, "parrot", ProviderSpec("no.such.module:Parrot", None, ServerAccount))
    polly = ServerAccount("polly", "http://127.0.0.1:1", "grey", image_model="green", provider="parrot")
    pool = pool_on(harness.client.store, settings_with(provider="parrot,edgegpt"), [polly, ACCOUNTS[0]])
    await pool.announce()
    await pool.refresh()
    assert {status.name for status in pool.own_statuses} == {"polly", "a", "a/images"}
    assert await reserve(router(harness, pool, await harness.task())) == "polly"
    assert await reserve(router(harness, pool, await harness.picture())) == "a"
    await pool.close(1)
