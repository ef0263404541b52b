"""Gateway and worker in one process, without a Redis: `bing-chat-gateway serve`, and `make run`.

They share `memory://` as their store. The upstream is OPENAI_BASE_URL and the accounts in COOKIES_DIR; without any
account it is the emulator.
"""

import asyncio
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import uvloop

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from gateway.answering.drain import ActiveRequests
from gateway.server import serve
from gateway.settings import GatewaySettings
from telemetry import process
from telemetry.logs import configure
from telemetry.startup import load_settings
from telemetry.traces import export_spans
from wire.redis.store import Store
from worker.accounts.account import Account, CookieAccount, ServerAccount
from worker.accounts.watcher import DirectoryWatcher
from worker.providers.registry import account_watcher
from worker.service import open_worker
from worker.settings import WorkerSettings

# Seconds for running turns after Ctrl-C: a part of the 2 s within which the process ends.
_DRAIN_TIMEOUT = 0.5
# The emulator allows any number of turns at once.
_DEMO_ACCOUNT = CookieAccount("demo", {"_U": "demo"}, turns=0)


@dataclass(frozen=True)
class UpstreamChoice:
    """The upstream in use: the worker's settings and accounts for it, and a description for users."""

    settings: WorkerSettings
    accounts: list[Account]
    directory: DirectoryWatcher
    description: str


def _describe(accounts: Sequence[Account], directory: Path) -> str:
    """Return the upstreams of the accounts, for users."""
    servers = [account for account in accounts if isinstance(account, ServerAccount)]
    upstreams = [f"{server.model} at {_without_secrets(server.base_url)}" for server in servers]
    if exports := sum(isinstance(account, CookieAccount) for account in accounts):
        upstreams.append(f"Bing with {exports} account(s) from {directory}")
    return ", ".join(upstreams)


def _without_secrets(url: str) -> str:
    """Return an address without its password and query, which can hold a key."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@asynccontextmanager
async def choose_upstream(settings: WorkerSettings, directory: DirectoryWatcher) -> AsyncIterator[UpstreamChoice]:
    """Choose the configured accounts or, without any, run the emulator during the body.

    Accounts that the console adds for the emulator are removed at the end: in COOKIES_DIR they would be used for Bing.
    """
    contents = directory.load()
    directory.log_problems(contents)
    if accounts := list(contents.accounts):
        yield UpstreamChoice(settings, accounts, directory, _describe(accounts, settings.cookies_dir))
        return
    with tempfile.TemporaryDirectory(prefix="accounts-") as added:
        async with Emulator(load_settings(EmulatorSettings).model_copy(update={"port": 0})) as emulator:
            addresses = {
                "bing_create_url": emulator.create_url,
                "bing_chat_url": emulator.chat_url,
                "bing_image_url": emulator.url,
                "cookies_dir": Path(added),
            }
            watcher = DirectoryWatcher(Path(added), own=[_DEMO_ACCOUNT])
            yield UpstreamChoice(
                settings.model_copy(update=addresses),
                list(watcher.load().accounts),
                watcher,
                f"the emulator of Bing, {emulator.url} (no account in {settings.cookies_dir})",
            )


async def run(gateway: GatewaySettings, worker_settings: WorkerSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    requests, loop, starting = ActiveRequests(), asyncio.get_running_loop(), asyncio.current_task()
    assert starting is not None

    def handle_signals(act: Callable[[], object]) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, act)

    handle_signals(starting.cancel)
    address: asyncio.Future[str] = loop.create_future()
    store = Store("memory://")
    directory = account_watcher(worker_settings)
    worker_settings = worker_settings.model_copy(update={"drain_timeout": _DRAIN_TIMEOUT})
    async with (
        choose_upstream(worker_settings, directory) as upstream,
        open_worker(upstream.settings, store, upstream.accounts, upstream.directory) as worker,
    ):

        def stop() -> None:
            requests.abort()
            worker.drain()

        handle_signals(stop)

        async def announce() -> None:
            where = await asyncio.shield(address)  # the gateway sets it, whoever waits
            await worker.ready.wait()
            print(describe_service(where, upstream.description, gateway), flush=True)

        serving = serve(gateway, store, requests, ready=address.set_result)
        both = [asyncio.create_task(worker.run()), asyncio.create_task(serving)]
        announcement = asyncio.create_task(announce())
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also after a signal that came at the last moment of the start, and is felt only here.
            stop()
            announcement.cancel()
            await asyncio.gather(*both)
    await store.close()


def describe_service(address: str, upstream: str, settings: GatewaySettings) -> str:
    """Return the block for users that ends the start: who answers, where everything is, and a command to try."""
    headers = " -H 'Authorization: Bearer KEY'" if settings.api_keys_file else ""
    console = "off; ADMIN_KEYS_FILE=FILE turns it on, `keys new NAME --file FILE` makes a key"
    rows = {
        "Upstream": upstream,
        "Page": address,
        "Docs": f"{address}/docs",
        "OpenAI API": f"{address}/v1",
        "Anthropic API": address,
        "Console": f"{address}/console" if settings.admin_keys_file else console,
        "Try": f"curl -N{headers} '{address}/api_stream?style=balanced&question=hello'",
    }
    return "\n".join(["", *(f"  {name + ':':<15}{value}" for name, value in rows.items()), ""])


def main() -> None:
    """Start with the settings of the environment; wrong settings end the start with one sentence."""
    gateway, worker = load_settings(GatewaySettings), load_settings(WorkerSettings)
    configure(gateway.log_format)
    process.set_up()
    try:
        # It is cancelled by a signal in the middle of the start.
        with export_spans(gateway.otel_exporter_otlp_endpoint, "serve"), suppress(asyncio.CancelledError):
            uvloop.run(run(gateway, worker))
    except ValueError as error:
        sys.exit(f"{error}.")
    except OSError as error:
        address = f"{gateway.gateway_host}:{gateway.gateway_port}"
        sys.exit(f"Can't listen on {address}: {error.strerror}. GATEWAY_PORT or --port sets the port.")
