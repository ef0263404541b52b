"""Whole workers before servers that refuse: who is asked next, what that costs the first, and what a client gets."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import SOON
from tests.support.wire.ledger_clock import advance
from tests.support.worker import openai_server
from tests.support.worker.harness import Client, HookedStore, pool_on, settings_with
from tests.support.worker.message_events import encoded, message, text
from tests.support.worker.openai_server import OpenAIServer, Play, answering, chunk, events, refusing, saying, whole
from wire.jobs import ANYBODY, Jobs, new_answer_id, new_token
from wire.jobs import Client as Asker
from wire.ledger import AccountStatus, Ledger
from wire.messages import Chat, Failed, Final, Image, Prompted
from wire.prompt import Message, Prompt, Text
from worker.accounts.account import StyleTemperatures
from worker.accounts.penalties import VERY_LONG
from worker.providers.registry import ProviderRegistry, Upstream
from worker.status import status_reporter
from worker.turns.demands import LONG
from worker.worker import Worker, new_worker_id

pytestmark = pytest.mark.anyio

INVALID = {"error": {"message": "Unsupported value: 'top_k' (key sk-test-0123456789)", "type": "invalid_request_error"}}
ZIPPED = gzip.compress(json.dumps({"error": {"message": "CUDA"}}).encode())
ZIPPED_ERROR = b"HTTP/1.1 500 Status\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(ZIPPED), ZIPPED)
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
BROKEN = b'data: {"error": "CUDA error: out of memory\nCompile with "TORCH_USE_CUDA_DSA".\n"}\n\n'
GOOD = answering(whole("hello"))

# What another account is asked after: the refusal, and whether the first account pauses.
ELSEWHERE: dict[str, tuple[Play, bool]] = {
    "404 page": (refusing(404, "<html>404</html>"), True),
    "404 of a framework": (refusing(404, {"detail": "Not Found"}), True),
    "401 of a firewall": (refusing(401), True),
    "403 of a firewall": (refusing(403, {"message": "Forbidden"}), True),
    "a page under 200": (refusing(200, "<html>sign in</html>"), True),
    "400 page": (refusing(400, "<html>400</html>"), True),
    "405": (refusing(405, {"error": {"message": "no"}}), True),
    "407": (refusing(407), True),
    "409": (refusing(409, {"error": {"message": "no"}}), True),
    "415": (refusing(415, {"error": {"message": "no"}}), True),
    "423": (refusing(423), True),
    "424": (refusing(424), True),
    "425": (refusing(425), True),
    "429": (refusing(429, {"error": {"code": "rate_limit_exceeded"}}), True),
    "503": (refusing(503, {"error": {"message": "overloaded"}}), True),
    "503 page": (refusing(503, "<html>503</html>"), True),
    "529": (refusing(529, {"error": {"type": "overloaded_error"}}), True),
    "a model that is loading": (refusing(500, LOADING), True),
    "500 with an error": (refusing(500, {"error": {"message": "CUDA"}}), False),
    "502 with an error": (refusing(502, {"error": {"message": "no"}}), False),
    "an error as first event": (answering(events({"error": {"message": "CUDA"}})), False),
    "an error as first event that is no JSON": (answering(BROKEN), False),
    "a limit as first event": (answering(events({"error": {"code": "rate_limit_exceeded"}})), True),
    "a redirect": (refusing(302, Location="https://login.example/"), True),
    "a captive portal": (refusing(511, "<html>sign in</html>"), True),
    "a compressed error": (saying(ZIPPED_ERROR), False),
    "an event of the name error": (answering(b'event: error\ndata: {"message":"busy","code":429}\n\n'), True),
    "such an event of plain text": (answering(b"event: error\ndata: overloaded\n\n"), False),
    "an error in a choice": (
        answering(events({"choices": [{"finish_reason": "error", "error": {"code": 429}}]})),
        True,
    ),
    "a code and a message under 200": (refusing(200, {"code": 429, "message": "slow down"}), True),
    "a named code under 200": (refusing(200, {"code": "Throttling", "message": "slow down"}), False),
    "details under 200": (refusing(200, {"detail": "no"}), False),
    "no success under 200": (refusing(200, {"success": False, "errors": [{"message": "no"}]}), False),
    "a problem under 200": (refusing(200, {"title": "Too Many Requests", "status": 429}), True),
    "an invalid request": (refusing(400, INVALID), False),
    "a 422": (refusing(422, {"detail": [{"loc": ["body", "top_k"], "msg": "no"}]}), False),
    "a 413 with an error": (refusing(413, {"error": {"message": "too large"}}), False),
}
# The server's own word about its key or model: the account is dead until the server takes it again.
DEAD: dict[str, Play] = {
    "401 of a key": refusing(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}),
    "404 of a model": refusing(404, {"error": {"message": "model 'm' not found", "type": "not_found_error"}}),
    "400 of a model": refusing(400, {"detail": "Server is pinned to 'n'; requested 'm'."}),
}
# What is asked once, since the server may still answer.
ONCE: dict[str, Play] = {
    "504 page": refusing(504, "<html>504</html>"),
    "504 with an error": refusing(504, {"error": {"message": "no"}}),
    "408": refusing(408, {"error": {"message": "no"}}),
    "499": refusing(499),
    "524": refusing(524, "<html>524</html>"),
    "500 page": refusing(500, "<html>500</html>"),
    "502 page": refusing(502, "<html>502</html>"),
    "a cut": saying(),
    "a cut stream": saying(openai_server.HEAD),
    "an error after text": answering(events(chunk("a"), {"error": {"code": "rate_limit_exceeded"}})),
}


@dataclass
class Scene:
    """A worker before some servers, each with one account named by its position."""

    client: Client
    servers: list[OpenAIServer]
    ledger: Ledger

    async def ask(self, question: str = "hi", asker: str = "", **fields: Any) -> Final | Failed:
        """Ask in a style, or a prompt with these fields."""
        answer = new_answer_id()
        client = Asker(f"key:{asker}", asker) if asker else ANYBODY
        jobs = Jobs(self.client.store, self.client.limits)
        prompt = Prompt("chat", "m", (Message("user", (Text(question),), string=True),), **fields)
        work = Prompted("creative", "", prompt=prompt) if fields else Chat("creative", question)
        await jobs.submit(answer, work, new_token(), create=True, client=client)
        return await self.client.end(answer)

    async def status(self, name: str = "s0") -> AccountStatus:
        return next(status for status in await self.ledger.read_statuses() if status.name == name)

    @property
    def counts(self) -> list[int]:
        return [len([one for one in server.asked if one.method == "POST"]) for server in self.servers]


@asynccontextmanager
async def scene(
    store: HookedStore, client: Client, *plays: Play, accounts: Sequence[dict[str, object]] = (), **changed: object
) -> AsyncIterator[Scene]:
    """Run a worker with one account at each of the servers; the first has by far the most weight."""
    settings = settings_with(**{"drain_timeout": 3.0, **changed})
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(OpenAIServer(play)) for play in plays]
        options = [*accounts, *[{}] * len(servers)]
        own = [
            server.account(f"s{number}", **{"weight": 1000.0 if number == 0 else 1.0, **options[number]})
            for number, server in enumerate(servers)
        ]
        pool = pool_on(store, settings, own, worker=new_worker_id())
        upstream = Upstream(settings, pool, ProviderRegistry(settings))
        worker = Worker(settings, store, upstream, status_reporter)
        running = asyncio.create_task(worker.run())
        try:
            yield Scene(client, servers, Ledger(store))
        finally:
            worker.drain()
            async with asyncio.timeout(SOON):
                await running


@pytest.mark.parametrize("kind", [*ELSEWHERE, *DEAD])
async def test_another_account_answers_after(store: HookedStore, client: Client, kind: str) -> None:
    play, pauses = ELSEWHERE.get(kind) or (DEAD[kind], True)
    async with scene(store, client, play, GOOD) as stage:
        end = await stage.ask()
        assert isinstance(end, Final), end
        assert (end.text, stage.counts) == ("hello", [1, 1])
        status = await stage.status()
        if pauses and status.state == "ready":
            # It may have followed from the question: another client's decides.
            assert isinstance(await stage.ask("another client's"), Final)
            status = await stage.status()
        assert status.state == ("dead" if kind in DEAD else "cooling" if pauses else "ready")
        # With the other refusals these are more than 200 questions.
        results = await asyncio.gather(*(stage.ask(f"question {number}") for number in range(8)))
        assert [result for result in results if isinstance(result, Failed)] == []


async def test_no_question_fails_while_one_of_two_servers_refuses_in_every_way(
    store: HookedStore, client: Client
) -> None:
    async with scene(store, client, GOOD, GOOD, worker_slots=16, account_turns=16) as stage:
        plays = [play for play, _ in ELSEWHERE.values()]

        async def play(writer: asyncio.StreamWriter) -> None:
            await plays[len(stage.servers[0].asked) % len(plays)](writer)

        stage.servers[0].play = play
        failed = []
        for _ in range(20):
            events = await asyncio.gather(*(stage.ask(f"question {number}") for number in range(10)))
            failed += [end for end in events if isinstance(end, Failed)]
            await advance(store, 31)
        assert failed == []
        assert stage.counts[0] >= 20


@pytest.mark.parametrize("kind", ONCE)
async def test_the_question_is_asked_once_after(store: HookedStore, client: Client, kind: str) -> None:
    async with scene(store, client, ONCE[kind], GOOD) as stage:
        end = await stage.ask()
        assert isinstance(end, Failed), end
        assert (stage.counts, end.retry_after) == ([1, 0], None)


@pytest.mark.parametrize(
    ("headers", "body", "pause"),
    [
        ({"Retry_After": "30"}, {"error": {"message": "no"}}, 30),
        ({"retry_after_ms": "30000"}, {"error": {"message": "no"}}, 30),
        ({"x_ratelimit_reset_requests": "30s"}, {"error": {"message": "no"}}, 30),
        ({}, [{"error": {"code": 429, "details": [{"retryDelay": "30s"}]}}], 30),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_the_account_cools_as_long_as_the_server_asks_for(
    store: HookedStore, client: Client, status: int, headers: dict[str, str], body: object, pause: int
) -> None:
    async with scene(store, client, refusing(status, body, **headers), GOOD) as stage:
        await stage.ask()
        before = await stage.status()
        await advance(store, pause - 2)
        assert (before.state, isinstance(await stage.ask(), Final)) == ("cooling", True)
        assert stage.counts == [1, 2]
        await advance(store, 2)
        await stage.ask()
        assert stage.counts[0] == 2


async def test_a_server_that_was_away_is_asked_within_seconds_of_its_return(store: HookedStore, client: Client) -> None:
    async with scene(store, client, refusing(404, "<html>404</html>")) as stage:
        for _ in range(4):
            end = await stage.ask()
            assert isinstance(end, Failed)
            assert (end.reason, end.retry_after is not None and end.retry_after <= 8) == ("account.none", True)
            await advance(store, 8.1)
        stage.servers[0].play = GOOD
        assert isinstance(await stage.ask(), Final)
        assert (await stage.status()).state == "ready"


async def test_used_up_tries_are_reported(store: HookedStore, client: Client) -> None:
    busy = refusing(503, {"error": {"message": "overloaded"}}, Retry_After="7")
    async with scene(store, client, busy, busy, busy, GOOD, account_tries=3) as stage:
        end = await stage.ask()
        if isinstance(end, Final):  # the good one's turn came before its tries were used up
            return
        assert (end.reason, end.exhausted, end.retry_after is not None) == ("upstream.busy", True, True)


async def test_the_only_server_that_is_busy_says_when_it_returns(store: HookedStore, client: Client) -> None:
    async with scene(store, client, refusing(503, Retry_After="7")) as stage:
        end = await stage.ask()
        assert isinstance(end, Failed)
        assert (end.reason, end.retry_after, end.exhausted, end.reset) == ("upstream.busy", 7, True, False)
        assert stage.counts == [1]


async def test_the_only_server_that_fails_says_so(store: HookedStore, client: Client) -> None:
    async with scene(store, client, refusing(500, {"error": {"message": "CUDA"}})) as stage:
        end = await stage.ask()
        assert isinstance(end, Failed)
        assert (end.reason, end.retry_after, stage.counts) == ("upstream.internal", None, [1])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
async def test_as_many_throttled_accounts_as_there_are_make_it_a_limit(
    store: HookedStore, client: Client, count: int
) -> None:
    """However many accounts there are beside ACCOUNT_TRIES, and however many questions find it out."""
    throttled = refusing(429, {"error": {"code": "insufficient_quota"}})
    async with scene(store, client, *[throttled] * count, account_tries=3) as stage:
        events = [await stage.ask() for _ in range(3)]
        reasons = [end.reason for end in events if isinstance(end, Failed)]
        assert reasons == (["account.none"] if count > 3 else ["account.throttled"]) + ["account.throttled"] * 2
        assert stage.counts == [1] * count


async def test_the_same_holds_for_pictures(store: HookedStore, client: Client) -> None:
    throttled = refusing(429, {"error": {"code": "insufficient_quota"}})
    async with scene(store, client, *[throttled] * 3, account_tries=3) as stage:
        end = await client.end(await client.submit(Image("Cat"), new_token()))
        assert isinstance(end, Failed)
        assert (end.reason, stage.counts) == ("account.throttled", [1, 1, 1])


async def test_each_turn_of_a_quota_is_used_before_the_first_refusal(store: HookedStore, client: Client) -> None:
    options: list[dict[str, object]] = [{"daily": 2}, {"daily": 2}, {"daily": 2}]
    async with scene(store, client, GOOD, GOOD, GOOD, accounts=options) as stage:
        events = await asyncio.gather(*(stage.ask(f"question {number}") for number in range(9)))
        assert sum(isinstance(end, Final) for end in events) == 6
        assert {end.reason for end in events if isinstance(end, Failed)} == {"account.throttled"}
        assert stage.counts == [2, 2, 2]


async def test_an_invalid_request_fails_with_the_second_servers_words(store: HookedStore, client: Client) -> None:
    second = {"error": {"message": "No 'top_k' here (key sk-test-0123456789)", "type": "invalid_request_error"}}
    async with scene(store, client, refusing(400, INVALID), refusing(400, second), GOOD) as stage:
        end = await stage.ask()
        assert isinstance(end, Failed)
        assert (end.reason, end.reset, sum(stage.counts)) == ("question.invalid", False, 2)
        assert "'top_k'" in end.detail
        assert "sk-test" not in end.detail
        assert {status.state for status in await stage.ledger.read_statuses()} == {"ready"}


async def test_invalid_requests_of_one_client_cool_nothing_and_those_of_three_do(
    store: HookedStore, client: Client
) -> None:
    async with scene(store, client, refusing(400, INVALID)) as stage:
        for _ in range(4):
            assert isinstance(await stage.ask(asker="alice"), Failed)
        assert (await stage.status()).state == "ready"
        await stage.ask(asker="bob")
        assert (await stage.status()).state == "ready"
        await stage.ask(asker="carol")
        assert (await stage.status()).state == "cooling"


# What one client's questions bring on: the refusal, and the question's text and fields.
AMONG_MANY = "Please slow down"
OWN_REFUSALS: dict[str, tuple[int, dict[str, str], str, dict[str, Any]]] = {
    "a limit of tokens": (
        429,
        {"type": "rate_limit_error", "message": "This request would exceed your limit of 30,000 input tokens."},
        "mark",
        {"options": {"temperature": 0.5}},
    ),
    "a limit that says nothing": (429, {"message": AMONG_MANY}, "mark" * LONG, {}),
    "a limit for a very long prompt": (429, {"message": AMONG_MANY}, "mark" * VERY_LONG, {}),
    "a limit of the answer": (429, {"message": AMONG_MANY}, "mark", {"options": {"max_tokens": 100_000}}),
    "a limit of a service": (429, {"message": AMONG_MANY}, "mark", {"options": {"service_tier": "flex"}}),
    "a server that is busy": (503, {"message": "overloaded"}, "mark" * LONG, {}),
    "an address of its own": (
        401,
        {"type": "auth_error", "message": "Authentication Error, Rejected Request: api_base is not allowed"},
        "mark",
        {"extra": {"api_base": "http://127.0.0.1:9"}},
    ),
    "a key of its own": (
        401,
        {"code": "invalid_api_key", "message": "Incorrect API key provided"},
        "mark",
        {"extra": {"api_key": "x"}},
    ),
}


@pytest.mark.parametrize("kind", OWN_REFUSALS)
async def test_what_one_question_asks_for_is_refused_to_nobody_else(
    store: HookedStore, client: Client, kind: str
) -> None:
    status, error, asked, fields = OWN_REFUSALS[kind]
    async with scene(store, client, GOOD) as stage:
        [server] = stage.servers

        async def play(writer: asyncio.StreamWriter) -> None:
            own = b"mark" in server.asked[-1].body
            await (refusing(status, {"error": error}, Retry_After="60") if own else GOOD)(writer)

        server.play = play
        for _ in range(3):
            assert isinstance(await stage.ask(asked, "mallory", **fields), Failed)
        assert (await stage.status()).state == "ready"
        assert isinstance(await stage.ask(asker="alice"), Final)


@pytest.mark.parametrize("kind", [kind for kind in OWN_REFUSALS if "very long" not in kind])
async def test_what_two_clients_are_refused_is_the_accounts(store: HookedStore, client: Client, kind: str) -> None:
    status, error, asked, fields = OWN_REFUSALS[kind]
    async with scene(store, client, refusing(status, {"error": error}, Retry_After="3600")) as stage:
        for asker in ("alice", "bob"):
            assert isinstance(await stage.ask(asked, asker, **fields), Failed)
        assert (await stage.status()).state == ("dead" if status == 401 else "cooling")
        stage.servers[0].play = GOOD
        await advance(store, 61)
        assert isinstance(await stage.ask(asker="alice"), Final)


async def test_a_field_of_ours_that_a_server_refuses_two_clients_is_left_out_from_then_on(
    store: HookedStore, client: Client
) -> None:
    async with scene(store, client, GOOD) as stage:
        [server] = stage.servers

        async def play(writer: asyncio.StreamWriter) -> None:
            named = [name for name in ("stream_options", "temperature") if name in server.asked[-1].json]
            refusal = {"error": {"message": f"Unsupported parameter: '{named[0]}'", "param": named[0]}} if named else {}
            await (refusing(400, refusal) if named else GOOD)(writer)

        server.play = play
        with capture_logs() as logs:
            for asker, count in (("alice", 3), ("alice", 4), ("bob", 7), ("bob", 8), ("carol", 9)):
                assert isinstance(await stage.ask(f"{count}", asker), Final)
                assert stage.counts == [count]
        assert (await stage.status()).failures == 0
    lines = [line for line in logs if "no longer sent" in line["event"]]
    assert [line["parameter"] for line in lines] == ["stream_options", "temperature"]


async def test_a_refusal_that_quotes_its_client_changes_nothing_for_the_others(
    store: HookedStore, client: Client
) -> None:
    """As vLLM refuses: it names no parameter, and repeats the value in its message."""
    async with scene(store, client, GOOD) as stage:
        [server] = stage.servers

        async def play(writer: asyncio.StreamWriter) -> None:
            value = server.asked[-1].json["messages"][-1]["content"]
            message = f"[{{'type': 'value_error', 'loc': ('body', 'tool_choice'), 'input': {value!r}}}]"
            refusal = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}
            await (refusing(400, refusal) if "unsupported" in value else GOOD)(writer)

        server.play = play
        for words in (
            "stream",
            "stream_options",
            "temperature",
            "max_tokens",
            "Tool call id was x but must be y",
            "loading model, try again in 86400 s",
            "credit balance is too low",
        ):
            assert isinstance(await stage.ask(f"{words} is unsupported", asker="mallory"), Failed)
            assert (await stage.status()).state == "ready"
        assert isinstance(await stage.ask(asker="alice"), Final)
        assert server.asked[-1].json.keys() == server.asked[0].json.keys() >= {"stream", "stream_options"}


# What one client's request is refused for at a server of Anthropic's API, and answered without.
OWN_HABITS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a value": ("temperature", "temperature: Input should be greater than or equal to 0", {"temperature": -1}),
    "a name": ("temperature", "`temperature` is deprecated for this model.", {"temperature": -1}),
    "a way to think": ("thinking", "adaptive thinking is not supported here", {"reasoning_effort": "low", "seed": 1}),
    "a limit": ("max_tokens", "max_tokens: 8192 > 4096, which is the maximum", {"seed": 1}),
    "streaming": ("stream", "Streaming is not supported", {"seed": 1}),
}


@pytest.mark.parametrize("kind", OWN_HABITS)
async def test_what_one_clients_request_lacks_nobody_elses_does(store: HookedStore, client: Client, kind: str) -> None:
    field, words, options = OWN_HABITS[kind]
    answer = answering(encoded(message(text("hello"))))
    refusal = refusing(400, {"type": "error", "error": {"type": "invalid_request_error", "message": words}})
    async with scene(store, client, GOOD, accounts=[{"provider": "anthropic"}]) as stage:
        [server] = stage.servers
        marked: list[dict[str, Any]] = []

        async def play(writer: asyncio.StreamWriter) -> None:
            body = server.asked[-1].json
            first = marked[0].get(field) if marked else body[field]
            own = "mark" in str(body["messages"]) and body.get(field) == first
            marked.extend([body] if own else [])
            await (refusal if own else answer)(writer)

        server.play = play
        wanted = {"temperature": 0.2, "top_k": 40} if field == "temperature" else options
        assert isinstance(await stage.ask(asker="alice", options=wanted), Final)
        before = server.asked[-1].json
        for number in range(2):
            assert isinstance(await stage.ask(f"mark {number}", "mallory", options=options), Final)
        assert (len(marked) > 0, server.asked[-1].json.get(field) == marked[0][field]) == (True, False)
        assert isinstance(await stage.ask(asker="alice", options=wanted), Final)
        assert server.asked[-1].json == before


async def test_a_server_that_refuses_to_stream_answers_whole(store: HookedStore, client: Client) -> None:
    async with scene(store, client, GOOD) as stage:
        [server] = stage.servers
        body = {"choices": [{"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}]}

        async def play(writer: asyncio.StreamWriter) -> None:
            refusal = {
                "error": {"message": "Streaming is not supported by this model", "type": "invalid_request_error"}
            }
            streamed = "stream" in server.asked[-1].json
            await (refusing(400, refusal) if streamed else refusing(200, body))(writer)

        server.play = play
        for _ in range(2):
            end = await stage.ask()
            assert isinstance(end, Final)
            assert end.text == "hello"
        assert stage.counts == [3]
        assert "stream_options" not in server.asked[-1].json


async def test_a_field_that_an_account_does_not_want_is_never_sent(store: HookedStore, client: Client) -> None:
    options: list[dict[str, object]] = [
        {"stream_options": False, "temperatures": StyleTemperatures("none", "none", "none")}
    ]
    async with scene(store, client, GOOD, accounts=options) as stage:
        assert isinstance(await stage.ask(), Final)
        body = json.loads(stage.servers[0].asked[0].body)
        assert body.keys() == {"model", "messages", "stream"}
