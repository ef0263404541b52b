"""Everything in one process, without a Redis: `make run`.

A gateway and a worker on `memory://`. With OPENAI_BASE_URL, or accounts in COOKIES_DIR, they ask those; without any the
built-in stand-in answers.
"""

import asyncio
import gc
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from emulator.server import Emulator
from emulator.settings import EmulatorSettings
from gateway.answering.drain import ActiveRequests
from gateway.server import serve
from gateway.settings import GatewaySettings
from telemetry.logs import configure
from telemetry.startup import load_settings
from telemetry.traces import export_spans
from wire.redis.store import Store
from worker.accounts.account import Account, CookieAccount, ServerAccount
from worker.accounts.watcher import DirectoryWatcher
from worker.providers.registry import account_watcher
from worker.service import open_worker
from worker.settings import WorkerSettings

# Ctrl-C ends the process within 2 s: running answers get a part of that.
_DRAIN = 0.5
# The stand-in bears any number of turns at once.
_DEMO_ACCOUNT = CookieAccount("demo", {"_U": "demo"}, turns=0)


def _told(accounts: Sequence[Account], folder: Path) -> str:
    """Who is asked."""
    exports = sum(isinstance(account, CookieAccount) for account in accounts)
    told = [f"{account.model} at {account.base_url}" for account in accounts if isinstance(account, ServerAccount)]
    if exports:
        told.append(f"Bing with {exports} account(s) from {folder}")
    return f"asking {', '.join(told)}"


@asynccontextmanager
async def upstream(
    settings: WorkerSettings, folder: DirectoryWatcher
) -> AsyncIterator[tuple[WorkerSettings, list[Account], DirectoryWatcher, str]]:
    """Whom to ask, as which accounts of which folder, and a line that says so.

    These are the accounts that there are. Without any the stand-in is asked; what the console adds then is for it too,
    and gone at the end: it must not lie where it would be taken for Bing's.
    """
    contents = folder.load()
    folder.log_problems(contents)
    if accounts := list(contents.accounts):
        yield settings, accounts, folder, _told(accounts, settings.cookies_dir)
        return
    with tempfile.TemporaryDirectory(prefix="accounts-") as added:
        async with Emulator(load_settings(EmulatorSettings).model_copy(update={"port": 0})) as emulator:
            addresses = {
                "bing_create_url": emulator.create_url,
                "bing_chat_url": emulator.chat_url,
                "bing_image_url": emulator.url,
                "cookies_dir": Path(added),
            }
            none = f"no account in {settings.cookies_dir}"
            told = f"{none}: answers come from the built-in stand-in for Bing, {emulator.url}"
            demo = DirectoryWatcher(Path(added), own=[_DEMO_ACCOUNT])
            yield settings.model_copy(update=addresses), [_DEMO_ACCOUNT], demo, told


async def run(gateway: GatewaySettings, worker: WorkerSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    active_requests, loop = ActiveRequests(), asyncio.get_running_loop()
    store, folder = Store("memory://"), account_watcher(worker)
    async with (
        upstream(worker.model_copy(update={"drain_timeout": _DRAIN}), folder) as (settings, accounts, followed, told),
        open_worker(settings, store, accounts, followed) as asked,
    ):

        def end() -> None:
            active_requests.abort()
            asked.drain()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)

        def ready(address: str) -> None:
            hint = f"open {address} or try: curl -N '{address}/api_stream?style=balanced&question=hello'"
            print(f"{told}\n{hint}", flush=True)

        both = [
            asyncio.create_task(asked.run()),
            asyncio.create_task(serve(gateway, store, active_requests, ready=ready)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        end()
        await asyncio.gather(*both)
    await store.close()


def main() -> None:
    """Start with the environment's settings; what is wrong with them ends the start with one sentence."""
    gateway, worker = load_settings(GatewaySettings), load_settings(WorkerSettings)
    configure(gateway.log_format)
    gc.freeze()  # As in python -m gateway.
    try:
        with export_spans(gateway.otel_exporter_otlp_endpoint, "standalone"):
            uvloop.run(run(gateway, worker))
    except ValueError as error:
        sys.exit(f"{error}.")
    except OSError as error:
        sys.exit(f"Can't listen on {gateway.gateway_host}:{gateway.gateway_port}: {error.strerror}.")


if __name__ == "__main__":
    main()
