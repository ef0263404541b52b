"""Runs the blocks of one page as a reader would: in their order, in one shell, in a copy of the checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.docs.blocks import ROOT, Block
from tests.support.docs.programs.table import PROGRAMS
from wire.version import VERSION

_LIMIT = 120.0
_RUNNERS = {"sh": "source", "python": "python"}
# Programs that run as they are: they change nothing but files of the copy. The page finds no others but the stand-ins.
_HARMLESS = (
    *("awk", "base64", "basename", "bash", "cat", "chmod", "cmp", "cp", "cut", "date", "diff", "dirname", "du", "echo"),
    *("env", "false", "find", "grep", "gzip", "head", "id", "jq", "ln", "ls", "mkdir", "mktemp", "mv", "node", "nproc"),
    *("openssl", "printf", "ps", "pwd", "rm", "sed", "seq", "sh", "sha256sum", "sort", "stat", "tail", "tar", "tee"),
    *("test", "timeout", "touch", "tr", "true", "uname", "uniq", "wc", "xargs"),
)
# Scripts that install things for minutes: in the copy they do nothing.
_LONG_SCRIPTS = ("findings/*.sh", "tests/*/setup.sh", ".ci/run", ".ci/packages")
# Folders that pages write to; the others are links, since copying takes a second a page.
_WRITTEN = ("cookies", "deploy", "requirements")
_MODEL_SERVER = re.compile(r"(127\.0\.0\.1|localhost|host\.docker\.internal):(11434|8000|8080|1234|4000)/v1")
# Absolute paths of a machine: in tests they are below a folder.
_MACHINE = re.compile(r"(?<![\w.$}/:])/(?=(?:data|etc|home|mnt|opt|srv|usr/local|var)/)")
_FOLDERS = (
    *("etc/systemd/system", "etc/nginx/conf.d", "etc/nginx/sites-enabled", "etc/caddy", "etc/letsencrypt/live"),
    *("data", "opt", "srv", "usr/local/bin", "var/lib/redis", "var/log", "var/backups", "home"),
    "var/lib/bing-chat-gateway/cookies",
)
# Of what nginx's package brings, the line that a page changes.
_NGINX = "events {\n\tworker_connections 768;\n}\n"


@dataclass(frozen=True)
class Services:
    """What runs for the pages. Addresses are `host:port`."""

    gateway: str
    emulator: str
    redis: str
    cookies: Path
    launcher: Path

    def located(self, code: str) -> str:
        """Return the code with these in place of the addresses that pages have."""
        for address, named in ((self.gateway, "500[0-2]"), (self.emulator, 8190), (self.redis, 6379)):
            code = re.sub(rf"(127\.0\.0\.1|localhost):{named}\b", address, code)
        return _MODEL_SERVER.sub(f"{self.emulator}/v1", code)


@dataclass(frozen=True)
class Run:
    """How the blocks of a page ended: the one that failed if any did, and what each printed."""

    failed: Block | None
    errors: str
    outputs: dict[Block, str]


def copy_checkout(folder: Path) -> None:
    """Copy the files of the checkout that git knows, and only those; scripts that take minutes become empty."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for path in (path for pattern in _LONG_SCRIPTS for path in folder.glob(pattern)):
        path.write_text("#!/bin/bash\n")


def run_page(blocks: Sequence[Block], folder: Path, checkout: Path, services: Services) -> Run:
    """Run the blocks in `folder` until one fails; those that are files are written there.

    It gets what `checkout` has, and what readers have: an export of an account, and the wheel.
    """
    here, programs, machine = folder / "bing-chat-gateway", folder / "bin", folder / "machine"
    here.mkdir()
    for path in checkout.iterdir():
        if path.is_file():
            shutil.copy2(path, here)
        elif path.name in _WRITTEN:
            shutil.copytree(path, here / path.name)
        else:
            (here / path.name).symlink_to(path)
    _make_programs(programs, here / ".venv" / "bin")
    (here / "export.json").write_text(json.dumps([{"name": "_U", "value": "reader", "domain": ".bing.com"}]))
    (here / "dist").mkdir()
    (here / f"dist/bing_chat_gateway-{VERSION}-py3-none-any.whl").touch()
    for path in (*(machine / name for name in _FOLDERS), folder / "tmp"):
        path.mkdir(parents=True)
    (machine / "etc/nginx/nginx.conf").write_text(_NGINX)
    script = _script(blocks, folder, services)
    environment = {
        "PATH": f"{programs}",
        "HOME": f"{machine}/home",
        "TMPDIR": f"{folder}/tmp",
        "USER": "reader",
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{ROOT}",
        "PYTHONSAFEPATH": "1",
        "DOCS_SERVICES": "\t".join((services.gateway, services.emulator, services.redis, f"{services.cookies}")),
        "DOCS_LAUNCHER": f"{services.launcher}",
        "DOCS_CHECKOUT": f"{here}",
        "DOCS_PROGRAMS": f"{programs}",
        "DOCS_MACHINE": f"{machine}",
    }
    command = ["bash", "-eo", "pipefail", f"{script}"]
    try:
        code = subprocess.run(
            command, cwd=here, env=environment, stdin=subprocess.DEVNULL, timeout=_LIMIT, check=False
        ).returncode
        late = ""
    except subprocess.TimeoutExpired:
        code, late = -1, f"not within {_LIMIT} s"
    begun = [(number, block) for number, block in enumerate(blocks) if (folder / f"{number}.out").exists()]
    outputs = {block: (folder / f"{number}.out").read_text(errors="replace") for number, block in begun}
    if code == 0:
        return Run(None, "", outputs)
    number, block = begun[-1]
    return Run(block, (folder / f"{number}.err").read_text(errors="replace") + late, outputs)


def _script(blocks: Sequence[Block], folder: Path, services: Services) -> Path:
    """Write the page as one script, whose output goes to a file a block."""
    lines = []
    for number, block in enumerate(blocks):
        code = _MACHINE.sub(f"{folder}/machine/", services.located(block.code))
        lines.append(f"exec >>{folder}/{number}.out 2>>{folder}/{number}.err")
        program = folder / f"{number}.{block.language}"
        program.write_text(code)
        if block.language in _RUNNERS:
            lines.append(f"{_RUNNERS[block.language]} {program}")
        else:
            file = _MACHINE.sub(f"{folder}/machine/", block.file)
            lines.append(f"test -e {file} || {{ mkdir -p $(dirname {file}) && cp {program} {file}; }}")
    script = folder / "page.sh"
    script.write_text("\n".join(lines))
    return script


def _make_programs(folder: Path, environment: Path) -> None:
    """Fill a folder with what the page finds as programs, stand-ins and harmless ones, and .venv/bin likewise."""
    folder.mkdir()
    for name in _HARMLESS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    stand_in = folder / "stand-in"
    stand_in.write_text(f'#!/bin/bash\nexec "{sys.executable}" -m tests.support.docs.programs "${{0##*/}}" "$@"\n')
    stand_in.chmod(0o755)
    for name in PROGRAMS:
        (folder / name).symlink_to(stand_in.name)
    environment.mkdir(parents=True)
    for name in os.listdir(Path(sys.executable).parent):
        (environment / name).symlink_to(Path(sys.executable).parent / name)
    for name in ("python", "python3", "pip", "bing-chat-gateway"):
        (environment / name).unlink(missing_ok=True)
        (environment / name).symlink_to(folder / name)
