"""What becomes of questions in the same way at either kind of upstream."""

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.history import Exchange
from tests.support.faults.scenario import FaultScenario


async def ask_for_breakage(scenario: FaultScenario, word: str) -> list[Exchange]:
    """Ask in three ways for a turn that breaks; each is asked once, and the conversation still works."""
    broken = [scenario.clients.start(kind, unique(f"!{word}")) for kind in ("eventsource", "naive", "whole")]
    await scenario.clients.ended()
    assert all(len(scenario.cluster.turns(exchange.question)) == 1 for exchange in broken)
    again = await scenario.clients.ask("whole", unique("go on"), broken[0].given_token)
    assert again.answered
    await scenario.verify()
    return broken


async def ask_for_silence(scenario: FaultScenario, *words: str) -> None:
    """Ask for turns that fall silent; each of them ends within its limit."""
    silent = [scenario.clients.start("eventsource", unique(f"!{word}")) for word in words]
    await scenario.clients.ended()
    assert [exchange.code for exchange in silent] == [500] * len(silent)
    assert all(exchange.ended is not None and exchange.ended - exchange.began < 10 for exchange in silent)
    await scenario.verify()


async def refuse_one_account(scenario: FaultScenario, outcome: str) -> None:
    """Let the upstream refuse the first account; the question costs one more attempt at another."""
    scenario.cluster.script(account="*", chat={"outcome": outcome, "times": 1})
    exchange = await scenario.clients.ask("eventsource", unique("hello"))
    assert exchange.answered
    first, second = scenario.cluster.turns(exchange.question)
    assert first["account"] != second["account"]
    await scenario.verify()


async def lose_conversation(scenario: FaultScenario, word: str) -> None:
    """Let the upstream refuse to continue a conversation; it begins afresh, and the answer reports that."""
    first = await scenario.clients.ask("whole", unique("hello"))
    second = await scenario.clients.ask("eventsource", unique(f"!{word} !once"), first.given_token)
    assert second.answered
    assert second.end is not None
    assert second.end.data["reset"] is True
    await scenario.verify()


async def kill_worker_after_sending(scenario: FaultScenario) -> None:
    """Kill the worker of a question that was sent and has no text yet; it is never asked again."""
    exchange = scenario.clients.start("eventsource", unique("!first=20 hello"))
    await until(lambda: scenario.cluster.turns(exchange.question), "the question is out")
    (await scenario.holder(exchange)).kill()
    await scenario.clients.ended(exchange)
    assert exchange.code == 500
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()
