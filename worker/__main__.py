"""`python -m worker` runs one worker; `python -m worker check` tells whether the one on this host is alive."""

import argparse
import asyncio
import signal
import socket
import sys

import structlog
import uvloop

from wire.connect import Store
from wire.errors import StoreUnavailableError
from wire.logs import configure
from wire.sessions import Sessions
from wire.startup import load_settings
from worker.folder import Folder
from worker.providers import chat_provider
from worker.service import await_accounts, open_worker
from worker.settings import WorkerSettings

_LOG = structlog.get_logger()


async def run(settings: WorkerSettings, store: Store) -> None:
    """Serve until SIGTERM or SIGINT, which drain. ValueError, with one sentence, when PROVIDER names nothing."""
    chat_provider(settings.provider)  # at once, not only when there are accounts
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    stopping = asyncio.create_task(ended.wait())
    folder = Folder(settings.cookies_dir)
    waiting = asyncio.create_task(await_accounts(folder))
    await asyncio.wait((stopping, waiting), return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        return
    async with open_worker(settings, store, waiting.result(), folder) as worker:
        serving = asyncio.create_task(worker.run())
        await asyncio.wait((stopping, serving), return_when=asyncio.FIRST_COMPLETED)
        worker.drain()
        await serving
    stopping.cancel()


async def check(store: Store) -> bool:
    """Whether a worker of this host is alive."""
    try:
        return any(worker.startswith(f"{socket.gethostname()}-") for worker in await Sessions(store).live_workers())
    except StoreUnavailableError:
        return False


async def main(command: str, settings: WorkerSettings) -> int:
    """The exit code."""
    # Each slot has one append or claim in flight at a time; the rest is for what runs beside.
    store = Store(settings.redis_url, settings.worker_slots + 16)
    try:
        if command == "check":
            return 0 if await check(store) else 1
        await run(settings, store)
        return 0
    finally:
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["run", "check"], default="run")
    chosen = parser.parse_args().command
    loaded = load_settings(WorkerSettings)
    configure("json" if loaded.log_format == "json" else "console")
    try:
        sys.exit(uvloop.run(main(chosen, loaded)))
    except ValueError as error:
        sys.exit(str(error))
