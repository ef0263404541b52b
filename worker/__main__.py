"""Run one worker; `check` reports whether the one on this host is alive, `accounts` is for operators."""

import asyncio
import signal
import socket
import sys
from typing import Annotated, Literal, NoReturn

import structlog
import typer
import uvloop

from telemetry import process
from telemetry.logs import configure
from telemetry.startup import load_settings
from telemetry.traces import export_spans
from wire.errors import StoreUnavailableError
from wire.redis.store import Store
from wire.sessions import Sessions
from worker.cli import accounts
from worker.providers.registry import account_watcher, chat_provider
from worker.service import await_accounts, open_worker
from worker.settings import WorkerSettings

_LOG = structlog.get_logger()


async def run(settings: WorkerSettings, store: Store) -> None:
    """Serve until SIGTERM or SIGINT, which drain. Raises ValueError, for users, for a wrong PROVIDER."""
    process.set_up()
    for name in settings.providers:
        chat_provider(name)  # fails at once, not only when there are accounts
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    stopping = asyncio.create_task(ended.wait())
    watcher = account_watcher(settings)
    waiting = asyncio.create_task(await_accounts(watcher))
    await asyncio.wait((stopping, waiting), return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        return
    async with open_worker(settings, store, waiting.result(), watcher) as worker:
        serving = asyncio.create_task(worker.run())
        await asyncio.wait((stopping, serving), return_when=asyncio.FIRST_COMPLETED)
        worker.drain()
        await serving
    stopping.cancel()


async def check(store: Store) -> bool:
    """Return whether a worker of this host is alive."""
    try:
        return any(
            worker.startswith(f"{socket.gethostname()}-") for worker in await Sessions(store).list_live_workers()
        )
    except StoreUnavailableError:
        return False


async def main(command: Literal["run", "check"], settings: WorkerSettings) -> int:
    """Run the command and return its exit code."""
    store = Store(settings.redis_url)
    try:
        if command == "check":
            return 0 if await check(store) else 1
        with export_spans(settings.otel_exporter_otlp_endpoint, "worker"):
            await run(settings, store)
        return 0
    finally:
        await store.close()


# Plain tracebacks: pretty ones can show variables, and those contain cookies.
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, help=__doc__)
app.add_typer(accounts.app, name="accounts")


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Run one worker, unless another command is given."""
    if context.invoked_subcommand is None:
        _start("run")


@app.command("run")
def run_command() -> None:
    """Run one worker."""
    _start("run")


@app.command("check")
def check_command() -> None:
    """Report whether a worker on this host is alive.

    Exits with 0 if it is, else with 1.
    """
    _start("check")


@app.command("forget")
def forget_command(token: Annotated[str, typer.Argument(help="the token, as the client has it")]) -> None:
    """Forget a conversation with all its messages.

    A running turn ends first; waiting questions are dropped.
    """
    settings = load_settings(WorkerSettings)
    try:
        asyncio.run(forget(Store(settings.redis_url), token, settings))
    except StoreUnavailableError as error:
        sys.exit(f"Redis is away: {error}")
    except ValueError as error:
        sys.exit(str(error))


async def forget(store: Store, token: str, settings: WorkerSettings) -> None:
    """Forget a token. Raises StoreUnavailableError."""
    try:
        await Sessions(store, settings).end(token)
    finally:
        await store.close()


def _start(command: Literal["run", "check"]) -> NoReturn:
    settings = load_settings(WorkerSettings)
    configure(settings.log_format)
    try:
        sys.exit(uvloop.run(main(command, settings)))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    app(prog_name="python -m worker")
