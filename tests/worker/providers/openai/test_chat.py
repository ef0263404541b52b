import asyncio
import logging
import os
import random
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from telemetry import traces
from tests.support.conditions import SOON, until
from tests.support.outbound_proxy import OutboundProxy
from tests.support.processes import open_files
from tests.support.worker import openai_server
from tests.support.worker.harness import WorkerHarness, pool_on, report_nothing, settings_with
from tests.support.worker.openai_server import HEAD, KEY, LAST, OpenAIServer, Play, chunk, events, piece, whole
from wire.blocks import Block, BlockKind, Piece
from wire.messages import Failed, HistoryMessage
from wire.prompt import Message, Prompt, Text
from wire.reasons import Reason
from wire.threads import LARGE
from worker.accounts.account import Account, CookieAccount, ServerAccount
from worker.errors import UpstreamError
from worker.providers import AccountCheck, Completion, Growth
from worker.providers.envelope import Envelopes
from worker.providers.openai.chat import OpenAIProvider
from worker.providers.openai.client import ERROR_TIMEOUT
from worker.providers.registry import ProviderRegistry, Upstream, chat_provider
from worker.providers.transcript import History, Recall, no_history
from worker.settings import WorkerSettings
from worker.turns.turn import Turn

pytestmark = pytest.mark.anyio

SECRET = "the zebra's question"
SETTINGS = WorkerSettings(connect_timeout=5.0)
QUESTION = Message("user", (Text("q"),), string=True)


async def unmarked() -> None:
    """Let every question pass, as before_send."""


def growth(text: str, block: int = 0, kind: BlockKind = "text") -> Growth:
    return Growth((Piece(block, kind, text),))


async def ask(
    account: Account,
    before_send: Callable[[], Awaitable[None]] = unmarked,
    recall: Recall = no_history,
    settings: WorkerSettings = SETTINGS,
    error_timeout: float = ERROR_TIMEOUT,
) -> list[Growth | Completion]:
    async with asyncio.timeout(SOON):
        provider = OpenAIProvider(settings, error_timeout=error_timeout)
        asking = provider.ask(account, None, "balanced", SECRET, before_send, recall)
        return [update async for update in asking]


async def failure(
    account: Account,
    before_send: Callable[[], Awaitable[None]] = unmarked,
    error_timeout: float = ERROR_TIMEOUT,
) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await ask(account, before_send, error_timeout=error_timeout)
    return caught.value


async def test_it_is_in_the_table_and_can_check() -> None:
    assert chat_provider("openai") is OpenAIProvider
    assert isinstance(OpenAIProvider(SETTINGS), AccountCheck)


async def test_an_answer_is_asked_for_and_comes_as_it_grows() -> None:
    async with OpenAIServer(
        openai_server.answering(events(chunk("he")), events(chunk("llo")), whole(" you"))
    ) as server_stub:
        *shown, ended = await ask(server_stub.account())
    assert isinstance(ended, Completion)
    assert (ended.text, ended.state, ended.blocks) == ("hello you", b"", ())
    assert [update for update in shown if update != Growth()] == [growth("he"), growth("llo"), growth(" you")]
    [request] = server_stub.asked
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {
        "model": "m",
        "messages": [{"role": "user", "content": SECRET}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(("size", "beside"), [(10, False), (LARGE, True)])
async def test_a_large_request_is_built_beside_the_event_loop(
    size: int, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    open_prompt = Envelopes.open_prompt

    def opening_in(envelopes: Envelopes, prompt: Prompt) -> Prompt:
        built.append(threading.get_ident())
        return open_prompt(envelopes, prompt)

    async def recall() -> History:
        return History(prompt=Prompt("chat", "m", (QUESTION, Message("assistant", extra={"foo": ["x" * size]}))))

    monkeypatch.setattr(Envelopes, "open_prompt", opening_in)
    async with OpenAIServer() as server_stub:
        await ask(server_stub.account(), recall=recall)
    assert [thread != threading.get_ident() for thread in built] == [beside]
    assert server_stub.asked[0].json["messages"][1]["foo"] == ["x" * size]


@pytest.mark.parametrize(
    ("style", "system", "temperature"), [("balanced", "All", None), ("creative", None, 1.0), ("precise", "Short", 0.2)]
)
async def test_a_style_is_a_system_prompt_and_a_temperature(
    style: str, system: str | None, temperature: float | None
) -> None:
    settings = SETTINGS.model_copy(update={"openai_system_balanced": "All", "openai_system_precise": "Short"})
    async with OpenAIServer() as server_stub:
        asking = OpenAIProvider(settings).ask(server_stub.account(), None, style, "q", unmarked)  # type: ignore[arg-type]
        assert [update async for update in asking]
    head = [{"role": "system", "content": system}] if system else []
    assert server_stub.asked[0].json["messages"] == [*head, {"role": "user", "content": "q"}]
    assert server_stub.asked[0].json.get("temperature") == temperature


async def test_what_was_said_before_is_sent_as_far_as_the_setting_goes() -> None:
    async def recall() -> History:
        return History(
            "Be kind.",
            (
                HistoryMessage("user", "a"),
                HistoryMessage("assistant", "b"),
                HistoryMessage("user", "c"),
                HistoryMessage("assistant", "d"),
            ),
        )

    async with OpenAIServer() as server_stub:
        await ask(server_stub.account(), recall=recall, settings=SETTINGS.model_copy(update={"openai_history": 3}))
    assert server_stub.asked[0].json["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
        {"role": "user", "content": SECRET},
    ]


@pytest.mark.parametrize(("name", "model"), [("bing-creative", "m"), ("", "m"), ("other", "other")])
async def test_a_prompt_asks_for_its_model_and_a_style_for_the_accounts(name: str, model: str) -> None:
    async def recall() -> History:
        return History("Be kind.", prompt=Prompt("chat", name, (Message("user", (Text("q"),), string=True),)))

    async with OpenAIServer() as server_stub:
        ended = (await ask(server_stub.account(), recall=recall))[-1]
    assert isinstance(ended, Completion)
    assert ended.model == model
    assert server_stub.asked[0].json == {
        "model": model,
        "messages": [{"role": "user", "content": "q"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("seed", range(8))
async def test_however_the_stream_is_cut_the_answer_is_the_same(seed: int) -> None:
    body = whole("héllo ", "wörld 😀", "\n").replace(b"\n\n", b"\r\n\r\n" if seed % 2 else b"\n\n")
    places = sorted(random.Random(seed).sample(range(1, len(body)), 20))
    pieces = [body[start:stop] for start, stop in zip([0, *places], [*places, len(body)], strict=True)]
    async with OpenAIServer(openai_server.answering(*pieces)) as server_stub:
        ended = (await ask(server_stub.account()))[-1]
    assert isinstance(ended, Completion)
    assert ended.text == "héllo wörld 😀\n"


@pytest.mark.parametrize(
    "ending", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n\r\n", b": done\n\ndata: [DONE]\n\nrubbish"]
)
async def test_the_end_is_known_however_it_is_written(ending: bytes) -> None:
    async with OpenAIServer(openai_server.answering(events(chunk("a"), chunk(None, "stop")) + ending)) as server_stub:
        assert isinstance((await ask(server_stub.account()))[-1], Completion)


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p/>"
ZIPPED = HEAD.replace(b"Transfer-Encoding", b"Content-Encoding: br\r\nTransfer-Encoding") + piece(whole("a")) + LAST


@pytest.mark.parametrize(
    ("play", "reason", "refused"),
    [
        (openai_server.refusing(401, {"error": {"message": f"{KEY} {SECRET}", "code": KEY}}), "account.refused", True),
        (openai_server.refusing(403), "account.blocked", True),
        (openai_server.refusing(404), "account.blocked", True),
        (openai_server.refusing(429, "slow down"), "account.throttled", True),
        (openai_server.refusing(400, {"error": {"code": "context_length_exceeded"}}), "session.toolong", True),
        (openai_server.refusing(400, {"error": {"message": SECRET}}), "question.invalid", True),
        (openai_server.refusing(500, SECRET), "upstream.internal", False),
        (openai_server.refusing(503), "upstream.busy", True),
        (openai_server.refusing(307, Location="/elsewhere"), "account.blocked", True),
        (openai_server.saying(HTML), "account.blocked", True),
        (openai_server.refusing(200, {"error": {"message": SECRET}}), "upstream.internal", True),
        (openai_server.saying(ZIPPED), "upstream.protocol", False),
        (openai_server.saying(SECRET.encode() + b"\r\n\r\n"), "transport.closed", False),
        (openai_server.saying(HEAD[:-2] + SECRET.encode() + b"\r\n\r\n"), "transport.closed", False),
        (openai_server.saying(), "transport.closed", False),
        (openai_server.saying(HEAD), "transport.closed", False),
        (openai_server.answering(events(chunk("a"))), "transport.closed", False),
        (openai_server.answering(events(chunk("a"), chunk(None, "stop"))[:-9]), "transport.closed", False),
        (openai_server.saying(HEAD, piece(whole("a"))[:60]), "transport.closed", False),
        (openai_server.answering(b"data: {\n\n" + whole("a")), "upstream.protocol", False),
        (openai_server.answering(b"data: " + SECRET.encode() + b"\n\n"), "upstream.protocol", False),
        (openai_server.answering(events({"error": {"code": "rate_limit_exceeded"}})), "account.throttled", True),
        (openai_server.answering(events(chunk("a"), {"error": {"code": 429}})), "upstream.internal", False),
        (openai_server.answering(*[b"x" * 1024 * 1024] * 5), "transport.toobig", False),
    ],
)
async def test_each_failure_has_its_reason_and_reports_nothing_of_the_question_or_the_key(
    play: Play, reason: str, refused: bool
) -> None:
    async with OpenAIServer(play) as server_stub:
        error = await failure(server_stub.account())
    assert (error.reason, error.refused) == (reason, refused)
    assert KEY not in str(error)
    assert "zebra" not in str(error)
    assert len(server_stub.asked) == 1


async def test_text_before_a_failure_is_shown_first() -> None:
    async with OpenAIServer(openai_server.answering(events(chunk("a"), {"error": "x"}))) as server_stub:
        asking = OpenAIProvider(SETTINGS).ask(server_stub.account(), None, "balanced", "q", unmarked)
        assert await anext(asking) == growth("a")
        with pytest.raises(UpstreamError, match=r"upstream\.internal"):
            await anext(asking)


async def test_when_to_come_back_is_reported() -> None:
    async with OpenAIServer(openai_server.refusing(429, Retry_After="7")) as server_stub:
        assert (await failure(server_stub.account())).retry_after == 7.0


async def test_a_refusal_whose_body_never_ends_is_known_by_its_status() -> None:
    head = b"HTTP/1.1 429 No\r\nContent-Length: 100\r\n\r\n{"
    async with OpenAIServer(openai_server.stopping(head)) as server_stub:
        assert (await failure(server_stub.account(), error_timeout=0.05)).reason == "account.throttled"


async def unreachable() -> None:
    raise AssertionError("nothing was to be sent")


async def test_a_refused_connection_never_marks_the_question_as_sent() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        account = ServerAccount("a", f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "m")
        error = await failure(account, unreachable)
    assert (error.reason, error.refused) == ("transport.connect", False)


async def test_a_server_without_tls_where_tls_is_wanted_can_not_be_reached() -> None:
    async with OutboundProxy() as plain:
        plain.words = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        account = ServerAccount("a", f"https://127.0.0.1:{plain.port}/v1", "m")
        assert (await failure(account, unreachable)).reason == "transport.connect"


async def test_a_server_that_says_nothing_to_tls_is_given_up_in_time() -> None:
    async with OpenAIServer() as server_stub:
        account = server_stub.account(base_url=server_stub.url.replace("http", "https"))
        quick = SETTINGS.model_copy(update={"connect_timeout": 0.1})
        with pytest.raises(UpstreamError, match=r"timeout\.connect"):
            await ask(account, unreachable, settings=quick)


@pytest.mark.parametrize("base", ["nowhere", "ftp://127.0.0.1/v1", "http://[::1", "http://\x00/"])
async def test_an_address_that_is_none_is_a_failure_like_others(base: str) -> None:
    assert (await failure(ServerAccount("a", base, "m", KEY), unreachable)).reason == "upstream.protocol"


async def test_a_key_that_can_not_be_sent_is_not_shown() -> None:
    async with OpenAIServer() as server_stub:
        error = await failure(server_stub.account(key="sk-1\nX: y"))
        assert (error.reason, "sk-1" in str(error)) == ("upstream.protocol", False)
        assert server_stub.asked == []


async def test_a_trace_goes_along_in_a_header_and_only_if_there_is_one() -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with OpenAIServer() as server_stub:
        await ask(server_stub.account())
        with traces.use_traceparent(traceparent):
            await ask(server_stub.account())
    assert [request.headers.get("traceparent") for request in server_stub.asked] == [None, traceparent]


async def test_a_key_may_be_any_text() -> None:
    async with OpenAIServer() as server_stub:
        await ask(server_stub.account(key="schlüssel"))
    assert server_stub.asked[0].headers["authorization"].encode("latin-1").decode() == "Bearer schlüssel"


async def test_an_account_without_a_server_is_refused() -> None:
    assert (await failure(CookieAccount("a", {"_U": "x"}), unreachable)).reason == "account.refused"


async def test_the_mark_is_set_before_anything_is_written() -> None:
    marks: list[tuple[int, list[openai_server.Asked]]] = []
    async with OpenAIServer() as server_stub:

        async def mark() -> None:
            await until(lambda: server_stub.connections == 1)
            marks.append((server_stub.bytes, list(server_stub.asked)))

        await ask(server_stub.account(), mark)
    assert marks == [(0, [])]


@pytest.mark.parametrize("veto", [RuntimeError("stale"), TimeoutError("late"), UpstreamError(Reason.UPSTREAM_INTERNAL)])
async def test_a_veto_passes_through_and_nothing_is_sent(veto: Exception) -> None:
    async def refuse() -> None:
        raise veto

    async with OpenAIServer() as server_stub:
        with pytest.raises(type(veto)) as caught:
            await ask(server_stub.account(), refuse)
        assert caught.value is veto
        assert server_stub.bytes == 0


async def test_closing_hangs_up_at_once() -> None:
    async with OpenAIServer(openai_server.stopping(HEAD, piece(events(chunk("a"))))) as server_stub:
        asking = OpenAIProvider(SETTINGS).ask(server_stub.account(), None, "balanced", "q", unmarked)
        async with asyncio.timeout(SOON), aclosing(asking):
            assert await anext(asking) == growth("a")
            assert not server_stub.left.is_set()
        async with asyncio.timeout(SOON):
            await server_stub.left.wait()


@pytest.mark.parametrize(
    "play", [openai_server.stopping(), openai_server.stopping(HEAD), openai_server.stopping(HEAD, b"5\r\nda")]
)
async def test_cancelling_hangs_up_at_once(play: Play) -> None:
    async with OpenAIServer(play) as server_stub:
        task = asyncio.ensure_future(ask(server_stub.account()))
        await server_stub.cancel_once_asked(task)


async def test_each_ask_has_a_connection_of_its_own_and_leaves_none() -> None:
    async with OpenAIServer() as server_stub:
        provider = OpenAIProvider(SETTINGS)
        files = len(open_files(os.getpid()))
        for _ in range(5):
            assert [update async for update in provider.ask(server_stub.account(), None, "balanced", "q", unmarked)]
        assert server_stub.connections == 5
        await until(lambda: len(open_files(os.getpid())) <= files)
        await provider.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_it_goes_out_by_the_accounts_proxy(scheme: str) -> None:
    async with OpenAIServer() as server_stub, OutboundProxy() as proxy:
        account = server_stub.account(base_url=f"http://models.example:{server_stub.port}/v1")
        await ask(replace(account, proxy=proxy.url(scheme)))
    assert proxy.targets == [f"models.example:{server_stub.port}"]
    assert server_stub.asked[0].headers["host"] == f"models.example:{server_stub.port}"


async def test_a_proxy_that_refuses_spends_nothing() -> None:
    async with OpenAIServer() as server_stub, OutboundProxy() as proxy:
        proxy.refuse = True
        account = replace(server_stub.account(), proxy=proxy.url("http"))
        assert (await failure(account, unreachable)).reason == "transport.connect"
    assert server_stub.connections == 0


async def test_the_environments_proxies_have_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with OpenAIServer() as server_stub:
        assert await ask(server_stub.account())


async def test_nothing_of_the_question_or_the_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with OpenAIServer() as server_stub:
        await ask(server_stub.account(base_url=f"{server_stub.url}/v1?secret={KEY}"))
    assert KEY not in caplog.text
    assert "zebra" not in caplog.text


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (openai_server.refusing(200, {"data": []}), ""),
        (openai_server.refusing(401), "account.blocked"),
        (openai_server.refusing(403), "account.blocked"),
        (openai_server.refusing(404), "upstream.protocol"),
        (openai_server.refusing(429), "account.throttled"),
        (openai_server.refusing(500), "upstream.internal"),
        (openai_server.stopping(), "timeout.connect"),
    ],
)
async def test_a_check_asks_for_the_models_and_nothing_else(play: Play, reason: str) -> None:
    async with OpenAIServer(play) as server_stub:
        connect_timeout = 0.3 if reason == "timeout.connect" else 30.0
        provider = OpenAIProvider(SETTINGS.model_copy(update={"connect_timeout": connect_timeout}))
        received = ""
        try:
            await provider.check(server_stub.account())
        except UpstreamError as error:
            received = error.reason
    assert received == reason
    assert [(request.method, request.target, request.body) for request in server_stub.asked] == [
        ("GET", "/v1/models", b"")
    ]


@pytest.mark.parametrize(
    ("play", "reason", "text"),
    [
        (openai_server.stopping(), "timeout.first", ""),
        (openai_server.stopping(HEAD), "timeout.first", ""),
        (openai_server.stopping(HEAD, piece(events(chunk("a")))), "timeout.idle", "a"),
        (openai_server.answering(whole()), "answer.empty", ""),
        (openai_server.refusing(400, {"error": {"message": SECRET}}), "question.invalid", ""),
    ],
)
async def test_a_turn_without_an_answer_ends_in_time_with_one_failure(
    harness: WorkerHarness, play: Play, reason: str, text: str
) -> None:
    async with OpenAIServer(play) as server_stub:
        # Only what is to time out may do so on a busy machine.
        settings = settings_with(
            first_text_timeout=0.3 if reason == "timeout.first" else SOON,
            idle_timeout=0.3 if reason == "timeout.idle" else SOON,
        )
        pool = pool_on(harness.client.store, settings, [server_stub.account("x"), server_stub.account("y")])
        await pool.announce()
        task = await harness.task(SECRET)
        with capture_logs() as logs:
            outcome = await Turn(
                Upstream(settings, pool, ProviderRegistry(settings)),
                harness.sessions,
                task,
                lambda: True,
                report_nothing,
            ).run()
        assert isinstance(outcome.event, Failed)
        assert (outcome.event.reason, outcome.event.text) == (reason, text)
        assert len(server_stub.asked) == (2 if reason == "question.invalid" else 1)
        if "timeout" in reason:
            async with asyncio.timeout(SOON):
                await server_stub.left.wait()
        await pool.close(1)
    assert "zebra" not in str(logs)


@pytest.mark.parametrize(
    "sign",
    [
        b": ping\n\n",
        b"\n",
        *(
            events({"choices": [{"index": 0, "delta": {name: "hm"}}]})
            for name in (
                "role",
                "reasoning_content",
                "reasoning",
                "thinking",
                "reasoning_details",
                "reasoning_text",
                "x",
            )
        ),
    ],
)
async def test_whatever_arrives_is_a_sign_of_life(sign: bytes) -> None:
    async with OpenAIServer(openai_server.answering(sign, sign, whole("hello"))) as server_stub:
        *shown, ended = await ask(server_stub.account())
    assert isinstance(shown[0], Growth)
    assert isinstance(ended, Completion)
    assert [piece for piece in shown[0].pieces if piece.kind == "text"] == []
    assert ended.text == "hello"


@pytest.mark.parametrize("ending", [events(chunk(None, "stop")), events(chunk("", "stop")) + b": ping\n\n"])
async def test_an_answer_that_has_ended_waits_but_shortly_for_the_rest(ending: bytes) -> None:
    play = openai_server.stopping(HEAD, piece(events(chunk("hello"))), piece(ending))
    async with OpenAIServer(play) as server_stub:
        ended = (await ask(server_stub.account(), settings=SETTINGS.model_copy(update={"idle_timeout": 0.2})))[-1]
        assert isinstance(ended, Completion)
        assert ended.text == "hello"
        async with asyncio.timeout(SOON):
            await server_stub.left.wait()


async def test_a_cut_after_the_answer_has_ended_undoes_nothing() -> None:
    play = openai_server.saying(HEAD, piece(events(chunk("hello"), chunk(None, "length"))))
    async with OpenAIServer(play) as server_stub:
        ended = (await ask(server_stub.account()))[-1]
    assert isinstance(ended, Completion)
    assert (ended.text, ended.finish) == ("hello", "length")


async def test_reasoning_between_tags_is_a_block_of_its_own_where_the_account_says_so() -> None:
    play = openai_server.answering(
        *(events(chunk(text)) for text in ("<thi", "nk>hm", "</think>\n\n", "y")), whole("es")
    )
    async with OpenAIServer(play) as server_stub:
        *shown, ended = await ask(server_stub.account(think_tags=True))
        *_, unsplit = await ask(server_stub.account())
    assert isinstance(ended, Completion)
    assert isinstance(unsplit, Completion)
    assert [update for update in shown if update != Growth()] == [
        growth("hm", kind="reasoning"),
        growth("y", 1),
        growth("es", 1),
    ]
    assert (ended.text, ended.blocks) == ("yes", (Block("reasoning", "hm"), Block("text", "yes")))
    assert (unsplit.text, unsplit.blocks) == ("<think>hm</think>\n\nyes", ())


async def test_how_a_server_begins_its_answers_is_learnt() -> None:
    play = openai_server.answering(*(events(chunk(text)) for text in ("hm\n", "</think>\n\ny")), whole("es"))
    async with OpenAIServer(play) as server_stub:
        provider, account = OpenAIProvider(SETTINGS), server_stub.account(think_tags=True)
        assert [update async for update in provider.ask(account, None, "balanced", "q", unmarked)]
        server_stub.play = openai_server.stopping(HEAD, piece(events(chunk("so so"))))
        asking = provider.ask(account, None, "balanced", "q", unmarked)
        async with asyncio.timeout(SOON), aclosing(asking):
            assert await anext(asking) == growth("so so", kind="reasoning")


async def test_an_answer_is_requested_whole_where_the_account_does_not_stream() -> None:
    body = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
    async with OpenAIServer(openai_server.refusing(200, body)) as server_stub:
        ended = (await ask(server_stub.account(stream=False)))[-1]
    assert isinstance(ended, Completion)
    assert ended.text == "hello"
    assert server_stub.asked[0].json.keys() == {"model", "messages"}
