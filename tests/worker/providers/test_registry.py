"""The table of providers, and what a further server dialect takes: a class, and a line of the table."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.conditions import SOON
from tests.support.worker.harness import ACCOUNTS, Client, HookedStore, settings_with
from tests.support.worker.scripted_provider import ScriptedProvider
from wire.jobs import new_token
from wire.messages import Failed, Final, Image, Style
from worker.accounts.account import Account, CookieAccount, ServerAccount
from worker.accounts.watcher import DirectoryWatcher
from worker.providers import BeforeSend, ChatUpdate, Completion, SavedConversation, Snapshot, require_server
from worker.providers.registry import (
    PROVIDERS,
    ProviderRegistry,
    ProviderSpec,
    account_watcher,
    build_provider_order,
    chat_provider,
    image_provider,
    server_providers,
)
from worker.providers.sent_mark import SendHook
from worker.providers.transcript import Recall, no_history
from worker.service import open_worker
from worker.settings import EDGEGPT, WorkerSettings

pytestmark = pytest.mark.anyio

SCRIPTED = "tests.support.worker.scripted_provider:ScriptedProvider"
COOKIES = CookieAccount("alice", {"_U": "x"})


class ParrotProvider:
    """A server dialect of its own: the question is posted as plain text, and so is the answer."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._timeout = httpx.Timeout(settings.connect_timeout)

    async def ask(
        self,
        account: Account,
        conversation: SavedConversation | None,
        style: Style,
        question: str,
        before_send: BeforeSend,
        recall: Recall = no_history,
    ) -> AsyncGenerator[ChatUpdate, None]:
        server = require_server(account)
        async with httpx.AsyncClient(timeout=self._timeout, trust_env=False) as client:
            hook = SendHook(before_send)
            headers = {"X-Model": server.model, "X-Key": server.key}
            url = f"{server.base_url}/parrot"
            reply = await client.post(url, content=question, headers=headers, extensions={"trace": hook.trace})
        yield Snapshot(reply.text[:3])
        yield Completion(reply.text, b"")

    async def close(self) -> None:
        """Do nothing: no resources are held."""


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a line to the table."""
    monkeypatch.setitem(PROVIDERS, "parrot", ProviderSpec(f"{__name__}:ParrotProvider", None, ServerAccount))


def watcher(
    folder: Path, base_url: str = "http://127.0.0.1:1", *, dialect: str = "parrot", **changed: object
) -> DirectoryWatcher:
    """Return the watcher of a folder whose accounts.toml names the provider."""
    entry = f'base_url = "{base_url}"\nmodel = "grey"\nprovider = "{dialect}"\napi_key_file = "key"\n'
    (folder / "accounts.toml").write_text(f"[accounts.polly]\n{entry}image_model = 'green'\n")
    (folder / "key").write_text("s3cret\n")
    for name in ("accounts.toml", "key"):
        (folder / name).chmod(0o600)
    return account_watcher(settings_with(cookies_dir=folder, **changed))


async def test_a_further_dialect_answers_in_a_worker(
    parrot: None, tmp_path: Path, store: HookedStore, client: Client
) -> None:
    """The provider's class and the table's line are all that it takes."""

    async def answer(request: web.Request) -> web.Response:
        line = f"{request.headers['X-Model']} {request.headers['X-Key']} says {await request.text()}"
        return web.Response(text=line)

    app = web.Application()
    app.router.add_post("/parrot", answer)
    async with TestServer(app) as server:
        base_url = str(server.make_url("/")).rstrip("/")
        settings = settings_with(cookies_dir=tmp_path, provider="parrot", drain_timeout=3.0)
        accounts = watcher(tmp_path, base_url).load().accounts
        async with open_worker(settings, store, list(accounts)) as worker:
            running = asyncio.create_task(worker.run())
            end = await client.end(await client.ask("hello", new_token()))
            drawn = await client.end(await client.submit(Image("a river"), new_token()))
            worker.drain()
            async with asyncio.timeout(SOON):
                await running
    assert isinstance(end, Final)
    assert (end.text, end.provider) == ("grey s3cret says hello", "parrot")
    assert isinstance(drawn, Failed)
    assert drawn.reason == "image.none"


def test_a_further_dialect_takes_its_place_in_the_order(parrot: None, tmp_path: Path) -> None:
    state = watcher(tmp_path, provider="parrot,edgegpt").load()
    assert (state.problems, state.warnings) == ((), ())
    (polly,) = state.accounts
    assert polly == ServerAccount("polly", "http://127.0.0.1:1", "grey", "s3cret", "green", "parrot")
    order = build_provider_order(WorkerSettings(provider="parrot,edgegpt"))
    assert (order.provider_name(polly), order.rank(polly)) == ("parrot", 0)
    assert (order.provider_name(COOKIES), order.rank(COOKIES)) == ("edgegpt", 1)


def test_a_provider_that_is_not_in_the_table_is_a_mistake_of_its_entry(tmp_path: Path) -> None:
    state = watcher(tmp_path).load()
    assert state.accounts == ()
    assert f"accounts.toml, 'polly': provider must be one of {', '.join(sorted(server_providers()))}" in state.problems


async def test_each_provider_is_created_once_and_closed() -> None:
    registry = ProviderRegistry(WorkerSettings())
    local = ServerAccount("local", "http://127.0.0.1:1", "m", image_model="p")
    assert registry.chat_for(local) is registry.chat_for(ServerAccount("other", "http://127.0.0.1:2", "m"))
    assert registry.images_for(local) is registry.images_for(local)
    assert isinstance(registry.chat_for(local), chat_provider(local.provider))
    await registry.close()


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_classes_of_the_table_are_there(name: str) -> None:
    """A mistake in a line would otherwise be seen at the first question."""
    spec = PROVIDERS[name]
    classes = [chat_provider(name), *([image_provider(name)] if spec.images else [])]
    assert [f"{kind.__module__}:{kind.__name__}" for kind in classes] == [
        path for path in (spec.chat, spec.images) if path
    ]


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_is_found_by_its_name_or_its_place(name: str) -> None:
    assert chat_provider(PROVIDERS[name].chat) is chat_provider(name)


@pytest.mark.parametrize("name", [name for name, spec in PROVIDERS.items() if spec.account is ServerAccount])
def test_each_provider_of_servers_may_be_named_in_accounts_toml(name: str, tmp_path: Path) -> None:
    state = watcher(tmp_path, provider=name, dialect=name).load()
    assert state.problems == ()
    assert [account.provider for account in state.accounts if isinstance(account, ServerAccount)] == [name]


def test_a_provider_of_ones_own_leaves_the_images_to_bing() -> None:
    assert image_provider("bench.synthetic:Synthetic") is image_provider(EDGEGPT)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing", f"PROVIDER=nothing is neither one of {', '.join(sorted(PROVIDERS))}"),
        ("no.such.module:Class", "PROVIDER=no.such.module:Class can't be loaded: No module named"),
        (
            "worker.providers.bing.edgegpt:Nobody",
            "PROVIDER=worker.providers.bing.edgegpt:Nobody can't be loaded: module",
        ),
    ],
)
def test_a_provider_that_cant_be_found_is_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="PROVIDER=") as caught:
        chat_provider(name)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


async def test_a_provider_is_made_once_and_closed_with_the_registry() -> None:
    registry = ProviderRegistry(settings_with(provider=SCRIPTED))
    chat = registry.chat_for(ACCOUNTS[0])
    assert isinstance(chat, ScriptedProvider)
    assert registry.chat_for(ACCOUNTS[1]) is chat
    assert registry.provider_name(ACCOUNTS[0]) == SCRIPTED
    await registry.close()
    assert chat.closed


async def test_a_provider_that_there_is_not_is_one_sentence() -> None:
    registry = ProviderRegistry(settings_with(provider="nothing"))
    with pytest.raises(ValueError, match=r"^PROVIDER=nothing[^\n]*$"):
        registry.chat_for(ACCOUNTS[0])
    await registry.close()
