"""A service that was started from the package, and all that it has to serve."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.processes import answers, free_port, wait_until


@contextmanager
def served(command: Sequence[str | Path], folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run `command serve` in an empty folder, and yield its address once it is ready."""
    port, log = free_port(), folder / "log.txt"
    empty = folder / "empty"
    empty.mkdir()
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("wb") as output:
        started = subprocess.Popen(
            [*command, "serve", "--port", str(port)],
            cwd=empty,
            env=environment | {"EMULATOR_PACE": "0"} | dict(settings or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{url}/readyz") or started.poll() is not None, "it is ready")
        assert started.poll() is None, log.read_text()
        yield url
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(20)
    assert "Traceback" not in log.read_text()


def check_service(url: str) -> None:
    """Ask for the page, the documents, their files, and an answer."""
    with httpx.Client(base_url=url, timeout=20) as client:
        for page in ("/", "/docs"):
            html = client.get(page).raise_for_status().text
            files = re.findall(r'(?:href|src)="(/[^"#]+)"', html)
            assert any(file.endswith(".js") for file in files), page
            assert any(file.endswith(".css") for file in files), page
            for file in files:
                assert client.get(file).raise_for_status().content, file
        assert client.get("/openapi.json").json()["openapi"].startswith("3.")
        answer = client.get("/api", params={"style": "balanced", "question": "hello"}).json()
        assert (answer["code"], bool(answer["data"]["answer"])) == (200, True)
        body = {"model": "bing-balanced", "messages": [{"role": "user", "content": "hello"}]}
        completion = client.post("/v1/chat/completions", json=body).raise_for_status().json()
        assert completion["choices"][0]["message"]["content"]
