"""Programs of the machine: services, users, packages. Here they change at most a folder."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.docs.programs.arguments import parse, require, words
from tests.support.docs.programs.place import current, real

_SYSTEMCTL = words(
    "enable disable start stop restart try-restart reload status is-active daemon-reload show cat edit kill list-units"
)
_SYSTEM_UNITS = words("nginx redis-server redis valkey valkey-server caddy docker certbot.timer network-online.target")


def sudo(arguments: Sequence[str]) -> int:
    """Run a command as the reader."""
    parsed = parse(arguments, words("-E -n -i -H"), words("-u -g"), until_first=True)
    require(parsed.rest, "no command")
    while "=" in parsed.rest[0]:
        name, _, value = parsed.rest.pop(0).partition("=")
        os.environ[name] = value
    os.execvp(parsed.rest[0], parsed.rest)
    return 0


def systemctl(arguments: Sequence[str]) -> int:
    """Check that the units are shipped, or usual ones of a machine."""
    flags = words("--now --user --no-pager --full -q --quiet --all --failed --no-block")
    parsed = parse(arguments, flags, words("-n --lines --state --type -p --property"))
    command, *units = parsed.rest
    require(command in _SYSTEMCTL, f"systemctl {command} is unknown")
    for unit in units:
        _check_unit(unit)
        if command in ("start", "restart") or "--now" in parsed.options:
            _make_folders(unit)
    return 0


def _make_folders(unit: str) -> None:
    """Make the folders that systemd makes for a unit."""
    file = current().machine / "etc/systemd/system" / (re.sub(r"@.*", "@", unit) + ".service")
    lines = file.read_text() if file.exists() else ""
    for folders in re.findall(r"^StateDirectory=(.*)$", lines, re.MULTILINE):
        for folder in folders.split():
            (current().machine / "var/lib" / folder).mkdir(parents=True, exist_ok=True)


def journalctl(arguments: Sequence[str]) -> int:
    """Check the units."""
    flags = words("-f -e -x -b --no-pager -r")
    for unit in parse(arguments, flags, words("-u --unit -n --lines --since --until -o --output -g")).values(
        "-u", "--unit"
    ):
        _check_unit(unit)
    return 0


def _check_unit(unit: str) -> None:
    shipped = {path.name for path in (current().checkout / "deploy/systemd").glob("*.*")}
    made = {path.name for path in (current().machine / "etc/systemd/system").glob("*.*")}
    name = unit if re.search(r"\.(service|target|timer|socket|slice|path)$", unit) else f"{unit}.service"
    template = re.sub(r"@[^.]*\.", "@.", name)
    match = re.compile(re.escape(template).replace(r"\*", ".*"))
    require(
        any(match.fullmatch(known) for known in shipped | made) or unit.removesuffix(".service") in _SYSTEM_UNITS,
        f"no unit {unit}; there are {sorted(shipped)}",
    )


def useradd(arguments: Sequence[str]) -> int:
    """Check the options."""
    values = words("-d --home-dir --home -s --shell -g --gid -G --groups -u --uid -c --comment -b")
    parsed = parse(arguments, words("-r --system -m -M --create-home --no-create-home -U --user-group --group"), values)
    require(len(parsed.rest) in (1, 2), "one name")
    return 0


def chown(arguments: Sequence[str]) -> int:
    """Check that the files are there."""
    owner, *files = parse(arguments, words("-R -h"), ()).rest
    require(re.fullmatch(r"[\w-]*(:[\w-]*)?", owner), f"{owner} is no owner")
    require(files and all(Path(file).exists() for file in files), f"no file {files}")
    return 0


def install(arguments: Sequence[str]) -> int:
    """Install files without their owners."""
    parsed = parse(arguments, words("-d -D -v"), words("-m --mode -o --owner -g --group -t"))
    options = [part for name in ("-d", "-D") for _ in parsed.values(name) for part in (name,)]
    options += [part for mode in parsed.values("-m", "--mode") for part in ("-m", mode)]
    options += [part for target in parsed.values("-t") for part in ("-t", target)]
    return subprocess.run([real("install"), *options, *parsed.rest], check=False).returncode


def nothing(_: Sequence[str]) -> int:
    """Do nothing: what is waited for is there already."""
    return 0


def apt(arguments: Sequence[str]) -> int:
    """Check the command."""
    parsed = parse(arguments, words("-y -q -qq --yes --no-install-recommends"), ())
    require(parsed.rest[0] in ("update", "install"), f"apt {parsed.rest[0]} is unknown")
    return 0


def uuidgen(_: Sequence[str]) -> int:
    """Print a random UUID."""
    print(Path("/proc/sys/kernel/random/uuid").read_text().strip())  # noqa: T201
    return 0
