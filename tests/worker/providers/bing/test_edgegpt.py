import asyncio
import gzip
import json
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from aiohttp import WSCloseCode, web

from tests.support.conditions import until
from tests.support.processes import open_files
from tests.support.tcp_table import is_established
from wire.reasons import Reason
from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers import Completion, SavedConversation, Snapshot, TextUpdate
from worker.providers.bing import edgegpt
from worker.providers.bing.edgegpt import EdgeGPTProvider
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

ALICE = CookieAccount("alice", {"_U": "alice", "SRCHHPGUSR": "A=b&C=d/e"})
STATE = b'{"conversation_id":"c","client_id":"p","signature":"s","access_token":null}'


async def nothing() -> None:
    """Let every question pass, as before_send."""


def update(text: str, **fields: Any) -> str:
    message = {"author": "bot", "text": text, **fields}
    return json.dumps({"type": 1, "target": "update", "arguments": [{"messages": [message]}]}) + "\x1e"


def answer(text: str, **item: Any) -> str:
    messages = [{"author": "bot", "text": text}]
    return json.dumps({"type": 2, "item": {"messages": messages, "result": {"value": "Success"}, **item}}) + "\x1e"


def says(*messages: str) -> Callable[[web.WebSocketResponse], Awaitable[None]]:
    """Return a script that sends these messages."""

    async def script(socket: web.WebSocketResponse) -> None:
        for message in messages:
            await socket.send_str(message)

    return script


def asking(
    settings: WorkerSettings,
    question: str = "why?",
    conversation: SavedConversation | None = None,
    before_send: Callable[[], Awaitable[None]] = nothing,
) -> AsyncGenerator[TextUpdate, None]:
    return EdgeGPTProvider(settings).ask(ALICE, conversation, "balanced", question, before_send)


async def updates(stream: AsyncGenerator[TextUpdate, None]) -> list[TextUpdate]:
    with anyio.fail_after(10):
        async with aclosing(stream):
            return [update async for update in stream]


async def failure(stream: AsyncGenerator[TextUpdate, None]) -> tuple[UpstreamError, list[TextUpdate]]:
    """Return the error that ends an ask, and what it yielded before."""
    received: list[TextUpdate] = []
    with anyio.fail_after(10):
        async with aclosing(stream):
            try:
                async for update in stream:
                    received.append(update)
            except UpstreamError as error:
                return error, received
    raise AssertionError(f"answered: {received}")


async def test_an_answer_is_streamed_and_completed(stage: Any) -> None:
    stage.script = says(update("a"), update("ab"), answer("ab"))
    assert await updates(asking(stage.settings)) == [
        Snapshot("a"),
        Snapshot("ab"),
        Completion("ab", b'{"conversation_id":"c1","client_id":"p","signature":"s","access_token":null}'),
    ]


async def test_the_question_is_edgegpts_own(stage: Any) -> None:
    stage.script = says(answer("a"))
    await updates(asking(stage.settings, "warum ‘so’?"))
    (question,) = stage.questions
    assert question["invocationId"] == "3"
    (argument,) = question["arguments"]
    assert argument["message"]["text"] == "warum ‘so’?"
    assert (argument["isStartOfSession"], argument["tone"], argument["source"]) == (True, "Balanced", "cib")
    assert (argument["conversationId"], argument["conversationSignature"]) == ("c1", "s")
    assert argument["participant"] == {"id": "p"}


async def test_cookies_go_out_unquoted_and_the_machines_address_does_not(stage: Any) -> None:
    stage.script = says(answer("a"))
    await updates(asking(stage.settings))
    for headers in (stage.creates[0], stage.upgrades[0].headers):
        assert headers["Cookie"] == "_U=alice; SRCHHPGUSR=A=b&C=d/e"
        assert "x-forwarded-for" not in {name.lower() for name in headers}


async def test_a_conversation_continues_in_another_provider_without_a_creation(stage: Any) -> None:
    stage.script = says(answer("a"))
    *_, done = await updates(asking(stage.settings))
    assert isinstance(done, Completion)
    assert done.state
    await updates(asking(stage.settings, "and then?", SavedConversation(done.state, sent=1)))
    assert len(stage.creates) == 1
    first, second = (question["arguments"][0] for question in stage.questions)
    assert stage.questions[1]["invocationId"] == "4"
    assert (first["isStartOfSession"], second["isStartOfSession"]) == (True, False)
    assert first["conversationId"] == second["conversationId"]


async def test_a_signature_in_headers_is_used(stage: Any) -> None:
    headers = {"X-Sydney-ConversationSignature": "h", "X-Sydney-EncryptedConversationSignature": "e+/="}
    stage.create = lambda: web.json_response({"conversationId": "c", "clientId": "p"}, headers=headers)
    stage.script = says(answer("a"))
    *_, done = await updates(asking(stage.settings))
    assert stage.upgrades[0].query == {"sec_access_token": "e+/="}
    assert stage.questions[0]["arguments"][0]["conversationSignature"] == "h"
    assert isinstance(done, Completion)
    assert done.state
    await updates(asking(stage.settings, conversation=SavedConversation(done.state, sent=1)))
    assert stage.upgrades[1].query == {"sec_access_token": "e+/="}


async def test_a_state_that_cant_be_read_asks_for_a_fresh_conversation(stage: Any) -> None:
    error, _ = await failure(asking(stage.settings, conversation=SavedConversation(b"?", sent=1)))
    assert (error.reason, error.refused) == ("session.expired", True)
    assert (stage.creates, stage.upgrades) == ([], [])


# What comes before the answer and EdgeGPT alone could not bear.


@pytest.mark.parametrize(
    "message",
    [
        {"author": "bot", "messageType": "InternalSearchResult", "text": "{}", "hiddenText": "x"},
        {"author": "bot", "messageType": "Progress", "text": "x", "adaptiveCards": [{"body": [{"type": "TextBlock"}]}]},
        {"author": "bot", "messageType": "GenerateContentQuery", "contentType": "IMAGE", "text": "a cat"},
        {"author": "bot", "messageType": "InternalSuggestions", "hiddenText": "{}"},
        {"author": "bot", "text": ""},
        {"author": "bot", "text": "", "adaptiveCards": []},
    ],
)
async def test_messages_that_are_no_text_are_passed_over(stage: Any, message: dict[str, Any]) -> None:
    odd = json.dumps({"type": 1, "target": "update", "arguments": [{"messages": [message]}]}) + "\x1e"
    end = answer("a", messages=[message, {"author": "bot", "text": "a"}, message])
    stage.script = says(odd, update("a"), odd, end)
    received = await updates(asking(stage.settings))
    assert [update.text for update in received] == ["a", "a"]


async def test_several_records_in_one_message_are_one_step(stage: Any) -> None:
    stage.script = says(update("a") + update("ab") + '{"type":6}\x1e' + answer("ab") + '{"type":3}\x1e')
    assert [update.text for update in await updates(asking(stage.settings))] == ["ab", "ab"]


async def test_a_few_empty_messages_do_no_harm(stage: Any) -> None:
    stage.script = says("", "", update("a"), "", answer("a"))
    assert [update.text for update in await updates(asking(stage.settings))] == ["a", "a"]


async def test_the_servers_pings_are_answered_but_not_each_one(stage: Any) -> None:
    stage.script = says(*['{"type":6}\x1e'] * 50, answer("a"))
    await updates(asking(stage.settings))
    await until(lambda: bool(stage.codes))
    assert 1 <= sum(record == {"type": 6} for record in stage.received) <= 5


async def test_the_line_is_closed_politely_and_at_once(stage: Any) -> None:
    stage.script = says(answer("a"))
    files = len(open_files(os.getpid()))
    async with aclosing(asking(stage.settings)) as stream:
        async for update in stream:
            if isinstance(update, Completion):
                await until(lambda: stage.codes == [1000])
    await until(lambda: len(open_files(os.getpid())) <= files)


# What ends a turn without an answer.


async def cut(socket: web.WebSocketResponse) -> None:
    assert socket._req is not None
    assert socket._req.transport is not None
    socket._req.transport.abort()


async def hang_up(socket: web.WebSocketResponse) -> None:
    await socket.close()


async def send_binary(socket: web.WebSocketResponse) -> None:
    await socket.send_bytes(b"{}\x1e")


async def send_invalid(socket: web.WebSocketResponse) -> None:
    await socket._writer.send_frame(b"\xff\xfe", 1)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (hang_up, "transport.closed"),
        (cut, "transport.closed"),
        (send_binary, "upstream.protocol"),
        (send_invalid, "upstream.protocol"),
        (says("", "", "", "", ""), "upstream.protocol"),
        (says("nonsense\x1e"), "upstream.protocol"),
        (says('{"type":1,"arg', 'uments":[]}\x1e'), "upstream.protocol"),
        (says("x" * (4 * 1024 * 1024 + 1)), "transport.toobig"),
        (says('{"type":7}\x1e'), "transport.closed"),
        (says('{"type":3,"error":"x"}\x1e'), "upstream.internal"),
        (says('{"type":2,"item":{}}\x1e'), "upstream.protocol"),
    ],
)
@pytest.mark.parametrize("text", ["", "some text"])
async def test_a_broken_turn_is_one_error(stage: Any, script: Any, reason: str, text: str) -> None:
    async def play(socket: web.WebSocketResponse) -> None:
        if text:
            await socket.send_str(update(text))
        await script(socket)

    stage.script = play
    error, received = await failure(asking(stage.settings))
    assert (error.reason, error.refused) == (reason, False)
    assert [update.text for update in received] == ([text] if text else [])
    await until(lambda: len(stage.codes) == 1)


async def test_text_of_the_message_that_breaks_off_is_not_lost(stage: Any) -> None:
    stage.script = says(update("some text") + '{"type":7}\x1e')
    error, received = await failure(asking(stage.settings))
    assert (error.reason, received) == ("transport.closed", [Snapshot("some text")])


@pytest.mark.parametrize(
    ("value", "message", "reason", "refused"),
    [
        ("Throttled", "Request is throttled.", "account.throttled", True),
        ("CaptchaChallenge", "User needs to solve CAPTCHA to continue.", "account.captcha", True),
        ("InvalidSession", "Conversation doesn't exist or has expired.", "session.expired", True),
        ("UnauthorizedRequest", "Token issued by x is invalid", "session.expired", True),
        ("UnauthorizedRequest", "Sorry, you need to login first", "account.unauthorized", True),
        ("InternalError", "Unhandled Exception", "upstream.internal", False),
        ("Surprise", "", "upstream.protocol", False),
    ],
)
@pytest.mark.parametrize("with_error", [True, False])
async def test_a_refused_turn_is_recognised_by_its_result(
    stage: Any, value: str, message: str, reason: str, refused: bool, with_error: bool
) -> None:
    result = {"value": value, "message": message, **({"error": message} if with_error else {})}
    stage.script = says(json.dumps({"type": 2, "item": {"result": result}}) + '\x1e{"type":3}\x1e')
    error, received = await failure(asking(stage.settings))
    assert (error.reason, error.refused, received) == (reason, refused, [])


async def test_citation_marks_are_no_part_of_what_is_shown(stage: Any) -> None:
    stage.script = says(update("a [^1"), update("a [^1^] b[^"), answer("a [^1^] b[^2^]"))
    assert [update.text for update in await updates(asking(stage.settings))] == ["a ", "a  b", "a  b"]


async def test_an_open_mark_is_shown_when_the_turn_fails(stage: Any) -> None:
    stage.script = says(update("half [^1"), '{"type":3,"error":"oops"}\x1e')
    _, received = await failure(asking(stage.settings))
    assert received == [Snapshot("half "), Snapshot("half [^1")]


async def test_an_internal_error_after_the_whole_text_leaves_the_text_shown(stage: Any) -> None:
    result = {"value": "InternalError", "message": "Unhandled Exception", "error": "Unhandled Exception"}
    stage.script = says(update("all of it"), json.dumps({"type": 2, "item": {"result": result}}) + "\x1e")
    error, received = await failure(asking(stage.settings))
    assert (error.reason, error.refused, received) == ("upstream.internal", False, [Snapshot("all of it")])


async def test_what_edgegpt_raises_by_itself_is_a_protocol_error(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = EdgeGPTProvider(stage.settings)
    monkeypatch.setattr(provider._edgegpt.chathub, "HEADERS", None)
    error, _ = await failure(provider.ask(ALICE, None, "balanced", "why?", nothing))
    assert (error.reason, error.refused) == ("upstream.protocol", False)


async def test_what_edgegpt_raises_after_the_end_changes_nothing(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.providers.bing.socket._REPLACEMENTS", dict.fromkeys(_every_update(), '{"type":2}\x1e'))
    stage.script = says(answer("a"))
    *_, done = await updates(asking(stage.settings))
    assert isinstance(done, Completion)
    assert done.text == "a"


def _every_update() -> list[Any]:
    from worker.providers.bing.reply import ReplyUpdate

    return list(ReplyUpdate)


# Connecting.


async def test_a_refused_connection_never_marks_the_question_as_sent(free_port: int) -> None:
    settings = WorkerSettings(bing_chat_url=f"ws://127.0.0.1:{free_port}/chat")
    error, _ = await failure(asking(settings, conversation=SavedConversation(STATE, 1), before_send=_unreachable))
    assert (error.reason, error.refused) == ("transport.connect", False)


async def test_a_refused_creation_is_a_connection_error(free_port: int) -> None:
    settings = WorkerSettings(bing_create_url=f"http://127.0.0.1:{free_port}/create")
    error, _ = await failure(asking(settings, before_send=_unreachable))
    assert (error.reason, error.refused) == ("transport.connect", False)


@pytest.mark.parametrize("status", [200, 403, 404, 502])
async def test_a_refused_upgrade_is_an_error(stage: Any, status: int) -> None:
    settings = stage.settings.model_copy(update={"bing_chat_url": f"{stage.url}/create"})
    stage.create = lambda: web.Response(status=status)
    error, _ = await failure(asking(settings, conversation=SavedConversation(STATE, 1), before_send=_unreachable))
    assert (error.reason, error.refused) == ("transport.upgrade", False)


async def test_a_refused_handshake_is_an_error(stage: Any) -> None:
    stage.shake = says('{"error":"Handshake was canceled."}\x1e')
    error, _ = await failure(asking(stage.settings, before_send=_unreachable))
    assert (error.reason, error.detail) == ("transport.upgrade", "a handshake that fails")


@pytest.mark.parametrize("shake", [hang_up, cut])
async def test_a_cut_in_the_handshake_is_an_error(stage: Any, shake: Any) -> None:
    stage.shake = shake
    error, _ = await failure(asking(stage.settings, before_send=_unreachable))
    assert error.reason == "transport.closed"


async def test_a_silent_handshake_ends_in_time(stage: Any) -> None:
    stage.shake = says()
    settings = stage.settings.model_copy(update={"connect_timeout": 0.2})
    error, _ = await failure(asking(settings, before_send=_unreachable))
    assert error.reason == "timeout.connect"
    await until(lambda: len(stage.codes) == 1)


async def test_a_silent_creation_ends_in_time(stage: Any) -> None:
    async def never() -> web.StreamResponse:
        await anyio.sleep_forever()
        raise AssertionError

    stage.create = never
    settings = stage.settings.model_copy(update={"connect_timeout": 0.2})
    error, _ = await failure(asking(settings, before_send=_unreachable))
    assert error.reason == "timeout.connect"


async def test_a_silent_upgrade_ends_in_time(silent_port: int) -> None:
    settings = WorkerSettings(bing_chat_url=f"ws://127.0.0.1:{silent_port}/chat", connect_timeout=0.2)
    error, _ = await failure(asking(settings, conversation=SavedConversation(STATE, 1), before_send=_unreachable))
    assert error.reason == "timeout.connect"


@pytest.mark.parametrize(
    ("response", "reason", "refused"),
    [
        (lambda: web.Response(status=403), "account.unauthorized", True),
        (lambda: web.Response(status=404), "upstream.internal", False),
        (lambda: web.Response(status=503), "upstream.internal", False),
        (lambda: web.Response(text="<html>", content_type="text/html"), "upstream.protocol", False),
        (lambda: web.Response(), "upstream.protocol", False),
        (lambda: web.Response(status=302, headers={"Location": "/create"}), "upstream.protocol", False),
        (lambda: web.json_response({"result": {"value": "UnauthorizedRequest"}}), "account.unauthorized", True),
        (lambda: web.json_response({"result": {"value": "Forbidden"}}), "account.unauthorized", True),
        (lambda: web.json_response({"result": {"value": "InternalServerError"}}), "upstream.internal", False),
    ],
)
async def test_a_failed_creation_is_recognised_by_its_response(
    stage: Any, response: Any, reason: str, refused: bool
) -> None:
    stage.create = response
    error, _ = await failure(asking(stage.settings, before_send=_unreachable))
    assert (error.reason, error.refused) == (reason, refused)
    assert stage.upgrades == []


async def test_a_creation_that_is_a_bomb_is_not_read_to_its_end(stage: Any) -> None:
    bomb = gzip.compress(bytes(50_000_000), 1)
    stage.create = lambda: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
    error, _ = await failure(asking(stage.settings, before_send=_unreachable))
    assert (error.reason, error.refused) == ("transport.toobig", False)
    assert stage.upgrades == []


async def test_a_check_begins_a_conversation_and_asks_nothing(stage: Any) -> None:
    await EdgeGPTProvider(stage.settings).check(ALICE)
    assert len(stage.creates) == 1
    assert stage.questions == []


async def test_the_environments_proxies_have_no_effect(
    stage: Any, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "WSS_PROXY", "WS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")
        monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{free_port}")
    stage.script = says(answer("a"))
    assert len(await updates(asking(stage.settings))) == 2


# The mark before sending.


async def _unreachable() -> None:
    raise AssertionError("nothing was to be sent")


async def test_the_mark_is_between_the_handshake_and_the_question(stage: Any) -> None:
    marked: list[int] = []

    async def mark() -> None:
        await until(lambda: len(stage.received) == 1)
        marked.append(len(stage.questions))

    stage.script = says(answer("a"))
    await updates(asking(stage.settings, before_send=mark))
    assert marked == [0]
    assert len(stage.questions) == 1


@pytest.mark.parametrize("veto", [RuntimeError("stale"), UpstreamError(Reason.UPSTREAM_INTERNAL), TimeoutError("late")])
async def test_a_veto_passes_through_and_nothing_is_sent(stage: Any, veto: Exception) -> None:
    async def refuse() -> None:
        raise veto

    with pytest.raises(type(veto)) as caught:
        await updates(asking(stage.settings, before_send=refuse))
    assert caught.value is veto
    await until(lambda: len(stage.codes) == 1)
    assert stage.questions == []


async def test_a_line_that_breaks_at_the_mark_is_a_cut(stage: Any) -> None:
    client_port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def shake(socket: web.WebSocketResponse) -> None:
        await socket.send_str("{}\x1e")
        port = socket.get_extra_info("peername")[1]
        await cut(socket)
        client_port.set_result(port)

    async def mark() -> None:
        port, server_port = await client_port, urlsplit(stage.url).port
        await until(lambda: not is_established(port, server_port), "the reset has crossed the loopback")

    stage.shake = shake
    error, _ = await failure(asking(stage.settings, before_send=mark))
    assert (error.reason, error.refused) == ("transport.closed", False)


# Hanging up.


async def test_closing_in_the_middle_hangs_up_at_once(stage: Any) -> None:
    stage.script = says(update("a"))
    files = len(open_files(os.getpid()))
    stream = asking(stage.settings)
    assert await anext(stream) == Snapshot("a")
    await stream.aclose()
    await until(lambda: stage.codes == [WSCloseCode.OK])
    await until(lambda: len(open_files(os.getpid())) <= files)


@pytest.mark.parametrize("moment", ["create", "handshake", "mark", "answer"])
async def test_cancelling_at_any_moment_hangs_up_at_once(stage: Any, moment: str) -> None:
    reached = asyncio.Event()
    gone = asyncio.Event()

    async def hold(*_: Any) -> Any:
        reached.set()
        try:
            await anyio.sleep_forever()
        finally:
            gone.set()

    if moment == "create":
        stage.create = hold
    elif moment == "handshake":
        stage.shake = says()
    else:
        stage.script = says()
    files = len(open_files(os.getpid()))
    task = asyncio.ensure_future(updates(asking(stage.settings, before_send=hold if moment == "mark" else nothing)))
    await until(
        {"handshake": lambda: bool(stage.upgrades), "answer": lambda: bool(stage.questions)}.get(moment, reached.is_set)
    )
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(gone.is_set if moment == "create" else lambda: len(stage.codes) == 1)
    await until(lambda: len(open_files(os.getpid())) <= files)


async def test_a_server_that_does_not_hang_up_delays_nothing(stage: Any) -> None:
    async def deaf(socket: web.WebSocketResponse) -> None:
        await socket.send_str(update("a"))
        await anyio.sleep_forever()

    stage.script = deaf
    stream = asking(stage.settings)
    await anext(stream)
    with anyio.fail_after(0.5):
        await stream.aclose()


async def test_many_ask_at_once_and_each_gets_its_own_answer(stage: Any) -> None:
    async def echo(socket: web.WebSocketResponse) -> None:
        text = ""
        for word in ("you ", "asked ", "something"):
            text += word
            await socket.send_str(update(text))
            await asyncio.sleep(0)
        await socket.send_str(answer(text))

    stage.script = echo
    provider = EdgeGPTProvider(stage.settings)
    files = len(open_files(os.getpid()))
    streams = (
        provider.ask(CookieAccount(f"a{n}", {"_U": f"u{n}"}), None, "precise", f"q{n}", nothing) for n in range(50)
    )
    for received in await asyncio.gather(*map(updates, streams)):
        assert [update.text for update in received] == ["you ", "you asked ", *["you asked something"] * 2]
    cookies = {upgrade.headers["Cookie"] for upgrade in stage.upgrades}
    assert cookies == {f"_U=u{n}" for n in range(50)}
    await provider.close()
    await until(lambda: len(open_files(os.getpid())) <= files)


# Manners.


async def test_nothing_is_printed(stage: Any, capfd: pytest.CaptureFixture[str]) -> None:
    apology = {"author": "bot", "text": "No.", "contentOrigin": "Apology"}
    picture = {"author": "bot", "text": "a cat", "messageType": "GenerateContentQuery"}
    odd = json.dumps({"type": 1, "target": "update", "arguments": [{"messages": [picture]}]}) + "\x1e"
    stage.script = says(odd, update("a"), answer("", messages=[apology]))
    received = await updates(asking(stage.settings))
    assert received[-1].text == "a"
    stage.create = lambda: web.Response(status=500, text="a page")
    await failure(asking(stage.settings))
    assert capfd.readouterr() == ("", "")


async def test_edgegpts_deprecated_calls_warn_nobody(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer(datetime):
        """As of Python 3.12."""

        @classmethod
        def utcnow(cls) -> "Newer":
            warnings.warn("utcnow() is deprecated", DeprecationWarning, stacklevel=2)
            return cls.fromtimestamp(0)

    monkeypatch.setattr("EdgeGPT.request.datetime", Newer)
    stage.script = says(answer("a"))
    assert len(await updates(asking(stage.settings))) == 2


def test_it_is_built_without_a_route_and_without_a_word() -> None:
    program = """
import socket, sys
def unreachable(*_): raise OSError("Network is unreachable")
socket.socket.connect = unreachable
from worker.providers.registry import chat_provider
from worker.settings import WorkerSettings
assert "EdgeGPT" not in sys.modules and "BingImageCreator" not in sys.modules
found = chat_provider("edgegpt")
assert "EdgeGPT" not in sys.modules
found(WorkerSettings()), found(WorkerSettings())
assert sys.modules["socket"] is socket
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def free_port() -> int:
    """Yield a port that refuses connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def silent_port() -> Any:
    """Yield a port that accepts connections and never sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("texts", [("a" * 1000, "b" * 1000), ("[^a^]" * 200, "[^b^]" * 200)], ids=["text", "marks"])
async def test_an_answer_that_changes_without_end_is_cut_off(
    stage: Any, monkeypatch: pytest.MonkeyPatch, texts: tuple[str, str]
) -> None:
    """Each change is written whole, and Redis keeps them all; or is read for its marks."""
    monkeypatch.setattr(edgegpt, "MAX_REPLACED", 5000)
    stage.script = says(*(update(texts[number % 2]) for number in range(100)))
    with pytest.raises(UpstreamError) as caught:
        await updates(asking(stage.settings))
    assert caught.value.reason == Reason.TRANSPORT_TOO_BIG
