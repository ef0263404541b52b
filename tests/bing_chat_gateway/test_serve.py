"""`serve`, started by a newcomer in a fresh clone."""

import base64
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.support.processes import ROOT, SERVE, answers, free_port, interpreter, process, wait_until, write_accounts


@pytest.fixture
def cookies(tmp_path: Path) -> Path:
    """Make an empty folder of exports."""
    folder = tmp_path / "cookies"
    folder.mkdir()
    return folder


def test_without_accounts_it_says_so_answers_and_ends_on_ctrl_c(tmp_path: Path, cookies: Path) -> None:
    port, log = free_port(), tmp_path / "log.txt"
    with interpreter(SERVE, log, GATEWAY_PORT=str(port), COOKIES_DIR=str(cookies)) as started:
        wait_until(lambda: "curl -N" in log.read_text(), "the hint is printed")
        assert "Upstream:      the emulator of Bing" in log.read_text()
        line = re.search(r"curl -N '(\S+)'", log.read_text())
        assert line is not None
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), "it is ready")
        body = httpx.get(line[1], timeout=20).text
        assert body.endswith("\n\n")
        assert '"done": true' in body
        began = time.monotonic()
        started.send_signal(signal.SIGINT)
        assert started.wait(10) == 0
        assert time.monotonic() - began < 5
    assert "Traceback" not in log.read_text()


def test_ctrl_c_ends_it_in_the_middle_of_an_answer(tmp_path: Path, cookies: Path) -> None:
    port, log = free_port(), tmp_path / "log.txt"
    with process(SERVE, log, GATEWAY_PORT=str(port), COOKIES_DIR=str(cookies)) as started:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), "it is ready")
        question = {"style": "balanced", "question": "!deltas=1000 !rate=10 hello"}
        with httpx.stream("GET", f"http://127.0.0.1:{port}/api_stream", params=question, timeout=20) as response:
            chunks = response.iter_bytes()
            assert next(chunks).startswith(b"data: ")
            started.send_signal(signal.SIGINT)
            rest = b"".join(chunks)
        assert rest.endswith(b"\n\n")
        assert started.wait(10) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_the_start_leaves_nothing_behind(tmp_path: Path, cookies: Path, number: int) -> None:
    log, temporary = tmp_path / "log.txt", tmp_path / "temporary"
    temporary.mkdir()
    settings = {"GATEWAY_PORT": str(free_port()), "COOKIES_DIR": str(cookies), "TMPDIR": str(temporary)}
    with interpreter(SERVE, log, **settings) as started:
        wait_until(lambda: any(temporary.iterdir()), "the folder of added accounts is there")
        started.send_signal(number)
        assert started.wait(20) == 0
    assert list(temporary.iterdir()) == []
    assert "Traceback" not in log.read_text()


# The signal comes as the start hands over to the service, which is where it waits first for both of its parts.
_SIGNAL_AT_THE_HANDOVER = """
import asyncio
from bing_chat_gateway import serve

wait, handed_over = asyncio.wait, []

async def wait_with_signal(tasks, **options):
    if isinstance(tasks, list) and not handed_over:
        handed_over.append(True)
        asyncio.current_task().cancel()
    return await wait(tasks, **options)

asyncio.wait = wait_with_signal
serve.main()
"""


def test_a_signal_at_the_last_moment_of_the_start_ends_it_in_order(tmp_path: Path, cookies: Path) -> None:
    environment = {**os.environ, "GATEWAY_PORT": str(free_port()), "COOKIES_DIR": str(cookies)}
    command = [sys.executable, "-c", _SIGNAL_AT_THE_HANDOVER]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=True)
    assert b"gateway ended" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_an_account_that_the_console_adds_is_the_stand_ins_and_gone_afterwards(tmp_path: Path, cookies: Path) -> None:
    port, log, admins = free_port(), tmp_path / "log.txt", tmp_path / "admins"
    admins.write_text(f"olivia {hashlib.sha256(b'key').hexdigest()}")
    settings = {"GATEWAY_PORT": str(port), "COOKIES_DIR": str(cookies), "ADMIN_KEYS_FILE": str(admins)}
    with process(SERVE, log, **settings):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: "Try:" in log.read_text(), "it is ready")
        stand_in = re.search(r"the emulator of Bing, (\S+)", log.read_text())
        assert stand_in is not None
        body = {"name": "second", "export": '[{"name": "_U", "value": "second"}]'}
        headers = {"authorization": "Bearer key"}
        httpx.post(f"{url}/console/accounts", headers=headers, json=body).raise_for_status()

        def takes_turns() -> bool:
            httpx.get(f"{url}/api", params={"style": "balanced", "question": "hello"}, timeout=20)
            turns = httpx.get(f"{stand_in[1]}/_ledger").json()["turns"]
            return {turn["account"] for turn in turns} == {"demo", "second"}

        wait_until(takes_turns, "both are asked")
    assert list(cookies.iterdir()) == []
    assert "Traceback" not in log.read_text()


def test_with_accounts_it_asks_bing(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    write_accounts(tmp_path / "cookies", "one", "two")
    with process(SERVE, log, GATEWAY_PORT=str(free_port()), COOKIES_DIR=str(tmp_path / "cookies")):
        wait_until(lambda: "Upstream:      Bing with 2 account(s)" in log.read_text(), "the upstream is printed")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("GATEWAY_PORT", "many"),
        ("WORKER_SLOTS", "0"),
        ("PROVIDER", "nobody"),
        ("PROVIDER", "nowhere:Nothing"),
        ("LOG_FORMAT", "loud"),
        ("GATEWAY_HOST", "256.0.0.1"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_sentence(
    tmp_path: Path, cookies: Path, setting: str, value: str
) -> None:
    log = tmp_path / "log.txt"
    environment = {"GATEWAY_PORT": str(free_port()), "COOKIES_DIR": str(cookies), setting: value}
    with process(SERVE, log, **environment) as started:
        assert started.wait(20) == 1
    lines = [line for line in log.read_text().splitlines() if "[info" not in line]
    assert len(lines) == 1, log.read_text()
    assert setting in lines[0] or value in lines[0]


def test_a_taken_port_ends_the_start_with_one_sentence(tmp_path: Path, cookies: Path) -> None:
    port, log = free_port(), tmp_path / "log.txt"
    with process(SERVE, tmp_path / "other.txt", GATEWAY_PORT=str(port), COOKIES_DIR=str(cookies)):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), "the first one serves")
        with process(SERVE, log, GATEWAY_PORT=str(port), COOKIES_DIR=str(cookies)) as second:
            assert second.wait(20) == 1
    assert "Can't listen on 127.0.0.1" in log.read_text()
    assert "GATEWAY_PORT or --port sets the port" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_one_line_of_configuration_asks_a_server_of_the_openai_api(tmp_path: Path, cookies: Path) -> None:
    port, server, log = free_port(), free_port(), tmp_path / "log.txt"
    address = f"http://127.0.0.1:{server}"
    own = {"OPENAI_BASE_URL": f"{address}/v1", "OPENAI_MODEL": "stand-in", "OPENAI_API_KEY": "one"}
    with (
        process("emulator", tmp_path / "server.txt", EMULATOR_PORT=str(server), EMULATOR_PACE="0"),
        process(SERVE, log, GATEWAY_PORT=str(port), COOKIES_DIR=str(cookies), **own),
    ):
        wait_until(lambda: answers(f"{address}/_health"), "the server is ready")
        wait_until(lambda: "Try:" in log.read_text(), "it is ready")
        assert f"Upstream:      stand-in at {address}/v1" in log.read_text()
        question = {"style": "precise", "question": "hello"}
        assert '"done": true' in httpx.get(f"http://127.0.0.1:{port}/api_stream", params=question, timeout=20).text
        (turn,) = httpx.get(f"{address}/_ledger").json()["turns"]
        assert (turn["api"], turn["account"], turn["question"], turn["outcome"]) == (
            "openai",
            "one",
            "hello",
            "Success",
        )
    assert "Traceback" not in log.read_text()


def test_no_secret_of_an_upstream_is_printed(tmp_path: Path, cookies: Path) -> None:
    port, log = free_port(), tmp_path / "log.txt"
    write_accounts(cookies, "planted-cookie")
    own = {"OPENAI_BASE_URL": "http://me:planted-word@127.0.0.1:1/v1?code=planted-query", "OPENAI_MODEL": "stand-in"}
    settings = {"GATEWAY_PORT": str(port), "COOKIES_DIR": str(cookies), "OPENAI_API_KEY": "planted-key"}
    with process(SERVE, log, **settings, **own, PROVIDER="openai"):
        wait_until(lambda: "Try:" in log.read_text(), "the block is printed")
        assert "Upstream:      stand-in at http://127.0.0.1:1/v1, Bing with" in log.read_text()
        httpx.get(f"http://127.0.0.1:{port}/api", params={"style": "precise", "question": "hello"}, timeout=60)
    for line in log.read_text().splitlines():
        assert "planted-" not in line.replace("account=planted-cookie", "")


def test_a_start_ends_with_one_block_whose_addresses_answer(tmp_path: Path, cookies: Path) -> None:
    port, log = free_port(), tmp_path / "log.txt"
    with process(SERVE, log, GATEWAY_PORT=str(port), COOKIES_DIR=str(cookies)):
        wait_until(lambda: "Try:" in log.read_text(), "the block is printed")
        block = dict(re.findall(r"^  ([A-Z][\w ]+): +(.+)$", log.read_text(), re.MULTILINE))
        assert list(block) == ["Upstream", "Page", "Docs", "OpenAI API", "Anthropic API", "Console", "Try"]
        assert block["Page"] == f"http://127.0.0.1:{port}"
        for address in (block["Page"], block["Docs"], f"{block['OpenAI API']}/models"):
            assert httpx.get(address, timeout=20).status_code == 200
        assert block["Console"].startswith("off; ADMIN_KEYS_FILE=FILE turns it on")


def test_the_block_shows_the_console_and_the_key_where_there_are_some(tmp_path: Path, cookies: Path) -> None:
    port, log, keys = free_port(), tmp_path / "log.txt", tmp_path / "keys"
    keys.write_text(f"olivia {hashlib.sha256(b'one').hexdigest()}")
    settings = {"GATEWAY_PORT": str(port), "COOKIES_DIR": str(cookies)}
    with process(SERVE, log, **settings, ADMIN_KEYS_FILE=str(keys), API_KEYS_FILE=str(keys)):
        wait_until(lambda: "Try:" in log.read_text(), "the block is printed")
        assert f"Console:       http://127.0.0.1:{port}/console\n" in log.read_text()
        assert "curl -N -H 'Authorization: Bearer KEY' 'http" in log.read_text()
        assert httpx.get(f"http://127.0.0.1:{port}/console").status_code == 200


def test_an_option_replaces_the_setting_of_its_name(tmp_path: Path, cookies: Path) -> None:
    """The five options, each against a setting that would not do."""
    port, server, log = free_port(), free_port(), tmp_path / "log.txt"
    write_accounts(cookies, "one", "two")
    options = {
        "--base-url": f"http://127.0.0.1:{server}/v1",
        "--model": "stand-in",
        "--port": str(port),
        "--host": "127.0.0.1",
        "--cookies": str(cookies),
    }
    settings = {
        "OPENAI_BASE_URL": "nowhere",
        "OPENAI_MODEL": "another",
        "GATEWAY_PORT": "many",
        "GATEWAY_HOST": "256.0.0.1",
        "COOKIES_DIR": str(tmp_path / "nothing"),
    }
    command = " ".join([SERVE, *(f"{option} {value}" for option, value in options.items())])
    with process(command, log, **settings):
        wait_until(lambda: "Try:" in log.read_text(), "the block is printed")
        upstream = f"Upstream:      stand-in at {options['--base-url']}, Bing with 2 account(s) from {cookies}\n"
        assert upstream in log.read_text()
        assert answers(f"http://127.0.0.1:{port}/healthz")


def test_a_server_without_a_model_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with process(SERVE, log, OPENAI_BASE_URL="http://127.0.0.1:1/v1") as started:
        assert started.wait(20) == 1
    assert log.read_text().strip() == "wrong setting: OPENAI_BASE_URL needs OPENAI_MODEL beside it"


def test_a_server_that_sends_pictures_in_base64_serves_every_client(tmp_path: Path, cookies: Path) -> None:
    """They are kept in memory:// too: /image, /v1 in both formats, and the picture at its address."""
    port, upstream = free_port(), free_port()
    server = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_MODEL": "stand-in",
        "OPENAI_IMAGE_MODEL": "stand-in-pictures",
        "OPENAI_API_KEY": "k1",
        "PROVIDER": "openai",
    }
    settings = {"GATEWAY_PORT": str(port), "COOKIES_DIR": str(cookies), **server}
    base = f"http://127.0.0.1:{port}"
    with (
        process("emulator", tmp_path / "emulator.txt", EMULATOR_PORT=str(upstream), EMULATOR_PACE="0"),
        process(SERVE, tmp_path / "log.txt", **settings),
        httpx.Client(base_url=base, timeout=20, trust_env=False) as client,
    ):
        wait_until(lambda: answers(f"{base}/readyz"), "it is ready")
        [address] = client.get("/image", params={"keyword": "a cat !base64"}).json()["data"]
        assert address.startswith(f"{base}/pictures/")
        picture = client.get(address)
        assert (picture.headers["content-type"], picture.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
        body = {"prompt": "a cat !base64"}
        [by_url] = client.post("/v1/images/generations", json=body).json()["data"]
        assert client.get(by_url["url"]).content == picture.content
        assert by_url["url"] != address, "each answer has pictures of its own"
        [inline] = client.post("/v1/images/generations", json=body | {"response_format": "b64_json"}).json()["data"]
        assert base64.b64decode(inline["b64_json"]) == picture.content
