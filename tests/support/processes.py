"""Real processes of ours for tests: started on free ports, waited for, and ended by their id."""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from tests.support.fork_server import ForkedProcess, can_fork
from wire import keys

ROOT = Path(__file__).parents[2]
START_LIMIT = 120.0
# Below those that the system gives to sockets which ask for any port.
_FIRST_PORT, _PORTS = 15_000, 17_000
# By the time that one gave out as many more, something listens on the first.
_MOST_RESERVED = 50
_reserved: deque[int] = deque()
# All in one process, as `make run` starts it.
SERVE = "bing_chat_gateway serve"
Started: TypeAlias = subprocess.Popen[bytes] | ForkedProcess


def free_port() -> int:
    """A port that nobody listens on now, at any address, and that no other process of tests gets for a while.

    It is none of those that the system gives to whoever asks for any.
    """
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0port-of-a-test-{port}")
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            reservation.close()
            continue
        _reserved.append(reservation.detach())
        if len(_reserved) > _MOST_RESERVED:
            os.close(_reserved.popleft())
        return port


def settle(client: Any) -> None:
    """Make a server look as if workers had known it for long, so that they don't wait for each other's word on it."""
    client.hset(keys.run_key(), mapping={"id": client.info("server")["run_id"], "at": 0})


def wait_until(condition: Callable[[], Any], what: str, limit: float = START_LIMIT) -> Any:
    """The condition's first true value; fails with `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {limit} s: {what}")


def open_files(pid: int) -> list[str]:
    """Return what a process has open (`socket:[inode]`, a path, …), but for what it closes meanwhile."""
    files = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            files.append(os.readlink(descriptor))
    return files


def open_sockets(pid: int) -> set[str]:
    """The inodes of the sockets that a process holds, by which the kernel's tables name them."""
    return {file.removeprefix("socket:[").removesuffix("]") for file in open_files(pid) if file.startswith("socket:")}


def socket_table(pid: int, name: str) -> list[list[str]]:
    """The rows of one of the kernel's tables of sockets (`tcp`, `unix`, …), on the machine that a process runs on."""
    return [row.split() for row in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]


def answers(url: str) -> bool:
    """Whether a GET of the address gives 200."""
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def process(command: str, log: Path, **environment: str) -> Iterator[Started]:
    """Run `python -m command` with only the settings given; its output goes to `log`."""
    module, *arguments = command.split()
    with _ended(_start(module, arguments, log, log, environment)) as started:
        yield started


@contextmanager
def interpreter(command: str, log: Path, **environment: str) -> Iterator[Started]:
    """Run `python -m command` as `process` does, but in an interpreter that begins with nothing."""
    module, *arguments = command.split()
    with _ended(_execute(module, arguments, log, log, environment)) as started:
        yield started


@contextmanager
def _ended(started: Started) -> Iterator[Started]:
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(10)


def run_to_end(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m module` up to its end, which must come by itself."""
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = Path(folder) / "stdout", Path(folder) / "stderr"
        started = _start(module, arguments, stdout, stderr, environment)
        try:
            code = started.wait(START_LIMIT)
        finally:
            started.kill()
        return subprocess.CompletedProcess([module, *arguments], code, stdout.read_text(), stderr.read_text())


def _start(module: str, arguments: Sequence[str], stdout: Path, stderr: Path, settings: Mapping[str, str]) -> Started:
    if not can_fork(module):
        return _execute(module, arguments, stdout, stderr, settings)
    stdout.touch()
    stderr.touch()
    return ForkedProcess(module, arguments, _inherited() | dict(settings), ROOT, stdout, stderr)


def _execute(module: str, arguments: Sequence[str], stdout: Path, stderr: Path, settings: Mapping[str, str]) -> Started:
    with stdout.open("ab") as output, stderr.open("ab") as errors:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=_inherited() | dict(settings), stdout=output, stderr=errors)


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def write_accounts(folder: Path, *names: str) -> None:
    """One Cookie-Editor export an account; the emulator knows an account by its `_U`."""
    folder.mkdir(exist_ok=True)
    for name in names:
        write_account(folder, name, name)


def write_account(folder: Path, name: str, sign_in: str) -> None:
    """One export, put there as a whole."""
    cookies = [{"name": "_U", "value": sign_in, "domain": ".bing.com"}]
    draft = folder / f".{name}.json"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(cookies))
    draft.replace(folder / f"{name}.json")


def write_servers(folder: Path, base_url: str, *names: str) -> None:
    """An accounts.toml with one account a name at the emulator's OpenAI face, which knows it by its key."""
    folder.mkdir(exist_ok=True)
    entries = []
    for name in names:
        key = folder / f"{name}.key"
        key.touch(mode=0o600)
        key.write_text(name)
        server = {
            "base_url": base_url,
            "model": "stand-in",
            "image_model": "stand-in-pictures",
            "api_key_file": key.name,
        }
        entries += [f"[accounts.{name}]", *(f'{setting} = "{value}"' for setting, value in server.items())]
    terms = folder / "accounts.toml"
    terms.touch(mode=0o600)
    terms.write_text("\n".join(entries) + "\n")


# Outcomes in the upstream's ledger that no account is blamed for.
_HARMLESS = {"Success", "success", "running", "stopped", "client gone", "header-only"}


@dataclass(frozen=True)
class Deployment:
    """A running system: the addresses of its gateways and of the stand-in for Bing."""

    gateways: list[str]
    emulator: str
    cookies: Path
    accounts: tuple[str, ...]

    @property
    def url(self) -> str:
        return self.gateways[0]

    def turns(self, text: str) -> list[dict[str, Any]]:
        """What the upstream's ledger holds of the questions that contain `text`."""
        ledger = httpx.get(f"{self.emulator}/_ledger").json()
        return [turn for turn in ledger["turns"] if text in turn["question"]]

    def hurt(self) -> set[str]:
        """Return the accounts for which something reached the upstream that may speak against them."""
        ledger = httpx.get(f"{self.emulator}/_ledger").json()
        entries = [entry for kind in ledger.values() for entry in kind]
        return {str(entry["account"]) for entry in entries if entry["outcome"] not in _HARMLESS}

    def renew(self, name: str) -> None:
        """Replace every account's cookie, which makes them all ready again, and wait until the workers have seen it."""
        for account in self.accounts:
            write_account(self.cookies, account, f"{account}-{name}")

        def is_renewed() -> bool:
            questions = [f"probe {name} {number}" for number in range(4)]
            for question in questions:
                httpx.get(f"{self.url}/api", params={"style": "balanced", "question": question}, timeout=20)
            accounts = [turn["account"] for question in questions for turn in self.turns(question)]
            httpx.delete(f"{self.emulator}/_ledger")
            return len(accounts) == len(questions) and all(account.endswith(f"-{name}") for account in accounts)

        wait_until(is_renewed, "the new cookies are used")

    def script(self, **commands: Any) -> None:
        """Set how the emulator behaves."""
        httpx.post(f"{self.emulator}/_script", json=commands).raise_for_status()


@contextmanager
def deployment(
    folder: Path,
    redis_url: str | None,
    gateways: int = 1,
    workers: int = 1,
    accounts: Sequence[str] = ("first", "second"),
    settings: Mapping[str, str] | None = None,
    gateway_settings: Mapping[str, str] | None = None,
    at_servers: bool = False,
) -> Iterator[Deployment]:
    """Gateways, workers (with `settings`) and the emulator as processes on a Redis; without one, `serve`.

    The accounts are Bing's, or at the emulator's OpenAI API.
    """
    log, emulator_port = folder / "log.txt", free_port()
    emulator = f"http://127.0.0.1:{emulator_port}"
    if at_servers:
        write_servers(folder / "cookies", f"{emulator}/v1", *accounts)
    else:
        write_accounts(folder / "cookies", *accounts)
    upstream = {
        "COOKIES_DIR": str(folder / "cookies"),
        "BING_CREATE_URL": f"{emulator}/turing/conversation/create",
        "BING_CHAT_URL": f"ws://127.0.0.1:{emulator_port}/sydney/ChatHub",
        "BING_IMAGE_URL": emulator,
        "IDLE_TIMEOUT": "3",
        "FIRST_TEXT_TIMEOUT": "3",
    } | dict(settings or {})
    ports = [free_port() for _ in range(gateways)]
    with ExitStack() as stack:
        start = stack.enter_context
        # Tests script a spent quota themselves; how many questions a slow machine asks is not to matter.
        start(process("emulator", log, EMULATOR_PORT=str(emulator_port), EMULATOR_PACE="0", EMULATOR_DAILY_QUOTA="0"))
        if redis_url is None:
            start(process(SERVE, log, GATEWAY_PORT=str(ports[0]), **upstream))
        else:
            for port in ports:
                settings_of_gateway = dict(gateway_settings or {})
                start(process("gateway", log, GATEWAY_PORT=str(port), REDIS_URL=redis_url, **settings_of_gateway))
            for _ in range(workers):
                start(process("worker", log, REDIS_URL=redis_url, **upstream))
        running = Deployment(
            [f"http://127.0.0.1:{port}" for port in ports], emulator, folder / "cookies", tuple(accounts)
        )
        for address in (f"{emulator}/_health", *(f"{gateway}/readyz" for gateway in running.gateways)):
            wait_until(partial(answers, address), f"{address} answers, see {log}")
        yield running


@contextmanager
def at_model_servers(folder: Path, accounts: Sequence[str], **settings: str) -> Iterator[Deployment]:
    """Run gateway and worker in one process, with these accounts at the emulator's OpenAI API."""
    log, gateway, upstream = folder / "log.txt", free_port(), free_port()
    emulator, cookies = f"http://127.0.0.1:{upstream}", folder / "cookies"
    write_servers(cookies, f"{emulator}/v1", *accounts)
    settings |= {"GATEWAY_PORT": str(gateway), "COOKIES_DIR": str(cookies)}
    with (
        process("emulator", log, EMULATOR_PORT=str(upstream), EMULATOR_PACE="0", EMULATOR_DAILY_QUOTA="0"),
        process(SERVE, log, **settings),
    ):
        running = Deployment([f"http://127.0.0.1:{gateway}"], emulator, cookies, tuple(accounts))
        wait_until(lambda: answers(f"{emulator}/_health") and answers(f"{running.url}/readyz"), "all is ready")
        yield running
