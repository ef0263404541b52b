"""The account and the conversation that each attempt of a job gets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.conditions import until
from tests.support.worker.harness import ACCOUNTS, WorkerHarness, pool_on, settings_with
from wire.jobs import RETRY_AFTER
from wire.ledger import AccountSlot
from wire.messages import Chat, HistoryMessage, Prompted
from wire.prompt import Message, Prompt, Text, Tool
from wire.reasons import Reason
from wire.sessions import ClaimedJob
from worker.accounts.account import CookieAccount, ServerAccount
from worker.accounts.config import Aliases
from worker.accounts.penalties import NO_PENALTY, penalty_for
from worker.accounts.pool import AccountPool
from worker.accounts.reservation import ReservationRequest
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
    assert await attempts.load_history() == History("Be brief.", EARLIER, client=job.asker)
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


def served(name: str, *models: str, turns: int | None = None) -> ServerAccount:
    return ServerAccount(name, f"http://{name}/v1", models[0], further_models=models[1:], turns=turns)


async def pool_of(
    harness: WorkerHarness, *accounts: ServerAccount | CookieAccount, **aliases: tuple[str, ...]
) -> AccountPool:
    pool = pool_on(harness.client.store, settings_with(), accounts)
    await pool.replace(accounts, Aliases(aliases))
    return pool


async def prompted(harness: WorkerHarness, model: str, text: str = "hello", **more: Any) -> ClaimedJob:
    messages = (Message("user", (Text(text),)),)
    work = Prompted("balanced", text, prompt=Prompt("chat", model, messages, **more))
    return replace(await harness.task(), work=work)


async def test_the_server_is_asked_for_the_real_name_of_the_model(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("s", "own", "org/m:latest"), fast=("org/m:latest",))
    options: dict[str, Any] = {"options": {"seed": 1}}
    for asked, real in [("fast", "org/m:latest"), ("m", "org/m:latest"), ("own", "own"), ("bing-creative", "own")]:
        attempts = router(harness, pool, await prompted(harness, asked, **options))
        assert await reserve(attempts) == "s"
        prompt = (await attempts.load_history()).prompt
        assert prompt is not None
        assert (attempts.model, prompt.model) == (real, real)
        assert attempts.style == ("creative" if asked == "bing-creative" else "balanced")


async def test_a_server_gets_a_prompt_in_a_style_as_text_where_that_says_all(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("s", "own"))
    for asked, text in [("bing-creative", True), ("own", False)]:
        attempts = router(harness, pool, await prompted(harness, asked))
        await reserve(attempts)
        assert ((await attempts.load_history()).prompt is None) == text


async def test_a_text_question_has_its_accounts_model_and_bings_has_none(harness: WorkerHarness) -> None:
    attempts = router(harness, await pool_of(harness, served("s", "own")), await harness.task())
    assert (await reserve(attempts), attempts.model) == ("s", "own")
    attempts = router(harness, await pool_of(harness, ACCOUNTS[0]), await harness.task())
    assert (await reserve(attempts), attempts.model) == ("a", "")


async def test_the_next_model_of_the_chain_follows_when_all_accounts_of_one_refused(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("one", "m"), served("two", "m"), served("three", "n"), both=("m", "n"))
    for _ in range(2):
        attempts = router(harness, pool, await prompted(harness, "both"), tries=9)
        asked = []
        for _ in range(3):
            reservation = await attempts.reserve()
            asked.append((reservation.account.name, attempts.model))
            await reservation.release(NO_PENALTY, sent=False)
            error = UpstreamError(Reason.UPSTREAM_BUSY, refused=True)
            error.elsewhere = True
            await attempts.prepare_retry(error, reservation.account, sent=True)
        assert {name for name, _ in asked[:2]} == {"one", "two"}
        assert [model for _, model in asked] == ["m", "m", "n"]
        with pytest.raises(UpstreamError) as raised:
            await attempts.reserve()
        assert (raised.value.reason, raised.value.exhausted) == ("upstream.busy", True)


async def test_an_account_is_asked_for_another_model_after_one_that_it_refused(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("s", "m", "n"), both=("m", "n"))
    attempts = router(harness, pool, await prompted(harness, "both"))
    reservation = await attempts.reserve()
    await reservation.release(NO_PENALTY, sent=False)
    await attempts.prepare_retry(UpstreamError(Reason.QUESTION_INVALID, refused=True), reservation.account, sent=True)
    assert (await reserve(attempts), attempts.model) == ("s", "n")


async def test_a_model_whose_accounts_stay_busy_gives_way_to_the_next(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("one", "m", turns=1), served("two", "n"), both=("m", "n"))
    await pool.reserve(AccountSlot("other", 1, "desk"), ReservationRequest(["one"]), 0.0)
    attempts = router(harness, pool, await prompted(harness, "both"))
    assert (await reserve(attempts), attempts.model) == ("two", "n")


async def test_a_conversation_with_a_model_stays_with_the_account_that_it_prefers(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, *(served(name, "m") for name in ("one", "two", "three")))
    seen: dict[int, str] = {}
    for number in range(12):
        for _ in range(3):
            attempts = router(harness, pool, await prompted(harness, "m", f"question {number}"))
            reservation = await attempts.reserve()
            await reservation.release(NO_PENALTY, sent=False)
            assert seen.setdefault(number, reservation.account.name) == reservation.account.name
    assert len(set(seen.values())) > 1


async def test_a_session_at_one_server_holds_no_prompt_there(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, *(served(name, "m") for name in ("one", "two", "three")))
    names = set()
    for before in ("one", "two", "three"):
        job = harness.with_session(await prompted(harness, "m"), encode(SessionState(before, b"")), sent=2)
        attempts = router(harness, pool, job)
        attempts.restore_session()
        reservation = await attempts.reserve()
        await reservation.release(NO_PENALTY, sent=False)
        names.add(reservation.account.name)
        assert (attempts.reset, attempts.starts_transcript) == (False, False)
    assert len(names) == 1


async def test_a_conversation_of_bings_that_needs_tools_is_carried_to_a_server(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, ACCOUNTS[0], served("s", "m"))
    tools: dict[str, Any] = {"tools": (Tool("function", "f"),)}
    for model, more in [("m", {}), ("bing-balanced", tools)]:
        job = await prompted(harness, model, **more)
        attempts = router(harness, pool, harness.with_session(job, encode(SessionState("a", b"old")), sent=2))
        attempts.restore_session()
        assert (await reserve(attempts), attempts.conversation) == ("s", None)


async def test_a_conversation_of_bings_continues_for_a_prompt_in_a_style(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, *ACCOUNTS, served("s", "m"))
    job = harness.with_session(await prompted(harness, "bing-precise"), encode(SessionState("b", b"old")), sent=2)
    attempts = router(harness, pool, job)
    attempts.restore_session()
    assert (await reserve(attempts), attempts.conversation) == ("b", SavedConversation(b"old", 2))
    assert (attempts.style, attempts.model) == ("precise", "bing-precise")


async def test_a_context_that_is_too_long_for_a_server_is_asked_once(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("s", "m"))
    job = await prompted(harness, "m")
    work = replace(job, work=Prompted("balanced", "two", history=EARLIER, prompt=job.work.prompt))  # type: ignore[union-attr]
    attempts = router(harness, pool, harness.with_session(work, encode(SessionState("s", b"")), sent=2))
    attempts.restore_session()
    account = (await attempts.reserve()).account
    with pytest.raises(UpstreamError) as raised:
        await attempts.prepare_retry(UpstreamError(Reason.SESSION_TOO_LONG, refused=True), account, sent=True)
    assert raised.value.reason == "session.toolong"


async def continued(harness: WorkerHarness, pool: AccountPool) -> AttemptRouter:
    """Return a router of a question in a conversation at the account `a`."""
    attempts = router(harness, pool, harness.with_session(await harness.task(), encode(SessionState("a", b"old")), 2))
    attempts.restore_session()
    return attempts


async def test_of_many_turns_that_wait_for_their_account_the_others_take_one_with_room(harness: WorkerHarness) -> None:
    store = harness.client.store
    pool = pool_on(store, settings_with(account_turns=1))
    await pool.announce()
    held = await pool.reserve(AccountSlot("other", 1, "desk"), ReservationRequest(["a"]), 0.0)
    patient, other = await continued(harness, pool), await continued(harness, pool)
    waiting = asyncio.create_task(patient.reserve())
    await until(lambda: store.calls.count("reserve") >= 3)
    assert (await reserve(other), other.conversation, other.reset) == ("b", None, True)
    await held.release(NO_PENALTY, sent=False)
    assert ((await waiting).account.name, patient.conversation, patient.reset) == (
        "a",
        SavedConversation(b"old", 2),
        False,
    )


async def test_a_turn_whose_account_is_the_only_one_keeps_its_conversation(harness: WorkerHarness) -> None:
    store = harness.client.store
    pool = pool_on(store, settings_with(account_turns=1), ACCOUNTS[:1])
    await pool.announce()
    held = await pool.reserve(AccountSlot("other", 1, "desk"), ReservationRequest(["a"]), 0.0)
    turns = [await continued(harness, pool) for _ in range(3)]
    waiting = [asyncio.create_task(reserve(turn)) for turn in turns]
    await until(lambda: store.calls.count("reserve") >= 6)
    assert pool.room == 0
    await held.release(NO_PENALTY, sent=False)
    assert await asyncio.gather(*waiting) == ["a"] * 3
    assert [turn.reset for turn in turns] == [False] * 3


async def note_failure(attempts: AttemptRouter, job: ClaimedJob) -> None:
    """Let a question of the job's client fail at the account that it gets."""
    reservation, failure = await attempts.reserve(), penalty_for(UpstreamError(Reason.TRANSPORT_CLOSED), sent=True)
    await reservation.release(failure.attribute(job.asker, attempts.measure_prompt()), sent=True)


@pytest.mark.parametrize(("names", "next_account"), [(("one", "two"), "two"), (("one",), "one")])
async def test_a_servers_conversation_continues_elsewhere_after_a_failure(
    harness: WorkerHarness, names: tuple[str, ...], next_account: str
) -> None:
    pool = await pool_of(harness, *(served(name, "m") for name in names))
    job = replace(await harness.task(), work=Chat("balanced", "two", history=EARLIER))
    job = harness.with_session(job, encode(SessionState("one", b"")), sent=1)
    for expected in ("one", next_account):
        attempts = router(harness, pool, job)
        attempts.restore_session()
        reservation = await attempts.reserve()
        assert (reservation.account.name, attempts.reset) == (expected, False)
        failure = penalty_for(UpstreamError(Reason.TIMEOUT_FIRST), sent=True)
        await reservation.release(failure.attribute(job.asker, 1), sent=True)


async def test_a_model_that_failed_a_client_gives_way_to_the_next_for_it_alone(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("one", "m"), served("two", "n"), both=("m", "n"))
    job = await prompted(harness, "both")
    await note_failure(router(harness, pool, job), job)
    attempts = router(harness, pool, job)
    assert (await reserve(attempts), attempts.model) == ("two", "n")
    attempts = router(harness, pool, await prompted(harness, "both"))
    assert (await reserve(attempts), attempts.model) == ("one", "m")


async def test_a_prompts_size_is_that_of_the_request_and_the_transcript(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("s", "m"))
    job = await prompted(harness, "m", "x" * 1000)
    attempts = router(harness, pool, job)
    await reserve(attempts)
    assert 2000 < attempts.measure_prompt() < 3000
    job = replace(await harness.task(), work=Chat("balanced", "two", history=(HistoryMessage("user", "字" * 1000),)))
    assert 3000 < router(harness, pool, job).measure_prompt() < 3500


async def test_a_servers_only_account_keeps_its_conversation_after_a_failure(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("one", "m"))
    job = harness.with_session(await harness.task(), encode(SessionState("one", b"")), sent=1)
    for _ in range(2):
        attempts = router(harness, pool, job)
        attempts.restore_session()
        await note_failure(attempts, job)
        assert (attempts.reset, attempts.conversation) == (False, SavedConversation(b"", 1))


async def test_a_conversation_stays_where_a_question_failed_if_the_others_are_away(harness: WorkerHarness) -> None:
    pool = await pool_of(harness, served("one", "m"), served("two", "m"))
    away = await pool.reserve(AccountSlot("other", 1, "desk"), ReservationRequest(["two"]), 0.0)
    await away.release(penalty_for(UpstreamError(Reason.ACCOUNT_REFUSED), sent=True), sent=True)
    job = harness.with_session(await harness.task(), encode(SessionState("one", b"")), sent=1)
    for _ in range(2):
        attempts = router(harness, pool, job)
        attempts.restore_session()
        reservation = await attempts.reserve()
        assert reservation.account.name == "one"
        failure = penalty_for(UpstreamError(Reason.TIMEOUT_FIRST), sent=True)
        await reservation.release(failure.attribute(job.asker, 1), sent=True)


async def test_a_transcript_that_was_read_counts_for_a_prompts_size(harness: WorkerHarness, pool: AccountPool) -> None:
    attempts = router(harness, pool, await harness.task())
    before = attempts.measure_prompt()
    attempts._history = (HistoryMessage("user", "x" * 1000),)
    assert attempts.measure_prompt() - before > 1000
