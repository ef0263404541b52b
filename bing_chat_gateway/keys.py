"""The command `keys`: keys for the files of API_KEYS_FILE and ADMIN_KEYS_FILE."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gateway.auth.api_keys import MAX_COUNT, MAX_WEIGHT, ApiKey, create_key, read_keys

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make keys of the API and of the console.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="who will hold the key: letters, digits and .@_-")]
File = Annotated[
    Path | None,
    typer.Option(
        "--file", metavar="FILE", dir_okay=False, help="append the line to this file, which is made if missing"
    ),
]

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, max=MAX_COUNT, help="its questions that may wait or run, not CLIENT_LIMIT"
    ),
]
Models = Annotated[
    str | None, typer.Option("--models", metavar="A,B*", help="the only models that it is good for, by name or pattern")
]
Weight = Annotated[
    int,
    typer.Option("--weight", metavar="N", min=1, max=MAX_WEIGHT, help="its share of the turns where many clients wait"),
]
Daily = Annotated[
    int | None,
    typer.Option("--daily", metavar="N", min=1, max=MAX_COUNT, help="its questions in a day, not CLIENT_DAILY"),
]


@app.callback()
def _group() -> None: ...


@app.command()
def new(
    name: Name,
    file: File = None,
    limit: Limit = None,
    models: Models = None,
    weight: Weight = 1,
    daily: Daily = None,
) -> None:
    """Make a key: print it and, for the file of keys, the line with its name and SHA-256.

    The key is kept nowhere. The line's limits hold for a key of the API only.
    """
    try:
        secret, key = create_key(name, limit=limit, models=_split(models), weight=weight, daily=daily)
        if file:
            _append(file, key)
    except ValueError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{file} can't be written: {error.strerror}")
    typer.echo(f"{secret}\n{key.line}")
    if file:
        typer.echo(f"{key.name} was added to {file}; gateways that run with it follow it", err=True)


def _split(models: str | None) -> tuple[str, ...] | None:
    return None if models is None else tuple(models.split(","))


def _append(file: Path, key: ApiKey) -> None:
    """Append the line of a key to a file, a new one for its owner only. Raises OSError, ValueError.

    One process at a time. A file that has no room for the whole line stays as it was: gateways don't start with a part.
    """
    if file.exists() and not file.is_file():
        raise ValueError(f"{file} is not a file")
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+", buffering=0) as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        if any(other.name == key.name for other in read_keys(file, "--file")):
            raise ValueError(f"{file} has a key named {key.name} already")
        text = opened.readall()
        separator = "" if not text or text.endswith(b"\n") else "\n"
        line = f"{separator}{key.line}\n".encode()
        try:
            if opened.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(opened)
        except OSError:
            opened.truncate(len(text))
            raise


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)
