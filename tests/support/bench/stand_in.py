"""A program in a peer's place: it records how it was started, and answers each GET on the port that it was given."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers.environments import Environments

_CODE = """#!{python}
import http.server, json, os, re, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
found = re.search(r"--port[= ](\\d+)", " ".join(sys.argv))
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(found[1]) if found else 0), Handler)
with open({record!r}, "w") as file:
    json.dump({{"arguments": sys.argv[1:], "settings": dict(os.environ)}}, file)
if not found:
    with open(sys.argv[-1], "w") as file:
        file.write(f"http://127.0.0.1:{{server.server_port}}/openai/v1")
server.serve_forever()
"""


@dataclass(frozen=True)
class StandIns(Environments):
    """Environments that have this one program, by whatever name."""

    commands: Path

    @property
    def started(self) -> Any:
        """The arguments and the settings with which it was started."""
        return json.loads((self.commands / "started.json").read_text())

    @property
    def arguments(self) -> str:
        """The arguments in one line."""
        return " ".join(self.started["arguments"])

    async def python(self, pins: Path) -> Path:
        """Return the folder with the program."""
        assert pins.suffix == ".txt"
        return self.commands

    async def node(self, source: Path) -> Path:
        """Return the folder with the program."""
        assert source.name == "portkey"
        return self.commands


def make_stand_ins(folder: Path, name: str) -> StandIns:
    """Write the program."""
    commands = folder / "commands"
    commands.mkdir()
    file = commands / name
    file.write_text(_CODE.format(python=sys.executable, record=str(commands / "started.json")))
    file.chmod(0o700)
    return StandIns(commands)
