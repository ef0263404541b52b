"""An account's proxy: all of the account's requests use it, and no failure of it shows its password."""

import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web

from tests.support.certificates import write_certificate
from tests.support.outbound_proxy import OutboundProxy
from tests.worker.providers.bing.test_edgegpt import ALICE, answer, failure, nothing, says, updates
from tests.worker.providers.bing.test_images import PICTURES, Studio, studio  # noqa: F401 - a fixture
from worker.accounts.account import Account
from worker.errors import UpstreamError
from worker.providers import Completion, SavedConversation, TextUpdate
from worker.providers.bing.edgegpt import EdgeGPTProvider
from worker.providers.bing.images import BingImageProvider
from worker.settings import WorkerSettings

pytestmark = pytest.mark.anyio

SCHEMES = ["http", "socks5"]
LOGIN, CREDENTIALS = "u%40ser:p4ss%3Aword", ("u@ser", "p4ss:word")


@pytest.fixture
async def proxy() -> AsyncIterator[OutboundProxy]:
    async with OutboundProxy() as proxy:
        yield proxy


def by(address: str) -> Account:
    return replace(ALICE, proxy=address)


async def ask(settings: WorkerSettings, account: Account) -> list[TextUpdate]:
    return await updates(EdgeGPTProvider(settings).ask(account, None, "balanced", "why?", nothing))


async def not_answered(settings: WorkerSettings, account: Account) -> UpstreamError:
    error, received = await failure(EdgeGPTProvider(settings).ask(account, None, "balanced", "why?", nothing))
    assert received == []
    return error


async def draw(
    settings: WorkerSettings, account: Account, before_send: Callable[[], Awaitable[None]] = nothing
) -> tuple[str, ...]:
    with anyio.fail_after(10):
        return await BingImageProvider(settings).draw(account, "a red circle", before_send)


def place(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_conversation_is_created_and_asked_in_by_the_proxy(
    stage: Any, proxy: OutboundProxy, scheme: str
) -> None:
    stage.script = says(answer("a"))
    assert isinstance((await ask(stage.settings, by(proxy.url(scheme))))[-1], Completion)
    assert proxy.targets == [place(stage.url)] * 2
    assert [len(stage.creates), len(stage.upgrades)] == [1, 1]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_pictures_are_made_by_the_proxy(studio: Studio, proxy: OutboundProxy, scheme: str) -> None:  # noqa: F811
    assert await draw(studio.settings, by(proxy.url(scheme))) == PICTURES
    assert studio.methods == ["POST", "GET", "GET"]
    assert set(proxy.targets) == {place(studio.url)}


async def test_an_account_without_one_goes_by_none_whatever_the_environment_says(
    stage: Any,
    studio: Studio,  # noqa: F811
    proxy: OutboundProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.setenv(name, proxy.url("http"))
        monkeypatch.setenv(name.upper(), proxy.url("http"))
    stage.script = says(answer("a"))
    await ask(stage.settings, ALICE)
    await draw(studio.settings, ALICE)
    assert proxy.targets == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_names_are_looked_up_at_the_proxy(stage: Any, proxy: OutboundProxy, scheme: str) -> None:
    """A name that only the proxy knows: nobody here learns where the account goes."""
    elsewhere = stage.settings.model_copy(
        update={
            name: getattr(stage.settings, name).replace("127.0.0.1", "bing.invalid")
            for name in ("bing_create_url", "bing_chat_url")
        }
    )
    stage.script = says(answer("a"))
    await ask(elsewhere, by(proxy.url(scheme)))
    assert proxy.targets == [place(stage.url).replace("127.0.0.1", "bing.invalid")] * 2


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_proxy_gets_its_user_and_password(stage: Any, studio: Studio, scheme: str) -> None:  # noqa: F811
    stage.script = says(answer("a"))
    async with OutboundProxy(*CREDENTIALS) as proxy:
        await ask(stage.settings, by(proxy.url(scheme, LOGIN)))
        await draw(studio.settings, by(proxy.url(scheme, LOGIN)))
        assert (len(proxy.targets) >= 3, proxy.refused) == (True, 0)
    assert {"Proxy-Authorization"}.isdisjoint(stage.upgrades[0].headers)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a proxy, and the reason that it comes to."""

    reason: str
    refuse: bool = False
    mute: bool = False
    words: bytes | None = None
    login: str = LOGIN
    closed: bool = False

    @property
    def connect_timeout(self) -> float:
        """In seconds: short only where nothing else ends the attempt."""
        return 0.5 if self.mute else 30.0


TROUBLES = {
    "closed": Trouble("transport.connect", closed=True),
    "refuses": Trouble("transport.connect", refuse=True),
    "wrong password": Trouble("transport.connect", login="u%40ser:p4ssw0rd"),
    "no password": Trouble("transport.connect", login=""),
    "silent": Trouble("timeout.connect", mute=True),
    "hangs up": Trouble("transport.connect", words=b""),
    "another protocol": Trouble("transport.connect", words=b"SSH-2.0-OpenSSH_9.9\r\n"),
}


async def reported(
    trouble: Trouble, scheme: str, report: Callable[[Account], Awaitable[UpstreamError]]
) -> UpstreamError:
    async with OutboundProxy(*CREDENTIALS) as proxy:
        proxy.refuse, proxy.mute, proxy.words = trouble.refuse, trouble.mute, trouble.words
        account = by(proxy.url(scheme, trouble.login))
        if not trouble.closed:
            return await report(account)
    return await report(account)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_with_the_proxy_at_the_creation_is_one_of_the_way(
    stage: Any, scheme: str, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    changes = {"bing_create_url": "https://bing.invalid/", "connect_timeout": TROUBLES[trouble].connect_timeout}
    tls = stage.settings.model_copy(update=changes)
    error = await reported(TROUBLES[trouble], scheme, lambda account: not_answered(tls, account))
    assert (error.reason, error.refused) == (TROUBLES[trouble].reason, False)
    check_silence(error, caplog.text)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_trouble_with_the_proxy_at_the_chat_is_one_of_the_way(
    stage: Any, scheme: str, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = stage.settings.model_copy(update={"connect_timeout": TROUBLES[trouble].connect_timeout})

    async def resume(account: Account) -> UpstreamError:
        state = b'{"conversation_id":"c","client_id":"p","signature":"s","access_token":"t0ken"}'
        stream = EdgeGPTProvider(settings).ask(account, SavedConversation(state, 1), "balanced", "why?", nothing)
        return (await failure(stream))[0]

    error = await reported(TROUBLES[trouble], scheme, resume)
    assert (error.reason, error.refused) == (TROUBLES[trouble].reason, False)
    check_silence(error, caplog.text)
    assert "t0ken" not in str(error)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_an_order_whose_way_fails_at_the_proxy_spends_nothing(
    scheme: str, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = WorkerSettings(
        bing_image_url="https://bing.invalid",
        connect_timeout=TROUBLES[trouble].connect_timeout,
        answer_timeout=1.0 if trouble == "silent" else 60.0,
    )
    marks: list[int] = []

    async def mark() -> None:
        marks.append(1)

    async def order(account: Account) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await draw(settings, account, mark)
        return caught.value

    error = await reported(TROUBLES[trouble], scheme, order)
    if trouble != "silent":
        assert error.reason == TROUBLES[trouble].reason
    assert (marks, error.refused) == ([], False)
    check_silence(error, caplog.text)


def check_silence(error: UpstreamError, logged: str) -> None:
    """Neither the log nor the error, with its causes, contains the password."""
    cause: BaseException | None = error
    texts = [logged]
    while cause is not None:
        texts += [str(cause), repr(cause)]
        cause = cause.__cause__ or cause.__context__
    for text in texts:
        assert "p4ss" not in text
        assert "dUBzZXI6cDRzc" not in text  # The same for HTTP.


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Create a certificate of bing.invalid, and its key."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key, "bing.invalid")
    return certificate, key


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_tls_reaches_through_the_proxy_to_the_upstream(
    stage: Any, proxy: OutboundProxy, scheme: str, certificate: tuple[Path, Path]
) -> None:
    """The proxy sees the host that the account connects to, and none of the content."""
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(*certificate)
    app = web.Application()
    app.router.add_get("/create", stage.serve_create)
    app.router.add_get("/chat", stage.serve_chat)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=theirs).start()
    port = runner.addresses[0][1]
    stage.script = says(answer("a"))
    settings = stage.settings.model_copy(
        update={
            "bing_create_url": f"https://bing.invalid:{port}/create",
            "bing_chat_url": f"wss://bing.invalid:{port}/chat",
        }
    )
    provider = EdgeGPTProvider(settings)
    account = by(proxy.url(scheme))
    assert (await failure(provider.ask(account, None, "balanced", "why?", nothing)))[0].reason == "transport.connect"
    provider._edgegpt.chathub.ssl_context.load_verify_locations(certificate[0])
    assert isinstance((await updates(provider.ask(account, None, "balanced", "why?", nothing)))[-1], Completion)
    assert proxy.targets == [f"bing.invalid:{port}"] * 3
    assert len(stage.questions) == 1
    await runner.cleanup()
