"""`python -m worker` as a real process."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conditions import until
from tests.support.processes import free_port, interpreter, process, run_to_end, wait_until, write_accounts
from tests.support.redis_client import redis_client
from tests.support.worker.harness import Client, HookedStore, settings_with
from wire import keys
from wire.answers import Answers
from wire.jobs import new_token
from wire.sessions import Sessions
from worker.__main__ import main
from worker.settings import WorkerSettings

SCRIPTED = "tests.support.worker.scripted_provider:ScriptedProvider"


@pytest.fixture
def settings(tmp_path: Path, valkey_url: str) -> dict[str, str]:
    """Return the environment of a worker that can serve."""
    write_accounts(tmp_path / "cookies", "one")
    return {
        "REDIS_URL": valkey_url,
        "COOKIES_DIR": str(tmp_path / "cookies"),
        "PROVIDER": SCRIPTED,
        "LOG_FORMAT": "json",
        "LEASE_TTL": "3",
    }


def log_lines(log: Path) -> list[dict[str, Any]]:
    """Return the log's lines; each of them is JSON, so there is no traceback among them."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def logs(log: Path, event: str) -> Callable[[], bool]:
    return lambda: any(line["event"] == event for line in log_lines(log))


def test_sigterm_ends_it_cleanly(tmp_path: Path, settings: dict[str, str]) -> None:
    log = tmp_path / "log"
    with interpreter("worker", log, **settings) as started:
        wait_until(logs(log, "worker ready"), "the worker is ready")
        assert run_to_end("worker", "check", **settings).returncode == 0
        started.terminate()
        assert started.wait(10) == 0
    assert [line["event"] for line in log_lines(log)] == ["worker ready", "worker stopped"]
    assert log_lines(log)[0]["accounts"] == 1
    assert run_to_end("worker", "check", **settings).returncode == 1


@pytest.mark.anyio
async def test_it_answers(tmp_path: Path, settings: dict[str, str]) -> None:
    store = HookedStore(settings["REDIS_URL"])
    with process("worker", tmp_path / "log", **settings):
        async with Answers(store) as answers:
            client = Client(store, answers)
            assert await client.text(await client.ask("why?")) == "you asked: why?"
    await store.close()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "can't be read: No such file or directory"),
        ("", "holds no key: one line of visible ASCII characters is wanted"),
        ("planted\x1b[2Jkey", "holds no key: one line of visible ASCII characters is wanted"),
    ],
)
def test_a_file_without_the_servers_key_ends_the_start_with_one_sentence(
    tmp_path: Path, settings: dict[str, str], content: str | None, fault: str
) -> None:
    file = tmp_path / "server.key"
    if content is not None:
        file.write_text(content)
    at_server = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_MODEL": "m", "OPENAI_API_KEY_FILE": str(file)}
    ended = run_to_end("worker", **settings | at_server)
    assert (ended.returncode, ended.stderr) == (1, f"OPENAI_API_KEY_FILE: {file} {fault}\n")


def test_it_waits_for_accounts_and_can_be_ended_meanwhile(tmp_path: Path, settings: dict[str, str]) -> None:
    log, folder = tmp_path / "log", tmp_path / "none"
    with process("worker", log, **settings | {"COOKIES_DIR": str(folder)}) as started:
        wait_until(logs(log, f"no usable account in {folder}, waiting for one"), "the missing thing is logged")
        started.terminate()
        assert started.wait(10) == 0
    assert len(log_lines(log)) == 2


def test_a_redis_that_is_away_is_reported_once_and_waited_for(tmp_path: Path, settings: dict[str, str]) -> None:
    log = tmp_path / "log"
    away = {**settings, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with process("worker", log, **away) as started:
        wait_until(logs(log, "redis is away, trying again"), "an absent Redis is logged")
        started.terminate()
        assert started.wait(10) == 0
    assert [line["event"] for line in log_lines(log) if line["level"] == "error"] == ["redis is away, trying again"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"WORKER_SLOTS": "none"}, "wrong setting: WORKER_SLOTS: "),
        ({"METRICS_PORT": "70000"}, "wrong setting: METRICS_PORT: "),
        ({"REDIS_URL": "http://127.0.0.1"}, "REDIS_URL must begin with one of memory://"),
        ({"REDIS_URL": "redis://127.0.0.1:port"}, "REDIS_URL is not an address of Redis: "),
        ({"PROVIDER": "nothing", "COOKIES_DIR": "nowhere"}, "PROVIDER=nothing is neither one of "),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_sentence(
    settings: dict[str, str], wrong: dict[str, str], sentence: str
) -> None:
    ended = run_to_end("worker", **settings | wrong)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(sentence)
    assert ended.stderr.count("\n") == 1


def test_an_unknown_command_is_reported(settings: dict[str, str]) -> None:
    ended = run_to_end("worker", "dance", **settings)
    assert ended.returncode == 2
    assert "No such command 'dance'" in ended.stderr


# The same inside this process.


def loaded(settings: dict[str, str], **changed: object) -> WorkerSettings:
    return settings_with(
        redis_url=settings["REDIS_URL"], cookies_dir=Path(settings["COOKIES_DIR"]), provider=SCRIPTED, **changed
    )


@pytest.mark.anyio
async def test_check_sees_only_workers_of_this_host(settings: dict[str, str]) -> None:
    store = HookedStore(settings["REDIS_URL"])
    assert await main("check", loaded(settings)) == 1
    await Sessions(store).beat("elsewhere-1")
    assert await main("check", loaded(settings)) == 1
    await Sessions(store).beat(f"{socket.gethostname()}-1")
    assert await main("check", loaded(settings)) == 0
    await store.close()


@pytest.mark.anyio
async def test_check_without_redis_is_no(settings: dict[str, str]) -> None:
    assert await main("check", loaded({**settings, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains(settings: dict[str, str], ending: signal.Signals) -> None:
    store = HookedStore(settings["REDIS_URL"])
    running = asyncio.create_task(main("run", loaded(settings)))

    async def alive() -> bool:
        return len(await Sessions(store).list_live_workers()) == 1

    await until(alive)
    os.kill(os.getpid(), ending)
    async with asyncio.timeout(10):
        assert await running == 0
    assert not await alive()
    await store.close()


@pytest.mark.anyio
async def test_a_signal_ends_the_wait_for_accounts(settings: dict[str, str], tmp_path: Path) -> None:
    running = asyncio.create_task(main("run", loaded({**settings, "COOKIES_DIR": str(tmp_path / "none")})))
    await until(lambda: signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await running == 0


@pytest.mark.anyio
async def test_a_conversation_is_forgotten_with_all_that_was_said(settings: dict[str, str], tmp_path: Path) -> None:
    store, token = HookedStore(settings["REDIS_URL"]), new_token()
    with process("worker", tmp_path / "log", **settings):
        async with Answers(store) as answers:
            client = Client(store, answers)
            await client.text(await client.ask("a private matter", token))
            assert await redis_client(store).exists(keys.transcript_key(token)) == 1
            ended = await asyncio.to_thread(run_to_end, "worker", "forget", token, **settings)
            assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
            await until(lambda: gone(store, token))
    await store.close()


async def gone(store: HookedStore, token: str) -> bool:
    return await redis_client(store).exists(keys.token_key(token), keys.transcript_key(token)) == 0


def test_forgetting_needs_redis(settings: dict[str, str]) -> None:
    away = settings | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    ended = run_to_end("worker", "forget", "t", **away)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Redis is away")
