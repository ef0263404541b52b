"""The command's subcommands. Those that serve import what they run themselves, so that the others start at once."""

import os
import signal
import sys
from typing import Annotated

import typer

from bing_chat_gateway.keys import app as keys
from wire.version import VERSION
from worker.__main__ import check_command, forget_command
from worker.__main__ import run_command as worker_command
from worker.cli.accounts import app as accounts

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # They can show variables, and those contain cookies.
    rich_markup_mode=None,
    help="A gateway for Bing Chat and for model servers. Settings come from the environment.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None: ...


@app.command()
def serve(
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="a server that speaks the OpenAI API: OPENAI_BASE_URL"),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="the model of that server: OPENAI_MODEL")
    ] = None,
    port: Annotated[
        str | None, typer.Option("--port", metavar="PORT", help="the port to listen on: GATEWAY_PORT")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="the address to listen on: GATEWAY_HOST")
    ] = None,
    cookies: Annotated[
        str | None, typer.Option("--cookies", metavar="FOLDER", help="the folder of accounts: COOKIES_DIR")
    ] = None,
) -> None:
    """Serve with everything in one process.

    It needs no Redis. Without an account and a server, an emulator of Bing answers.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # As during the other imports; the service has handlers of its own.
    from bing_chat_gateway.serve import main

    options = {
        "OPENAI_BASE_URL": base_url,
        "OPENAI_MODEL": model,
        "GATEWAY_PORT": port,
        "GATEWAY_HOST": host,
        "COOKIES_DIR": cookies,
    }
    os.environ.update({setting: value for setting, value in options.items() if value is not None})
    main()


@app.command()
def gateway() -> None:
    """Run one gateway, which needs Redis and workers."""
    from gateway.__main__ import main

    main()


app.command("worker")(worker_command)


@app.command()
def emulator() -> None:
    """Run the emulator of Bing and of a model server."""
    from emulator.__main__ import main

    sys.exit(main())


app.command("check")(check_command)
app.command("forget")(forget_command)
app.add_typer(accounts, name="accounts")
app.add_typer(keys, name="keys")
