"""Stored responses as a tree: any of them can be continued, at any gateway, whatever was deleted or is long ago."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.openai.responses.stored_responses import StoredResponses
from tests.support.gateway.harness import RunningGateway, running
from tests.support.gateway.openai_client import MODEL
from tests.support.redis_client import redis_client
from wire import keys
from wire.about import About
from wire.answers import Answers
from wire.errors import AnswerNotFoundError
from wire.messages import Final, Prompted
from wire.redis.store import Store
from wire.response_memory import ResponseMemory, StoredResponse
from wire.store_memory import StoreMemory

pytestmark = pytest.mark.anyio
PATH = "/v1/responses"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.just(0)),
        st.tuples(st.just("continue"), st.integers(0, 5)),
        st.tuples(st.just("continue"), st.integers(0, 5)),
        st.tuples(st.just("delete"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(0, 5)),
        st.tuples(st.just("unstored"), st.integers(0, 5)),
    ),
    max_size=12,
)


@dataclass
class Tree:
    """What was said up to each response, and which of them are no longer there."""

    gateways: list[RunningGateway]
    names: list[str] = field(default_factory=list)
    talks: dict[str, list[str]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    steps: int = 0

    def is_there(self, name: str) -> bool:
        """Whether a response and all before it are there."""
        return not name or (name not in self.gone and self.is_there(self.parents[name]))

    async def ask(self, previous: str, *, store: bool = True) -> None:
        """Ask at one of the gateways; the worker must get all that was said."""
        worker, gateway = self.gateways[0].worker, self.gateways[self.steps % 2]
        question, asked = f"q{self.steps}", len(worker.asked)
        worker.scripts[question] = [Final(f"a{self.steps}")]
        body: dict[str, Any] = {"model": MODEL, "input": question, "store": store}
        if previous:
            body["previous_response_id"] = previous
        response = await gateway.client.post(PATH, json=body)
        if not self.is_there(previous):
            assert response.json()["error"]["code"] == "previous_response_not_found"
            assert len(worker.asked) == asked
            return
        name = response.json()["id"]
        _, work = worker.asked[-1]
        assert isinstance(work, Prompted)
        talk = [*self.talks.get(previous, []), question]
        assert [message.text for message in work.prompt.messages] == talk
        self.names.append(name)
        self.talks[name], self.parents[name] = [*talk, f"a{self.steps}"], previous
        if not store:
            self.gone.add(name)

    async def step(self, what: str, which: int) -> None:
        """Do something with one of the responses."""
        self.steps += 1
        chosen = self.names[which % len(self.names)] if self.names else ""
        if what in ("ask", "continue", "unstored"):
            await self.ask("" if what == "ask" else chosen, store=what != "unstored")
        elif what == "delete" and chosen:
            response = await self.gateways[self.steps % 2].client.delete(f"{PATH}/{chosen}")
            assert response.status_code == (404 if chosen in self.gone else 200)
            self.gone.add(chosen)
        elif chosen:
            answer = chosen.removeprefix("resp_")
            await redis_client(self.gateways[0].store).delete(keys.job_key(answer), keys.log_key(answer))

    async def check(self) -> None:
        """Read all responses."""
        for name in self.names:
            response = await self.gateways[self.steps % 2].client.get(f"{PATH}/{name}")
            assert response.status_code == (404 if name in self.gone else 200)
            if name not in self.gone:
                assert response.json()["output"][0]["content"][0]["text"] == self.talks[name][-1]


@given(STEPS, STEPS)
@settings(max_examples=15)
async def test_any_response_is_continued_from_whatever_happens(
    first: list[tuple[str, int]], second: list[tuple[str, int]]
) -> None:
    store = Store("memory://")
    async with running(store) as gateway:
        tree = Tree([gateway])
        # Each run of steps has another gateway beside, which ends behind it.
        for steps in (first, second):
            async with running(store, worker=False) as other:
                tree.gateways = [gateway, other]
                for what, which in steps:
                    await tree.step(what, which)
                await tree.check()
    await store.close()


async def test_without_redis_a_response_is_not_stored_and_that_is_logged_once() -> None:
    store = Store("redis://127.0.0.1:1/0")
    stored = StoredResponses(ResponseMemory(store, StoreMemory(store), 60), Answers(store), 1000)
    with capture_logs() as logs:
        await stored.keep("me", "s0-1", StoredResponse("t", "me", About("chat", stored=True), 1, ()), None)
        await stored.keep_stopped("me", "s0-1", "")
    await store.close()
    assert [entry["event"] for entry in logs] == ["response not stored", "the end of a stopped response is not kept"]


async def test_only_its_holder_reads_a_response() -> None:
    store = Store("memory://")
    stored = StoredResponses(ResponseMemory(store, StoreMemory(store), 60), Answers(store), 1000)
    await stored.keep("me", "s0-1", StoredResponse("t", "o", About("chat", stored=True), 1, (), holder="alice"), None)
    await stored.memory.write_end("me", "s0-1", Final("a"))
    assert (await stored.read("s0-1", "alice")).start.size > 0
    assert await stored.read_answer("s0-1", "alice") == Final("a")
    for holder in ("", "bob"):
        with pytest.raises(AnswerNotFoundError):
            await stored.read("s0-1", holder)
        assert await stored.read_answer("s0-1", holder) is None
    await stored.memory.delete("me", "s0-1")
    assert await stored.read_answer("s0-1", "alice") is None
    await store.close()


async def test_a_response_that_is_not_to_be_stored_is_not() -> None:
    store = Store("memory://")
    stored = StoredResponses(ResponseMemory(store, StoreMemory(store), 60), Answers(store), 1000)
    await stored.keep("me", "s0-1", StoredResponse("t", "o", About("chat"), 1, ()), None)
    assert await stored.memory.read(["s0-1"]) == [None]
    await store.close()
