"""`python -m gateway`."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from gateway import __main__ as process
from gateway.answering.drain import ActiveRequests
from gateway.server import serve
from gateway.settings import GatewaySettings
from tests.support.conditions import SOON
from tests.support.gateway.harness import settings
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve_and_signal(settings: GatewaySettings, store: Store, active_requests: ActiveRequests) -> None:
        await serve(settings, store, active_requests, ready=lambda _: os.kill(os.getpid(), number))

    monkeypatch.setattr(process, "serve", serve_and_signal)
    async with asyncio.timeout(SOON):
        await process.run(settings(), Store("memory://"))


async def test_it_runs_as_a_process_until_sigterm(store_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "GATEWAY_PORT": str(port), "REDIS_URL": store_url, "LOG_FORMAT": "json"}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert child.stderr is not None
    try:
        async with asyncio.timeout(20):
            line = await child.stderr.readline()
            assert json.loads(line)["address"] == f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{port}/healthz?question=secret")
            assert answer.status_code == 200
            child.send_signal(signal.SIGTERM)
            log = await child.stderr.read()
            assert b"secret" not in log
            assert await child.wait() == 0
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_PORT", "70000"),
        ("GATEWAY_HOST", ""),
        ("MAX_BODY", "much"),
        ("MAX_MESSAGE", "0"),
        ("TRUSTED_PROXIES", "nginx"),
        ("CLIENT_LIMIT", "0"),
        ("QUESTION_LIMIT", "0"),
        ("CLIENT_DAILY", "0"),
        ("MAILBOX_LIMIT", "0"),
        ("IDEMPOTENCY_TTL", "0"),
        ("QUEUE_TIMEOUT", "0"),
        ("LOG_FORMAT", "xml"),
        ("REDIS_URL", "http://127.0.0.1"),
        ("REDIS_URL", "redis://127.0.0.1:port"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_sentence(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        process.main()
    assert name in str(ended.value)
    assert "\n" not in str(ended.value)


def test_a_port_that_is_taken_ends_the_start_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "memory://")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("GATEWAY_PORT", str(listener.getsockname()[1]))
        with pytest.raises(SystemExit, match=r"Can't listen on 127\.0\.0\.1:\d+: .*in use\. GATEWAY_PORT"):
            process.main()


def test_only_this_machine_is_served_by_default() -> None:
    assert GatewaySettings().gateway_host == "127.0.0.1"


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["--port", "5001"], 2)])
def test_help_is_shown_and_options_are_refused(arguments: list[str], status: int) -> None:
    command = [sys.executable, "-m", "gateway", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=SOON)
    assert run.returncode == status
    assert "usage: python -m gateway" in run.stdout + run.stderr
