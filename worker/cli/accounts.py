"""An operator's hands on the accounts: `python -m worker accounts`. Ends with 0, 1 for a failure, 2 for wrong usage."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from telemetry.logs import configure
from telemetry.startup import load_settings
from wire.errors import StoreUnavailableError
from wire.ledger import PICTURES, AccountStatus, Ledger, Order
from wire.redis.store import Store
from worker.accounts.account import Account
from worker.accounts.directory import MAX_FILE
from worker.accounts.importer import ExportError, add_export
from worker.cli import render
from worker.cli.check import check_account
from worker.providers.registry import account_watcher
from worker.settings import WorkerSettings

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See and steer the accounts of all workers.")
STDIN = Path("-")
Name = Annotated[str, typer.Argument(help="the account's name, as `list` shows it")]
NewName = Annotated[
    str, typer.Option("--name", help="the account; its cookies are replaced. Else a new one, by the file")
]
File = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, readable=True, allow_dash=True, help="an export; - for standard input"),
]
Send = Annotated[
    bool, typer.Option("--send", help="to the workers, by way of Redis, instead of this host's COOKIES_DIR")
]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """All accounts that workers know, and how they stand."""

    async def listed(ledger: Ledger, _: WorkerSettings) -> None:
        standings, now = await ledger.read_statuses(), time.time()
        _show(as_json, [render.as_json(one, now) for one in standings], render.table(standings, now))

    _carry_out(listed)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """All that is known of an account."""

    async def shown(ledger: Ledger, _: WorkerSettings) -> None:
        found, now = await _entries(ledger, name), time.time()
        told = "\n\n".join(render.details(one, now) for one in found)
        _show(as_json, [render.as_json(one, now) for one in found], told)

    _carry_out(shown)


@app.command()
def check(name: Name, as_json: AsJson = False) -> None:
    """Begin a conversation with its cookies.

    If that is refused, it counts as if a turn were. If all goes well, nothing changes: `release` does that.
    """

    async def checked(ledger: Ledger, settings: WorkerSettings) -> None:
        found = await check_account(settings, ledger, _account(settings, name))
        told = {"account": name, "ok": not found.reason, "reason": found.reason or None, "state": found.after}
        _show(as_json, told, found.sentence)
        if found.reason:
            raise typer.Exit(1)

    _carry_out(checked)


@app.command()
def pause(name: Name, as_json: AsJson = False) -> None:
    """Keep an account from new turns; those that run go on."""
    _order(name, "pause", as_json)


@app.command()
def resume(name: Name, as_json: AsJson = False) -> None:
    """Undo a pause."""
    _order(name, "resume", as_json)


@app.command()
def release(name: Name, as_json: AsJson = False) -> None:
    """Let it return now, after one turn that tries it.

    For an account that is cooling, quarantined or dead.
    """
    _order(name, "release", as_json)


@app.command()
def reset(name: Name, as_json: AsJson = False) -> None:
    """Make it ready, as if nothing had happened.

    A pause, failures and today's questions are forgotten.
    """
    _order(name, "reset", as_json)


@app.command()
def add(file: File, name: NewName = "", send: Send = False, as_json: AsJson = False) -> None:
    """Put an export into COOKIES_DIR, after a look at what it holds."""
    settings, wished = load_settings(WorkerSettings), name or ("account" if file == STDIN else file.stem)
    export = _read(file)
    if send:
        _hand_in(wished, export, as_json)
        return
    try:
        added = add_export(settings.cookies_dir, export, wished, exact=bool(name))
    except ExportError as error:
        _fail(str(error))
    told = {"account": added.account, "file": str(added.file), "replaced": added.replaced}
    _show(as_json, told, f"{added.account} {'has new cookies' if added.replaced else 'was added'}: {added.file}")


def _hand_in(name: str, export: bytes, as_json: bool) -> None:
    """A worker whose folder can be written takes it within a minute, and its log says what came of it."""

    async def handed_in(ledger: Ledger, _: WorkerSettings) -> None:
        if not await ledger.submit_export(name, export):
            _fail("too many exports wait for a worker already")
        _show(as_json, {"account": name, "sent": True}, f"{name} was sent: a worker that may write its folder adds it")

    _carry_out(handed_in)


def _read(file: Path) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read(MAX_FILE + 1)
    with file.open("rb") as source:
        return source.read(MAX_FILE + 1)


def _order(name: str, order: Order, as_json: bool) -> None:
    """Orders to an account count for its pictures too."""

    async def carried_out(ledger: Ledger, _: WorkerSettings) -> None:
        before = await _entries(ledger, name)
        for one in before:
            await ledger.execute_order(one.name, order)
        after, now = await _entries(ledger, name), time.time()
        _show(as_json, [render.as_json(one, now) for one in after], render.changes(before, after, now))

    _carry_out(carried_out)


async def _entries(ledger: Ledger, name: str) -> list[AccountStatus]:
    found = render.entries(await ledger.read_statuses(), name, PICTURES)
    return found or _fail(f"no worker has told of an account named {name!r}")


def _account(settings: WorkerSettings, name: str) -> Account:
    folder = settings.cookies_dir
    found = account_watcher(settings).load()
    for account in found.accounts:
        if account.name == name:
            return account
    own = [problem for problem in found.problems if problem.startswith(f"{name}.")]
    return _fail("; ".join([f"{folder} holds no account named {name!r} that can be used", *own]))


def _carry_out(work: Callable[[Ledger, WorkerSettings], Awaitable[None]]) -> None:
    """Run a command with the settings of the environment. What goes wrong is one sentence."""
    settings = load_settings(WorkerSettings)
    configure("json" if settings.log_format == "json" else "console")

    async def run() -> None:
        store = Store(settings.redis_url)
        try:
            await work(Ledger(store), settings)
        finally:
            await store.close()

    try:
        asyncio.run(run())
    except StoreUnavailableError as error:
        _fail(f"Redis is away: {error}")
    except ValueError as error:
        _fail(str(error))


def _show(as_json: bool, told: Any, text: str) -> None:
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else text)


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
