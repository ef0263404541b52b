"""What one client's questions do to the accounts, and so to the others."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.worker.harness import Client, HookedStore
from tests.support.worker.running_worker import serving
from tests.support.worker.scripted_provider import Ask, Pictures, ScriptedProvider, echo
from wire import jobs
from wire.jobs import Jobs, new_answer_id, new_token
from wire.ledger import Ledger
from wire.messages import Chat, Failed, Final, Image
from wire.reasons import Reason
from worker.accounts.penalties import VERY_LONG
from worker.errors import UpstreamError
from worker.providers import ChatUpdate, Picture, Snapshot
from worker.providers.bing.pictures import check_page

pytestmark = pytest.mark.anyio


class Server:
    """A worker's upstream that fails for some questions, and at some accounts for all."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.broken: set[str] = set()
        self.provider = ScriptedProvider(play=self.play)
        self.pictures = Pictures()

    async def play(self, ask: Ask) -> AsyncIterator[ChatUpdate]:
        if "never" in ask.question:
            await ask.send()
            await asyncio.Event().wait()
        if "hang up" in ask.question or ask.account in self.broken:
            await ask.send()
            raise UpstreamError(Reason.TRANSPORT_CLOSED)
            yield Snapshot("")
        async for update in echo(ask):
            yield update

    async def submit(self, client: str, question: str) -> str:
        """Submit a question of one client; return its answer's id."""
        limits, owner = self.client.limits, jobs.Client(f"address:{client}")
        work, answer = Chat("balanced", question), new_answer_id()
        return await Jobs(self.client.store, limits).submit(answer, work, new_token(), create=True, client=owner)

    async def ask(self, client: str, question: str = "hello") -> str:
        """Return how a question of one client ends: its text, or the reason of its failure."""
        return self.outcome(await self.client.end(await self.submit(client, question)))

    async def draw(self, client: str, keyword: str, page: str) -> str:
        """Return how a request for pictures ends to which Bing shows this page."""
        outcome: tuple[Picture, ...] | Exception = (SHOWN,)
        try:
            check_page(page, keyword)
        except UpstreamError as error:
            outcome = error
        self.pictures.outcomes = [outcome] * 2
        owner, limits = jobs.Client(f"address:{client}"), self.client.limits
        submitted = Jobs(self.client.store, limits).submit(
            new_answer_id(), Image(keyword), new_token(), create=True, client=owner
        )
        end = await self.client.end(await submitted)
        return ",".join(end.images) if isinstance(end, Final) else end.reason

    @staticmethod
    def outcome(end: Final | Failed) -> str:
        return end.text if isinstance(end, Final) else end.reason

    async def states(self) -> dict[str, str]:
        """Return the accounts' states, without those for pictures."""
        return {name: state for name, state in (await self.all_states()).items() if "/" not in name}

    async def all_states(self) -> dict[str, str]:
        statuses = await Ledger(self.client.store).read_statuses()
        return {status.name: status.state for status in statuses}


@pytest.fixture
async def server(client: Client, store: HookedStore) -> AsyncIterator[Server]:
    server = Server(client)
    async with serving(store, server.provider, server.pictures, worker_slots=8, first_text_timeout=0.2):
        yield server


SHOWN = "https://t/OIG.a"
ANSWER = "you asked: hello"


async def test_six_slow_questions_of_one_client_put_no_account_out_of_use(server: Server) -> None:
    slow = [await server.submit("x", f"never {number}") for number in range(6)]
    outcomes = [server.outcome(await server.client.end(answer)) for answer in slow]
    assert outcomes == ["timeout.first"] * 6
    assert await server.states() == {"a": "ready", "b": "ready"}
    assert [await server.ask(f"other {number}") for number in range(4)] == [ANSWER] * 4


async def test_twelve_questions_that_hang_up_put_no_account_out_of_use(server: Server) -> None:
    assert [await server.ask("x", f"hang up {number}") for number in range(12)] == ["transport.closed"] * 12
    assert {ask.account for ask in server.provider.asks} == {"a", "b"}
    assert await server.states() == {"a": "ready", "b": "ready"}
    assert await server.ask("another") == ANSWER


async def test_a_broken_account_is_out_of_use_after_failures_of_two_clients(server: Server) -> None:
    server.broken = {"a", "b"}
    assert [await server.ask(client) for client in ("x", "y", "x", "y")] == ["transport.closed"] * 4
    assert await server.states() == {"a": "cooling", "b": "cooling"}


async def test_one_client_alone_is_answered_by_the_healthy_one_of_two_accounts(server: Server) -> None:
    server.broken = {"a"}
    outcomes = [await server.ask("alone") for _ in range(8)]
    assert [outcomes.count("transport.closed"), outcomes.count(ANSWER)] == [1, 7]
    assert await server.states() == {"a": "ready", "b": "ready"}
    assert [await server.ask("alone", f"hang up {number}") for number in range(2)] == ["transport.closed"] * 2
    server.broken = set()
    assert await server.ask("alone") == ANSWER


async def test_very_long_questions_of_many_clients_put_no_account_out_of_use(server: Server) -> None:
    question = "hang up " + "x" * VERY_LONG
    assert [await server.ask(client, question) for client in "vwxyz"] == ["transport.closed"] * 5
    assert await server.states() == {"a": "ready", "b": "ready"}


@pytest.mark.parametrize("words", ["can't submit any more prompts", "please sign in to create images"])
async def test_words_of_a_page_put_no_account_out_of_use_for_others(server: Server, words: str) -> None:
    """A page may show what was asked in a way that isn't foreseen."""
    for number in range(3):
        assert await server.draw("x", f"a poster {number}", f"<h1>{words}</h1>") == "account.none"
    assert set((await server.all_states()).values()) == {"ready"}
    assert await server.draw("another", "a poster", "") == SHOWN
