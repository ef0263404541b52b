import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from itertools import accumulate

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.wire.ledger_clock import advance
from tests.support.worker.harness import ACCOUNTS, Away, WorkerHarness, pool_on, report_nothing, settings_with
from tests.support.worker.scripted_provider import Ask, Only, Pictures, Play, ScriptedProvider, echo
from wire.about import About
from wire.answers import QueuePosition
from wire.blocks import Block, Piece
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, StoreUnavailableError
from wire.jobs import new_token
from wire.ledger import Ledger
from wire.messages import Chat, Delta, Event, Failed, Final, Prompted, Replace, Source, TurnCount, Usage
from wire.pictures import PictureStore, picture_id
from wire.prompt import Message, Prompt, Text
from wire.reasons import Reason
from wire.response_memory import ResponseMemory, StoredResponse
from wire.sessions import ClaimedJob
from wire.terminal_events import INTERRUPTED
from worker.accounts.account import CookieAccount, ServerAccount
from worker.accounts.pool import AccountPool
from worker.errors import ACCOUNT_REASONS, UpstreamError
from worker.providers import ChatUpdate, Completion, Growth, Snapshot
from worker.providers.registry import Upstream
from worker.settings import WorkerSettings
from worker.turns.outcome import Outcome, interrupted
from worker.turns.session_state import SessionState, decode, encode
from worker.turns.turn import Turn

pytestmark = pytest.mark.anyio

THIRD = CookieAccount("c", {"_U": "c"})


@dataclass
class Shop:
    """A harness with an upstream: runs turns and ends them."""

    harness: WorkerHarness
    provider: ScriptedProvider
    pictures: Pictures
    pool: AccountPool
    settings: WorkerSettings
    holds: bool = True
    # The one that was asked for last.
    answer: str = ""

    def turn(self, task: ClaimedJob) -> Turn:
        upstream = Upstream(self.settings, self.pool, Only(self.provider, self.pictures))
        return Turn(upstream, self.harness.sessions, task, lambda: self.holds, report_nothing)

    async def outcome(self, play: Play = echo, question: str = "hello", token: str | None = None) -> Outcome:
        """Ask with this script, and end the turn."""
        self.provider.play = play
        task = await self.harness.task(question, token)
        self.answer = task.answer
        turn = self.turn(task)
        outcome = await turn.run()
        await self.harness.sessions.finish(
            task,
            outcome.state,
            outcome.event,
            outcome.session,
            exchange=outcome.transcript(task.work),
            begins=outcome.starts_transcript,
            rest=outcome.rest,
        )
        return outcome

    async def events(self) -> list[Event]:
        """Return the events of the answer that was asked for last."""
        return await self.harness.client.events(self.answer)

    async def cancel_turn(self, task: ClaimedJob, reached: asyncio.Event) -> None:
        """Run a turn, and cancel it once it has got so far; it ends with the cancellation."""
        running = asyncio.create_task(self.turn(task).run())
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    async def give_back(self, *accounts: str) -> None:
        """Nothing speaks against these accounts any more."""
        for account in accounts:
            await Ledger(self.harness.client.store).execute_order(account, "reset")

    async def state(self, task: ClaimedJob) -> str:
        return await self.harness.client.state(task.answer)


@pytest.fixture
async def shop(harness: WorkerHarness) -> AsyncIterator[Shop]:
    settings = settings_with()
    pool = pool_on(harness.client.store, settings)
    await pool.announce()
    yield Shop(harness, ScriptedProvider(), Pictures(), pool, settings)
    await pool.close(1)


def final(outcome: Outcome) -> Final:
    assert outcome.state == "DONE"
    assert isinstance(outcome.event, Final), outcome.event
    return outcome.event


def failed(outcome: Outcome) -> Failed:
    assert outcome.state == "FAILED"
    assert isinstance(outcome.event, Failed), outcome.event
    return outcome.event


def saved(outcome: Outcome) -> SessionState:
    assert outcome.session is not None
    session = decode(outcome.session)
    assert session is not None
    return session


def refusing(reason: Reason, *accounts: str, sent: bool = True) -> Play:
    """Accounts that refuse with the reason, after the question has left or before; others answer."""

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        if ask.account not in accounts:
            async for update in echo(ask):
                yield update
            return
        if sent:
            await ask.send()
        raise UpstreamError(reason, "the upstream's words", refused=True)

    return play


def failing_unsent(reason: Reason, *accounts: str) -> Play:
    """Accounts that can't be reached; others answer."""

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        if ask.account in accounts:
            raise UpstreamError(reason, "the way there")
        async for update in echo(ask):
            yield update

    return play


def completing(completed: Completion, *snapshots: str) -> Play:
    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        for text in snapshots:
            yield Snapshot(text)
        yield completed

    return play


def failing(error: Callable[[], BaseException], *snapshots: str) -> Play:
    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        for text in snapshots:
            yield Snapshot(text)
        raise error()

    return play


# Answers


async def test_an_answer_is_published_and_ends_with_all_that_came_with_it(shop: Shop) -> None:
    urls, turns = (Source("A page", "https://example.com/"),), TurnCount(1, 5)
    outcome = await shop.outcome(completing(Completion("one two", b"state", urls, ("and?",), turns), "one"))
    assert final(outcome) == Final("one two", urls, False, ("and?",), turns)
    assert saved(outcome) == SessionState("a", b"state")
    assert await shop.events() == [Delta("one two"), final(outcome)]


async def test_text_that_is_known_only_at_the_end_goes_out_as_a_delta(shop: Shop) -> None:
    outcome = await shop.outcome(completing(Completion("all at once", b"state")))
    assert await shop.events() == [Delta("all at once"), final(outcome)]
    assert final(outcome).text == "all at once"


async def test_a_text_that_the_upstream_replaced_ends_as_replaced(shop: Shop) -> None:
    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        yield Snapshot("a draft")
        await until(lambda: shop.harness.client.store.calls.count("append") == 1)
        yield Completion("the answer", b"state")

    outcome = await shop.outcome(play)
    assert final(outcome).text == "the answer"
    assert await shop.events() == [Delta("a draft"), Replace("the answer"), final(outcome)]


async def test_the_next_question_continues_the_conversation_at_its_account(shop: Shop) -> None:
    token = new_token()
    for question in ("one", "two", "three"):
        outcome = await shop.outcome(question=question, token=token)
        assert not final(outcome).reset
        assert saved(outcome) == SessionState("a", b"conversation 1")
    assert [(arrival.state, arrival.sent, arrival.account) for arrival in shop.provider.arrived] == [
        (b"conversation 1", 0, "a"),
        (b"conversation 1", 1, "a"),
        (b"conversation 1", 2, "a"),
    ]


async def test_style_and_question_reach_the_provider(shop: Shop) -> None:
    await shop.outcome(question="why?")
    [ask] = shop.provider.asks
    assert (ask.style, ask.question, ask.conversation) == ("balanced", "why?", None)


async def test_an_empty_answer_is_a_failure(shop: Shop) -> None:
    outcome = await shop.outcome(completing(Completion("", b"state")))
    assert failed(outcome) == Failed("answer.empty")
    assert outcome.session is None


async def test_an_answer_that_is_cut_before_anything_is_whole_is_an_empty_one(shop: Shop) -> None:
    usage = Usage(10, 5)
    outcome = await shop.outcome(completing(Completion("", b"state", finish="length", usage=usage)))
    assert isinstance(outcome.event, Final)
    assert (outcome.event.all_blocks, outcome.event.end_reason, outcome.event.usage) == ((), "length", usage)


async def test_what_a_refusal_names_of_the_request_is_in_the_end(shop: Shop) -> None:
    def refuse() -> UpstreamError:
        error = UpstreamError(Reason.QUESTION_INVALID, refused=True, words="no")
        error.param = "top_k"
        return error

    outcome = await shop.outcome(failing(refuse))
    assert (failed(outcome).detail, failed(outcome).param) == ("no", "top_k")


@pytest.mark.parametrize(
    "text", ["[^1^]", 're.sub(r"[^abc^]", "", text)', "I’m still learning 我还在学习", " \n", "\0\x1e"]
)
async def test_text_arrives_code_point_for_code_point_and_resets_nothing(shop: Shop, text: str) -> None:
    outcome = await shop.outcome(completing(Completion(text, b"state"), *accumulate(text)))
    assert (final(outcome).text, final(outcome).reset) == (text, False)
    assert "".join(event.text for event in await shop.events() if isinstance(event, Delta)) == text


async def test_an_upstream_that_gives_up_resets_the_conversation(shop: Shop) -> None:
    token = new_token()
    outcome = await shop.outcome(completing(Completion("Sorry.", None), "Sorry."), token=token)
    assert final(outcome).reset
    assert outcome.session is None
    following = await shop.outcome(token=token)
    assert not final(following).reset
    assert shop.provider.asks[-1].conversation is None


async def test_a_conversation_that_cannot_go_on_resets(shop: Shop) -> None:
    outcome = await shop.outcome(completing(Completion("The last answer.", None)))
    assert final(outcome).reset
    assert outcome.session is None


async def test_a_reset_by_an_earlier_attempt_is_reported(shop: Shop) -> None:
    task = await shop.harness.task()
    from_before = ClaimedJob(task.lease, task.answer, task.work, reset=True)
    assert final(await shop.turn(from_before).run()).reset


async def test_a_session_whose_account_is_gone_begins_afresh_with_another(shop: Shop) -> None:
    task = shop.harness.with_session(await shop.harness.task(), encode(SessionState("gone", b"old")), sent=3)
    outcome = await shop.turn(task).run()
    assert final(outcome).reset
    assert saved(outcome) == SessionState("a", b"conversation 1")


async def test_a_session_that_cannot_be_read_begins_afresh(shop: Shop) -> None:
    task = shop.harness.with_session(await shop.harness.task(), b"what is this", sent=3)
    assert final(await shop.turn(task).run()).reset
    assert shop.provider.asks[0].conversation is None


async def test_new_sessions_are_spread_over_the_accounts(shop: Shop) -> None:
    for _ in range(4):
        await shop.outcome()
    assert [arrival.account for arrival in shop.provider.arrived] == ["a", "b", "a", "b"]


# The mark


async def test_the_job_is_marked_before_the_question_leaves(shop: Shop) -> None:
    task = await shop.harness.task()
    states: list[str] = []

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        states.append(await shop.state(task))
        await ask.send()
        states.append(await shop.state(task))
        yield Completion("done", b"state")

    shop.provider.play = play
    await shop.turn(task).run()
    assert states == ["CLAIMED", "SENT"]


async def test_a_further_attempt_has_a_mark_of_its_own(shop: Shop) -> None:
    task = await shop.harness.task()
    states: list[str] = []

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        states.append(await shop.state(task))
        await ask.send()
        states.append(await shop.state(task))
        async for update in refusing(Reason.ACCOUNT_THROTTLED, "a", sent=False)(ask) if ask.account == "a" else done():
            yield update

    async def done() -> AsyncIterator[ChatUpdate]:
        yield Completion("done", b"state")

    shop.provider.play = play
    final(await shop.turn(task).run())
    assert states == ["CLAIMED", "SENT", "CLAIMED", "SENT"]


async def test_nothing_is_sent_when_the_heartbeat_is_too_old(shop: Shop) -> None:
    task = await shop.harness.task()
    shop.holds = False
    with pytest.raises(LeaseLostError):
        await shop.turn(task).run()
    assert shop.provider.arrived == []


async def test_nothing_is_sent_when_the_lease_is_lost(shop: Shop) -> None:
    task = await shop.harness.task()
    await shop.harness.sessions.release(task.lease)
    with pytest.raises(LeaseLostError):
        await shop.turn(task).run()
    assert shop.provider.arrived == []


async def test_nothing_is_sent_when_the_answer_has_ended(shop: Shop) -> None:
    task = await shop.harness.task()
    await shop.harness.sessions.finish(task, "FAILED", INTERRUPTED, None)
    turn = shop.turn(task)
    with pytest.raises(AnswerEndedError):
        await turn.run()
    assert shop.provider.arrived == []
    assert turn.stopped_outcome() == Outcome("STOPPED", INTERRUPTED, task.session)


async def test_what_was_sent_of_an_abandoned_turn_resets_the_conversation(shop: Shop) -> None:
    task = shop.harness.with_session(await shop.harness.task(), encode(SessionState("a", b"old")), sent=3)
    turn = shop.turn(task)

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        await shop.harness.sessions.finish(task, "STOPPED", Final("", stopped=True), None)
        yield Snapshot("too late")
        await until(lambda: shop.harness.client.store.calls.count("append") == 1)
        yield Completion("too late", b"state")

    shop.provider.play = play
    with pytest.raises(AnswerEndedError):
        await turn.run()
    assert turn.stopped_outcome().session is None


@pytest.mark.parametrize("lost", ["call", "reply"])
async def test_a_mark_that_redis_did_not_confirm_is_written_again(shop: Shop, lost: str) -> None:
    task, away = await shop.harness.task(), Away(2)
    store = shop.harness.client.store
    (store.before if lost == "call" else store.after)["mark_sent"] = away
    final(await shop.turn(task).run())
    assert away.met == 2
    assert shop.provider.questions == ["hello"]


@pytest.mark.parametrize("lost", ["call", "reply"])
async def test_a_refusal_that_redis_did_not_confirm_is_reported_again(shop: Shop, lost: str) -> None:
    task, away = await shop.harness.task(), Away(2)
    store = shop.harness.client.store
    (store.before if lost == "call" else store.after)["refused"] = away
    shop.provider.play = refusing(Reason.ACCOUNT_THROTTLED, "a")
    final(await shop.turn(task).run())
    assert away.met == 2
    assert shop.provider.questions == ["hello", "hello"]


async def test_a_redis_that_stays_away_after_a_refusal_is_given_up(shop: Shop) -> None:
    shop.settings = settings_with(answer_timeout=0.5)
    task = await shop.harness.task()
    shop.harness.client.store.before["refused"] = Away()
    shop.provider.play = refusing(Reason.ACCOUNT_THROTTLED, "a")
    with pytest.raises(StoreUnavailableError):
        await shop.turn(task).run()


async def test_a_redis_that_is_away_before_the_mark_ends_the_turn_in_time(shop: Shop) -> None:
    """Within the limit for the first text."""
    shop.settings = settings_with(first_text_timeout=0.05)
    shop.harness.client.store.before["mark_sent"] = Away()
    assert failed(await shop.outcome()).reason == "timeout.first"
    assert shop.provider.arrived == []


async def test_state_that_redis_lost_ends_the_turn(shop: Shop) -> None:
    task = await shop.harness.task()
    turn = shop.turn(task)

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        store = shop.harness.client.store
        await redis_client(store).delete(*[key async for key in redis_client(store).scan_iter(match="*:job:*")])
        yield Snapshot("too late")
        await until(lambda: store.calls.count("append") == 1)
        yield Completion("too late", b"state")

    shop.provider.play = play
    with pytest.raises(StateLostError) as lost:
        await turn.run()
    assert failed(interrupted(lost.value)).reason == "state.lost"
    assert interrupted(LeaseLostError()) == Outcome("FAILED", INTERRUPTED, None)


# Refusals


@pytest.mark.parametrize("reason", sorted(ACCOUNT_REASONS))
@pytest.mark.parametrize("sent", [True, False])
async def test_a_refused_account_gives_way_to_another(shop: Shop, reason: Reason, sent: bool) -> None:
    outcome = await shop.outcome(refusing(reason, "a", sent=sent))
    assert final(outcome).text == "you asked: hello"
    assert not final(outcome).reset
    assert saved(outcome).account == "b"
    assert [ask.account for ask in shop.provider.asks] == ["a", "b"]


async def test_a_conversation_that_moves_to_another_account_continues_with_its_history(shop: Shop) -> None:
    token = new_token()
    await shop.outcome(question="one", token=token)
    await shop.outcome(question="two", token=token)
    outcome = await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a"), question="three", token=token)
    assert not final(outcome).reset
    assert saved(outcome) == SessionState("b", b"conversation 4")
    context = shop.provider.arrived[-1].context
    assert context.index("one") < context.index("you asked: one") < context.index("two")
    assert "three" not in context
    following = await shop.outcome(question="four", token=token)
    assert not final(following).reset
    last = shop.provider.arrived[-1]
    assert (last.state, last.sent, last.context) == (b"conversation 4", 1, "")


async def test_a_conversation_moves_on_with_all_that_was_said_at_each_account(shop: Shop) -> None:
    token = new_token()
    await shop.outcome(question="one", token=token)
    await shop.outcome(refusing(Reason.ACCOUNT_CAPTCHA, "a"), question="two", token=token)
    await shop.pool.replace([*ACCOUNTS, THIRD])
    outcome = await shop.outcome(refusing(Reason.ACCOUNT_CAPTCHA, "b"), question="three", token=token)
    assert not final(outcome).reset
    last = shop.provider.arrived[-1]
    assert last.account == "c"
    assert "you asked: one" in last.context
    assert "you asked: two" in last.context


async def test_a_conversation_with_a_part_that_can_not_be_replayed_is_reset(shop: Shop) -> None:
    shop.harness.sessions = replace(shop.harness.sessions, transcript_limit=90)
    token = new_token()
    await shop.outcome(question="one", token=token)
    await shop.outcome(question="two", token=token)
    outcome = await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a"), question="three", token=token)
    assert final(outcome).reset
    assert "one" not in shop.provider.arrived[-1].context
    assert "two" in shop.provider.arrived[-1].context


async def test_a_fresh_conversation_gets_nothing_of_the_one_that_was_reset(shop: Shop) -> None:
    token = new_token()
    await shop.outcome(question="one", token=token)
    await shop.outcome(completing(Completion("The last answer.", None)), question="two", token=token)
    await shop.outcome(question="three", token=token)
    await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a", "b"), question="four", token=token)
    await shop.give_back("a", "b")
    await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a"), question="five", token=token)
    assert not any("one" in arrival.context for arrival in shop.provider.arrived)


async def test_a_conversation_whose_account_pauses_shortly_waits_for_it(shop: Shop) -> None:
    token = new_token()
    await shop.outcome(question="one", token=token)
    await shop.outcome(failing_unsent(Reason.TRANSPORT_CONNECT, "b"), question="other")
    outcome = await shop.outcome(question="two", token=token)
    assert saved(outcome).account == "a"


async def test_a_conversation_whose_account_was_taken_away_is_reset(shop: Shop) -> None:
    token = new_token()
    first = await shop.outcome(question="one", token=token)
    await shop.pool.replace([account for account in ACCOUNTS if account.name != saved(first).account])
    outcome = await shop.outcome(question="two", token=token)
    assert final(outcome).reset
    assert shop.provider.arrived[-1].context == ""


async def test_a_question_that_never_left_is_asked_at_another_account(shop: Shop) -> None:
    outcome = await shop.outcome(failing_unsent(Reason.TRANSPORT_CONNECT, "a"))
    assert final(outcome).text == "you asked: hello"
    assert [ask.account for ask in shop.provider.asks] == ["a", "b"]
    assert [arrival.account for arrival in shop.provider.arrived] == ["b"]


async def test_a_trouble_that_all_accounts_meet_is_reported_as_it_is(shop: Shop) -> None:
    outcome = await shop.outcome(failing_unsent(Reason.TRANSPORT_CONNECT, "a", "b"))
    assert failed(outcome) == Failed("transport.connect")
    assert len(shop.provider.asks) == 2


async def test_no_more_accounts_are_tried_than_allowed(shop: Shop) -> None:
    shop.settings = settings_with(account_tries=1)
    outcome = await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a"))
    assert failed(outcome) == Failed("account.none", reset=False, retry_after=5, exhausted=True)
    assert len(shop.provider.asks) == 1


async def test_each_account_is_asked_once_and_then_the_pool_is_exhausted(shop: Shop) -> None:
    outcome = await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a", "b"))
    assert failed(outcome) == Failed("account.throttled", reset=False, retry_after=24 * 3600)
    assert [ask.account for ask in shop.provider.asks] == ["a", "b"]


async def test_an_exhausted_pool_keeps_the_conversation(shop: Shop) -> None:
    token = new_token()
    before = await shop.outcome(token=token)
    outcome = await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a", "b"), token=token)
    assert failed(outcome).reason == "account.throttled"
    assert outcome.session == before.session
    await shop.give_back("a", "b")
    following = await shop.outcome(token=token)
    assert not final(following).reset
    assert shop.provider.arrived[-1].state == b"conversation 1"


async def test_one_throttled_account_says_more_than_what_the_others_have(shop: Shop) -> None:
    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        raise UpstreamError(Reason.ACCOUNT_THROTTLED if ask.account == "a" else Reason.ACCOUNT_CAPTCHA, refused=True)
        yield Snapshot("")

    assert failed(await shop.outcome(play)).reason == "account.throttled"


@pytest.mark.parametrize("reason", [Reason.ACCOUNT_CAPTCHA, Reason.ACCOUNT_UNAUTHORIZED])
async def test_accounts_that_all_refuse_otherwise_are_none(shop: Shop, reason: Reason) -> None:
    outcome = await shop.outcome(refusing(reason, "a", "b", sent=False))
    assert failed(outcome) == Failed("account.none", reset=False, retry_after=5)
    assert len(shop.provider.asks) == 2


async def test_a_pool_without_accounts_is_busy(shop: Shop) -> None:
    shop.pool = pool_on(shop.harness.client.store, shop.settings, [])
    outcome = await shop.outcome()
    assert failed(outcome) == Failed("account.none", reset=False, retry_after=5)
    assert shop.provider.asks == []


async def test_an_expired_session_is_begun_afresh_on_its_account_once(shop: Shop) -> None:
    token = new_token()
    await shop.outcome(token=token)

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        if ask.conversation is not None:
            await ask.send()
            raise UpstreamError(Reason.SESSION_EXPIRED, refused=True)
        async for update in echo(ask):
            yield update

    outcome = await shop.outcome(play, token=token)
    assert final(outcome).reset
    assert saved(outcome) == SessionState("a", b"conversation 3")
    assert [ask.account for ask in shop.provider.asks] == ["a", "a", "a"]
    assert [arrival.sent for arrival in shop.provider.arrived] == [0, 1, 0]


async def test_a_session_that_expires_again_at_once_is_an_error(shop: Shop) -> None:
    token = new_token()
    await shop.outcome(token=token)
    outcome = await shop.outcome(refusing(Reason.SESSION_EXPIRED, "a", "b"), token=token)
    assert failed(outcome) == Failed("session.expired")
    assert len(shop.provider.asks) == 3
    assert outcome.session is None


async def test_a_refusal_after_text_is_final(shop: Shop) -> None:
    outcome = await shop.outcome(failing(lambda: UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True), "some text"))
    assert failed(outcome) == Failed("account.throttled", "some text")
    assert len(shop.provider.asks) == 1
    assert outcome.session is None


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.ACCOUNT_NONE}))
async def test_what_was_not_refused_is_never_asked_again(shop: Shop, reason: Reason) -> None:
    outcome = await shop.outcome(failing(lambda: UpstreamError(reason, "its own words")))
    assert failed(outcome) == Failed(reason)
    assert outcome.session is None
    assert len(shop.provider.asks) == 1


@pytest.mark.parametrize("reason", [Reason.SESSION_DISENGAGED, Reason.UPSTREAM_INTERNAL, Reason.IMAGE_BLOCKED])
async def test_a_refusal_for_a_reason_of_its_own_is_not_asked_again(shop: Shop, reason: Reason) -> None:
    outcome = await shop.outcome(refusing(reason, "a", "b"))
    assert failed(outcome).retry_after is None
    assert len(shop.provider.asks) == 1


async def test_a_refused_account_gets_no_questions_until_it_returns(shop: Shop) -> None:
    await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a"))
    await shop.outcome()
    await shop.give_back("a")
    await shop.outcome()
    assert [ask.account for ask in shop.provider.asks] == ["a", "b", "b", "a"]


async def test_the_text_before_an_error_is_kept(shop: Shop) -> None:
    task = await shop.harness.task()
    shop.provider.play = failing(lambda: UpstreamError(Reason.TRANSPORT_CLOSED), "half [^1")
    outcome = await shop.turn(task).run()
    assert failed(outcome) == Failed("transport.closed", "half [^1")
    events = await shop.harness.client.so_far(task.answer)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "half [^1"


# Oddities


async def test_a_provider_that_raises_anything_is_one_error(shop: Shop) -> None:
    with capture_logs() as logs:
        outcome = await shop.outcome(failing(lambda: ZeroDivisionError("oops"), "some text"))
    assert failed(outcome) == Failed("upstream.protocol", "some text")
    assert [line["event"] for line in logs if "maxmemory" not in line["event"]] == [
        "question accepted",
        "question sent",
        "provider failed",
        "turn failed",
    ]


async def test_a_provider_that_ends_without_an_end_is_one_error(shop: Shop) -> None:
    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        yield Snapshot("some text")

    outcome = await shop.outcome(play)
    assert failed(outcome) == Failed("upstream.protocol", "some text")


async def test_nothing_counts_after_the_end(shop: Shop) -> None:
    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        async for update in echo(ask):
            yield update
        raise ZeroDivisionError

    assert final(await shop.outcome(play)).text == "you asked: hello"
    assert shop.provider.running.total() == 0


async def test_questions_stay_out_of_the_log(shop: Shop) -> None:
    with capture_logs() as logs:
        await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a", "b"), question="my secret")
        await shop.outcome(failing(ZeroDivisionError), question="my secret")
    assert logs
    assert "my secret" not in repr([line for line in logs if line["log_level"] != "debug"])


# Limits of time


async def stalling(ask: Ask) -> AsyncIterator[ChatUpdate]:
    await ask.send()
    await asyncio.Event().wait()
    yield Snapshot("")


async def stalling_after_text(ask: Ask) -> AsyncIterator[ChatUpdate]:
    await ask.send()
    yield Snapshot("some text")
    await asyncio.Event().wait()


async def chattering(ask: Ask) -> AsyncIterator[ChatUpdate]:
    await ask.send()
    text = ""
    while True:
        text += "."
        yield Snapshot(text)
        await asyncio.sleep(0.01)


async def notes_only(ask: Ask) -> AsyncIterator[ChatUpdate]:
    await ask.send()
    yield Snapshot("")
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("play", "limit", "reason"),
    [
        (stalling, "first_text_timeout", "timeout.first"),
        (notes_only, "first_text_timeout", "timeout.first"),
        (stalling_after_text, "idle_timeout", "timeout.idle"),
        (chattering, "answer_timeout", "timeout.total"),
        (stalling, "answer_timeout", "timeout.total"),
    ],
)
async def test_each_kind_of_silence_has_a_limit(shop: Shop, play: Play, limit: str, reason: str) -> None:
    shop.settings = settings_with(**{limit: 0.1})
    outcome = await shop.outcome(play)
    assert failed(outcome).reason == reason
    assert failed(outcome).retry_after is None
    assert bool(failed(outcome).text) == (play in (stalling_after_text, chattering))
    assert outcome.session is None
    assert shop.provider.hung_up == 1
    assert len(shop.provider.asks) == 1


async def test_an_upstream_that_continues_is_not_cut_off(shop: Shop) -> None:
    shop.settings = settings_with(first_text_timeout=1.0, idle_timeout=1.0)

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        for count in range(130):
            yield Snapshot("." * count)
            await asyncio.sleep(0.01)
        yield Completion("." * 130, ask.state)

    assert final(await shop.outcome(play)).text == "." * 130


async def test_the_limit_of_the_whole_answer_holds_over_all_attempts(shop: Shop) -> None:
    shop.settings = settings_with(answer_timeout=0.2)

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        if ask.account == "a":
            raise UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True)
        await asyncio.Event().wait()
        yield Snapshot("")

    assert failed(await shop.outcome(play)).reason == "timeout.total"


async def test_an_account_has_the_limit_of_its_own_for_an_answer(shop: Shop) -> None:
    shop.settings = settings_with(answer_timeout=5.0)
    await shop.pool.replace([CookieAccount("a", {"_U": "a"}, answer_timeout=0.1)])
    assert failed(await shop.outcome(stalling)).reason == "timeout.total"


async def test_an_account_whose_limit_is_longer_than_others_gets_it(shop: Shop) -> None:
    shop.settings = settings_with(answer_timeout=0.05)
    await shop.pool.replace([CookieAccount("a", {"_U": "a"}, answer_timeout=10.0)])

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        await asyncio.sleep(0.2)
        yield Completion("late", ask.state)

    assert final(await shop.outcome(play)).text == "late"


async def test_an_account_that_does_not_stream_may_be_silent_until_its_answer(shop: Shop) -> None:
    shop.settings = settings_with(first_text_timeout=0.05)
    await shop.pool.replace([ServerAccount("a", "http://127.0.0.1:1/v1", "m", stream=False)])

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        await asyncio.sleep(0.2)
        yield Completion("whole", ask.state)

    assert final(await shop.outcome(play)).text == "whole"


async def test_a_sign_of_life_starts_the_silence_anew(shop: Shop) -> None:
    shop.settings = settings_with(first_text_timeout=0.5)

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        for _ in range(8):
            yield Snapshot("")
            await asyncio.sleep(0.1)
        yield Completion("thought", ask.state)

    outcome = await shop.outcome(play)
    assert await shop.events() == [Delta("thought"), final(outcome)]


# Being cut short


async def test_a_turn_that_is_cancelled_before_the_mark_ends_nothing(shop: Shop) -> None:
    task, connecting = await shop.harness.task(), asyncio.Event()

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        connecting.set()
        await asyncio.Event().wait()
        yield Snapshot("")

    shop.provider.play = play
    await shop.cancel_turn(task, connecting)
    assert await shop.state(task) == "CLAIMED"
    assert shop.provider.hung_up == 1


async def test_a_turn_that_is_cancelled_after_a_refusal_ends_nothing(shop: Shop) -> None:
    task, connecting = await shop.harness.task(), asyncio.Event()

    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        if ask.account == "a":
            await ask.send()
            raise UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True)
        connecting.set()
        await asyncio.Event().wait()
        yield Snapshot("")

    shop.provider.play = play
    await shop.cancel_turn(task, connecting)
    assert await shop.state(task) == "CLAIMED"


async def test_a_turn_that_is_cancelled_after_the_mark_is_interrupted_with_its_text(shop: Shop) -> None:
    task = await shop.harness.task()
    shop.provider.play = stalling_after_text
    running = asyncio.create_task(shop.turn(task).run())
    await until(lambda: "append" in shop.harness.client.store.calls)
    running.cancel()
    outcome = await running
    assert failed(outcome) == Failed("interrupted", "some text")
    assert outcome.session is None
    assert shop.provider.hung_up == 1


# Pictures


async def test_pictures_are_drawn(shop: Shop) -> None:
    shop.pictures.outcomes = [("https://example.com/1", "https://example.com/2")]
    task = await shop.harness.picture("Cat")
    outcome = await shop.turn(task).run()
    assert final(outcome) == Final("", images=("https://example.com/1", "https://example.com/2"))
    assert outcome.session is None
    assert shop.pictures.drawn == [("a", "Cat")]
    assert await shop.state(task) == "SENT"


async def test_pictures_without_an_address_are_kept_as_long_as_an_answer(shop: Shop) -> None:
    shop.pictures.outcomes = [(b"GIF89a", "https://example.com/2")]
    outcome = await shop.turn(await shop.harness.picture("Cat")).run()
    ours, elsewhere = final(outcome).images
    assert elsewhere == "https://example.com/2"
    picture = await PictureStore(shop.harness.sessions.store).find(picture_id(ours) or "")
    assert picture is not None
    assert 0 < picture.ttl <= shop.settings.answer_ttl


async def test_pictures_without_room_are_an_error_and_no_further_attempt(shop: Shop) -> None:
    shop.settings = settings_with(picture_limit=5)
    shop.pictures.outcomes = [(b"GIF89a",)]
    outcome = await shop.turn(await shop.harness.picture()).run()
    assert failed(outcome) == Failed("image.full")
    assert len(shop.pictures.drawn) == 1


async def test_pictures_that_an_account_refuses_are_drawn_by_another(shop: Shop) -> None:
    shop.pictures.outcomes = [UpstreamError(Reason.ACCOUNT_UNAUTHORIZED, refused=True), ("https://example.com/1",)]
    outcome = await shop.turn(await shop.harness.picture()).run()
    assert final(outcome).images == ("https://example.com/1",)
    assert not final(outcome).reset
    assert [account for account, _ in shop.pictures.drawn] == ["a", "b"]


@pytest.mark.parametrize("reason", sorted(reason for reason in Reason if reason.startswith("image.")))
async def test_pictures_that_are_not_made_are_an_error_of_their_own(shop: Shop, reason: Reason) -> None:
    shop.pictures.outcomes = [UpstreamError(reason)]
    outcome = await shop.turn(await shop.harness.picture()).run()
    assert failed(outcome) == Failed(reason)
    assert len(shop.pictures.drawn) == 1


async def test_pictures_have_the_limit_of_a_whole_answer(shop: Shop) -> None:
    shop.settings = settings_with(answer_timeout=0.1)
    shop.pictures.held = asyncio.Event()
    outcome = await shop.turn(await shop.harness.picture()).run()
    assert failed(outcome).reason == "image.timeout"


# Waiting for an account


async def test_a_client_that_would_rather_wait_gets_the_account_that_returns(shop: Shop) -> None:
    store = shop.harness.client.store
    await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a", "b"))
    shop.provider.play = echo
    await advance(store, 24 * 3600 - 10)
    task = replace(await shop.harness.task("patient"), work=Chat("balanced", "patient", wait=15))
    waiting = asyncio.create_task(shop.turn(task).run())
    position = await shown_place(shop, task)
    assert position.position == 0
    assert 1 <= position.wait <= 10
    await advance(store, 10)
    assert final(await waiting).text == "you asked: patient"


async def shown_place(shop: Shop, task: ClaimedJob) -> QueuePosition:
    """Where the job waits, once that is known."""
    positions: list[QueuePosition] = []

    async def is_placed() -> bool:
        place = await shop.harness.client.answers.read_position(task.answer)
        positions.extend([place] if place else [])
        return bool(positions)

    await until(is_placed)
    return positions[0]


async def test_a_client_that_would_not_wait_so_long_is_refused_at_once(shop: Shop) -> None:
    await shop.outcome(refusing(Reason.ACCOUNT_THROTTLED, "a", "b"))
    task = replace(await shop.harness.task("hasty"), work=Chat("balanced", "hasty", wait=10))
    assert failed(await shop.turn(task).run()).reason == "account.throttled"


CALLED = (Block("reasoning", "hm"), Block("tool_call", "{}", id="c1", name="add"))


def growing(completed: Completion, *growths: Growth, error: UpstreamError | None = None) -> Play:
    async def play(ask: Ask) -> AsyncIterator[ChatUpdate]:
        await ask.send()
        for growth in growths:
            yield growth
        if error is not None:
            raise error
        yield completed

    return play


async def test_an_answer_of_calls_alone_is_a_good_end(shop: Shop) -> None:
    usage = Usage(3, 2, reasoning=1)
    completed = Completion("", b"", blocks=CALLED, ended="tool_calls", finish_raw="tool_calls", usage=usage, model="m")
    thought, call = Piece(0, "reasoning", "hm"), Piece(1, "tool_call", "{}", id="c1", name="add")
    outcome = await shop.outcome(growing(completed, Growth((thought,)), Growth((call,))))
    end = final(outcome)
    assert (end.blocks, end.end_reason, end.usage, end.model) == (CALLED, "tool_calls", usage, "m")
    assert (end.text, outcome.answer) == ("", "")


async def test_once_any_piece_was_sent_no_other_account_is_asked(shop: Shop) -> None:
    error = UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True)
    thought = Growth((Piece(0, "reasoning", "hm"),))
    outcome = await shop.outcome(growing(Completion("", b""), thought, error=error))
    assert failed(outcome).reason == Reason.ACCOUNT_THROTTLED
    assert len(shop.provider.arrived) == 1


async def test_a_sign_of_life_alone_does_not_begin_an_answer(shop: Shop) -> None:
    error = UpstreamError(Reason.ACCOUNT_THROTTLED, refused=True)
    await shop.outcome(growing(Completion("", b""), Growth(), error=error))
    assert [arrived.account for arrived in shop.provider.arrived] == ["a", "b"]


async def test_the_end_of_a_stored_response_is_there_before_its_last_event(shop: Shop) -> None:
    memory = ResponseMemory(shop.harness.sessions.store, shop.harness.sessions.memory, 60)
    start = StoredResponse("t", "o", About("chat"), 1, ())
    for stored in (True, False):
        prompt = Prompt("responses", "bing-balanced", (Message("user", (Text("hello"),)),))
        task = await shop.harness.claimed(Prompted("balanced", "", prompt=prompt, stored=stored), new_token())
        await memory.write(task.lease.token, task.answer, start)
        outcome = await shop.turn(task).run()
        (recalled,) = await memory.read([task.answer])
        assert recalled is not None
        assert recalled.end == (outcome.event if stored else None)


async def test_an_answer_ends_though_its_end_is_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> bool:
        raise StoreUnavailableError("OOM")

    monkeypatch.setattr(ResponseMemory, "write_end", refuse)
    prompt = Prompt("responses", "bing-balanced", (Message("user", (Text("hello"),)),))
    task = await shop.harness.claimed(Prompted("balanced", "", prompt=prompt, stored=True), new_token())
    with capture_logs() as logs:
        assert (await shop.turn(task).run()).state == "DONE"
    assert [entry["event"] for entry in logs].count("the end of a response is not kept") == 1
