"""The command `python -m worker accounts`. Its exit status is 0, 1 after a failure, 2 after wrong usage."""

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

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show and control the accounts of all workers.")
STDIN = Path("-")
Name = Annotated[str, typer.Argument(help="the account's name, as `list` shows it")]
NewName = Annotated[
    str,
    typer.Option(
        "--name",
        help="the account's name, whose cookies are replaced; by default the file's, with a number if it is taken",
    ),
]
File = Annotated[
    Path,
    typer.Argument(exists=True, dir_okay=False, readable=True, allow_dash=True, help="an export; - for standard input"),
]
Send = Annotated[
    bool,
    typer.Option(
        "--send",
        help=(
            "send it through Redis, where it stays for a minute at most, to a worker that can write its folder and "
            "logs that, instead of writing this host's COOKIES_DIR"
        ),
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List all accounts that workers know, a line for each.

    It shows the state and its end, the reason, questions of the last 24 hours, turns in flight, failures in a row, and
    when the cookie expires.
    """

    async def print_list(ledger: Ledger, _: WorkerSettings) -> None:
        statuses, now = await ledger.read_statuses(), time.time()
        _print(as_json, [render.as_json(status, now) for status in statuses], render.table(statuses, now))

    _run(print_list)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show all that is known of an account, and what there is to do."""

    async def print_details(ledger: Ledger, _: WorkerSettings) -> None:
        statuses, now = await _find_statuses(ledger, name), time.time()
        text = "\n\n".join(render.details(status, now) for status in statuses)
        _print(as_json, [render.as_json(status, now) for status in statuses], text)

    _run(print_details)


@app.command()
def check(name: Name, as_json: AsJson = False) -> None:
    """Check an account without asking a question.

    With cookies a real conversation is begun; a server is asked for its models.

    A refusal counts like a turn's. A success changes nothing; use `release` to make the account return.
    """

    async def print_check(ledger: Ledger, settings: WorkerSettings) -> None:
        result = await check_account(settings, ledger, _load_account(settings, name))
        document = {"account": name, "ok": not result.reason, "reason": result.reason or None, "state": result.after}
        _print(as_json, document, result.sentence)
        if result.reason:
            raise typer.Exit(1)

    _run(print_check)


@app.command()
def pause(name: Name, as_json: AsJson = False) -> None:
    """Give an account no new turns; running ones continue.

    A conversation of its own continues at another account.
    """
    _order(name, "pause", as_json)


@app.command()
def resume(name: Name, as_json: AsJson = False) -> None:
    """Undo a pause."""
    _order(name, "resume", as_json)


@app.command()
def release(name: Name, as_json: AsJson = False) -> None:
    """Let an account return that is cooling, quarantined or dead.

    Its next turn is a trial; the account is ready again if it succeeds.
    """
    _order(name, "release", as_json)


@app.command()
def reset(name: Name, as_json: AsJson = False) -> None:
    """Make an account ready, and clear its history.

    A pause, failures and the questions of the last 24 hours are forgotten.
    """
    _order(name, "reset", as_json)


@app.command()
def add(file: File, name: NewName = "", send: Send = False, as_json: AsJson = False) -> None:
    """Validate a cookie export and add it to COOKIES_DIR, as a usable account that isn't there yet.

    Only its owner may access the file (0600) and the folder (0700).
    """
    settings, account = load_settings(WorkerSettings), name or ("account" if file == STDIN else file.stem)
    export = _read(file)
    if send:
        _submit(account, export, as_json)
        return
    try:
        reserved = settings.reserved_names
        added = add_export(settings.cookies_dir, export, account, exact=bool(name), reserved=reserved)
    except ExportError as error:
        _fail(str(error))
    document = {"account": added.account, "file": str(added.file), "replaced": added.replaced}
    _print(as_json, document, f"{added.account} {'has new cookies' if added.replaced else 'was added'}: {added.file}")


def _submit(name: str, export: bytes, as_json: bool) -> None:
    """Submit an export: a worker with a writable folder imports it within a minute, and logs the result."""

    async def submit(ledger: Ledger, _: WorkerSettings) -> None:
        if not await ledger.submit_export(name, export):
            _fail("too many exports wait for a worker already")
        _print(as_json, {"account": name, "sent": True}, f"{name} was sent: a worker that can write its folder adds it")

    _run(submit)


def _read(file: Path) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read(MAX_FILE + 1)
    with file.open("rb") as source:
        return source.read(MAX_FILE + 1)


def _order(name: str, order: Order, as_json: bool) -> None:
    """Carry out an order, which applies to the account's images too."""

    async def carry_out(ledger: Ledger, _: WorkerSettings) -> None:
        before = await _find_statuses(ledger, name)
        for status in before:
            await ledger.execute_order(status.name, order)
        after, now = await _find_statuses(ledger, name), time.time()
        _print(as_json, [render.as_json(status, now) for status in after], render.changes(before, after, now))

    _run(carry_out)


async def _find_statuses(ledger: Ledger, name: str) -> list[AccountStatus]:
    statuses = render.select_statuses(await ledger.read_statuses(), name, PICTURES)
    return statuses or _fail(f"no worker has reported an account named {name!r}")


def _load_account(settings: WorkerSettings, name: str) -> Account:
    folder = settings.cookies_dir
    state = account_watcher(settings).load()
    for account in state.accounts:
        if account.name == name:
            return account
    own = [problem for problem in state.problems if problem.startswith(f"{name}.")]
    return _fail("; ".join([f"{folder} holds no account named {name!r} that can be used", *own]))


def _run(command: Callable[[Ledger, WorkerSettings], Awaitable[None]]) -> None:
    """Run a command with the settings of the environment. A failure prints one sentence."""
    settings = load_settings(WorkerSettings)
    configure(settings.log_format)

    async def run() -> None:
        store = Store(settings.redis_url)
        try:
            await command(Ledger(store), settings)
        finally:
            await store.close()

    try:
        asyncio.run(run())
    except StoreUnavailableError as error:
        _fail(f"Redis is away: {error}")
    except ValueError as error:
        _fail(str(error))


def _print(as_json: bool, document: Any, text: str) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2) if as_json else text)


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
