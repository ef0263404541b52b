"""Calls on the wire: jobs as others are, except that nobody can ask for their answers again."""

import msgspec
import pytest

from tests.support.wire.scenario import Scenario
from wire import keys
from wire.about import About, decode_about, describe, encode_about, is_call, weigh
from wire.answers import Answers
from wire.errors import AnswerNotFoundError, BadMessageError, ClientBytesError, ClientFullError, OutdatedWorkerError
from wire.jobs import ANYBODY, Client, new_answer_id, new_token
from wire.messages import Call, Chat, Failed, Final, decode_work, encode
from wire.prompt_digest import canonical_work
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter
from wire.sessions import StatelessSession

pytestmark = pytest.mark.anyio

CALL = Call("embeddings", "m", msgspec.Raw(b'{"input":"hello","dimensions":3}'))


@pytest.fixture
def scenario(store: Store) -> Scenario:
    return Scenario(store)


async def submit(scenario: Scenario, work: Call = CALL, client: Client = ANYBODY) -> str:
    answer: str = await scenario.jobs.submit(new_answer_id(), work, new_token(), create=True, client=client)
    return answer


def test_a_call_is_decoded_as_it_was_encoded() -> None:
    assert decode_work(encode(CALL)) == CALL
    assert encode(CALL).startswith(b'{"type":"call","operation":"embeddings","model":"m","body":{"input":"hello"')


@pytest.mark.parametrize("data", [b'{"type":"call"}', b'{"type":"call","operation":"x","model":"m","body":{}}'])
def test_a_call_for_something_unknown_is_no_job(data: bytes) -> None:
    with pytest.raises(BadMessageError):
        decode_work(data)


def test_only_its_kind_is_kept_of_a_call() -> None:
    assert describe(CALL) == About("call")
    assert is_call(encode_about(describe(CALL)))
    assert not is_call(encode_about(describe(Chat("balanced", "hi"))))
    assert decode_about(encode_about(About("call"))).kind == "call"
    assert weigh(CALL) == len(bytes(CALL.body))
    with pytest.raises(BadMessageError):
        is_call(b"{}")


def test_a_repeat_of_a_call_is_the_same_and_another_input_is_not() -> None:
    again = msgspec.structs.replace(CALL, request="r", wait=5.0, trace="t")
    assert canonical_work(again) == canonical_work(CALL)
    assert canonical_work(msgspec.structs.replace(CALL, body=msgspec.Raw(b"{}"))) != canonical_work(CALL)


@pytest.mark.parametrize("size", [10, 600_000])
async def test_a_call_reaches_a_worker_and_its_work_is_gone_at_its_end(scenario: Scenario, size: int) -> None:
    await scenario.hire("w1")
    work = Call("embeddings", "m", msgspec.Raw(b'"%s"' % (b"x" * size)))
    answer = await submit(scenario, work)
    task = await scenario.take("w1")
    assert task.work == work
    await scenario.sessions.finish(task, "DONE", Final(""), None, forget=True)
    assert await scenario.redis.exists(keys.work_key(answer)) == 0
    assert await scenario.events(answer) == [Final("")]


async def test_nobody_finds_a_call_by_its_id(scenario: Scenario) -> None:
    await scenario.hire("w1")
    answers, answer = Answers(scenario.store), await submit(scenario)
    for ended in (False, True):
        if ended:
            await scenario.finish(await scenario.take("w1"), "")
        with pytest.raises(AnswerNotFoundError):
            await answers.read_progress(answer)
        with pytest.raises(AnswerNotFoundError):
            await answers.read_token(answer)
    assert (await answers.read_job(answer)).about.kind == "call"


async def test_a_call_is_admitted_by_number_and_bytes_as_a_question_is(scenario: Scenario) -> None:
    client = Client("a", limit=2)
    for _ in range(2):
        await submit(scenario, client=client)
    with pytest.raises(ClientFullError):
        await submit(scenario, client=client)
    scenario.limits.client_bytes = 300_000
    await submit(scenario, client=Client("b"))
    with pytest.raises(ClientBytesError):
        await submit(scenario, Call("embeddings", "m", msgspec.Raw(b'"%s"' % (b"x" * 300_000))), Client("b"))


async def test_no_call_is_submitted_while_a_worker_is_alive_that_knows_none(scenario: Scenario) -> None:
    old = Reporter(scenario.store, "worker", "old", lambda: ProcessLoad(apart=True), dict, lambda: False)
    new = Reporter(scenario.store, "worker", "new", lambda: ProcessLoad(apart=True, calls=True), dict, lambda: False)
    gateway = Reporter(scenario.store, "gateway", "g", lambda: ProcessLoad(apart=True), dict, lambda: False)
    for reporter in (old, new, gateway):
        await reporter.report()
    with pytest.raises(OutdatedWorkerError):
        await submit(scenario)
    assert scenario.jobs.refusals == {"worker.outdated": 1}
    assert await scenario.redis.exists(keys.queued_key()) == 0
    await old.leave()
    assert await submit(Scenario(scenario.store))


async def test_a_call_is_stopped_when_its_client_leaves_also_after_it_was_sent(scenario: Scenario) -> None:
    await scenario.hire("w1")
    answer = await submit(scenario)
    task = await scenario.take("w1")
    waiting = await submit(scenario)
    assert await scenario.jobs.stop_abandoned(waiting)
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True, stateless=StatelessSession(b"{}", begins=True))
    assert await scenario.jobs.stop_abandoned(answer)
    await scenario.sessions.finish(task, "STOPPED", Final(""), b"{}", forget=True)
    assert await scenario.state(answer) == "STOPPED"
    assert await scenario.redis.exists(keys.transcript_key(task.lease.token)) == 0


async def test_a_call_whose_worker_dies_after_it_was_sent_ends_and_is_not_sent_again(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    answer = await submit(scenario)
    task = await scenario.take("w1")
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True, stateless=StatelessSession(b"{}", begins=True))
    await scenario.settle()
    await scenario.kill("w1")
    await scenario.sessions.reap("w2", "w1")
    (end,) = await scenario.events(answer)
    assert isinstance(end, Failed)
    assert end.reason == "interrupted"
    assert await scenario.take_all("w2") == []
