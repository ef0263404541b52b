"""A foreign server of the OpenAI API as the only account of a deployment of ours."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from tests.support.processes import Deployment, answers, deployment, run_to_end, wait_until

START_LIMIT = 120.0
# The account that OPENAI_BASE_URL makes.
ACCOUNT = "openai"
# Long enough for a busy machine.
PATIENCE = {"FIRST_TEXT_TIMEOUT": "30", "IDLE_TIMEOUT": "30"}


@contextmanager
def running(command: Sequence[str], log: Path, health: str, **environment: str) -> Iterator[None]:
    """A server of somebody else's, until the end, once it answers at `health`."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with log.open("ab") as output:
        started = subprocess.Popen(command, env=inherited | environment, stdout=output, stderr=output)
    try:
        wait_until(
            lambda: started.poll() is not None or answers(health), f"{command[0]} answers, see {log}", START_LIMIT
        )
        assert started.poll() is None, f"{command[0]} ended, see {log}"
        yield
    finally:
        started.kill()
        started.wait()


@dataclass(frozen=True)
class Ours:
    """A gateway and a worker whose only account is at the server."""

    deployed: Deployment
    redis_url: str

    def ask(self, question: str, token: str | None = None, style: str = "precise") -> dict[str, Any]:
        """What /api answers."""
        fields = {"style": style, "question": question} | ({"token": token} if token else {})
        reply: dict[str, Any] = httpx.post(f"{self.deployed.url}/api", json=fields, timeout=60).json()
        return reply

    def events(self, question: str) -> list[dict[str, Any]]:
        """What /api_stream answers."""
        fields = {"style": "precise", "question": question}
        with httpx.stream("GET", f"{self.deployed.url}/api_stream", params=fields, timeout=60) as response:
            return [json.loads(line.removeprefix("data: ")) for line in response.iter_lines() if line]

    def frames(self, question: str) -> list[dict[str, Any]]:
        """What /ws_stream answers."""
        with connect(f"{self.deployed.url.replace('http', 'ws', 1)}/ws_stream") as socket:
            socket.send(json.dumps({"style": "precise", "question": question}))
            frames = [json.loads(socket.recv(timeout=60))]
            while frames[-1]["code"] == 200 and not frames[-1]["data"]["done"]:
                frames.append(json.loads(socket.recv(timeout=60)))
            return frames

    def completion(self, question: str, stream: bool = False) -> httpx.Response:
        """The response of /v1/chat/completions."""
        body = {"model": "bing-precise", "messages": [{"role": "user", "content": question}], "stream": stream}
        return httpx.post(f"{self.deployed.url}/v1/chat/completions", json=body, timeout=60)

    def completions(self, question: str) -> tuple[str, str]:
        """The text of a whole and of a streamed completion, each with its proper end."""
        (choice,) = self.completion(question).json()["choices"]
        data = [line.removeprefix("data: ") for line in self.completion(question, True).text.split("\n\n") if line]
        assert data.pop() == "[DONE]"
        choices = [choice for event in map(json.loads, data) for choice in event.get("choices", ())]
        assert choice["finish_reason"] == choices[-1]["finish_reason"] is not None
        return choice["message"]["content"], "".join(choice["delta"].get("content") or "" for choice in choices)

    def stopped(self, question: str, busy: Callable[[], bool] = lambda: True) -> list[dict[str, Any]]:
        """What /api_stream answers when it is stopped at its first text, at which the server is `busy`."""
        url, fields = self.deployed.url, {"style": "precise", "question": question}
        with httpx.stream("GET", f"{url}/api_stream", params=fields, timeout=60) as response:
            lines = (line for line in response.iter_lines() if line)
            first = next(lines)
            assert busy()
            httpx.delete(f"{url}/answers/{response.headers['x-answer-id']}").raise_for_status()
            return [json.loads(line.removeprefix("data: ")) for line in (first, *lines)]

    def account(self) -> dict[str, Any]:
        """The account's state, as an operator sees it."""
        ended = run_to_end("worker", "accounts", "show", ACCOUNT, "--json", REDIS_URL=self.redis_url)
        standing: dict[str, Any] = json.loads(ended.stdout)[0]
        return standing


@contextmanager
def ours(
    folder: Path, redis_url: str, base_url: str, model: str, key: str, settings: Mapping[str, str] | None = None
) -> Iterator[Ours]:
    """Processes of ours before the server."""
    at_server = {"PROVIDER": "openai", "OPENAI_BASE_URL": base_url, "OPENAI_MODEL": model, "OPENAI_API_KEY": key}
    settings = PATIENCE | at_server | dict(settings or {})
    # A question may be longer than the server's model takes.
    gateway = {"QUESTION_LIMIT": "1000000"}
    with deployment(folder, redis_url, accounts=(), settings=settings, gateway_settings=gateway) as deployed:
        yield Ours(deployed, redis_url)


def joined(frames: list[dict[str, Any]]) -> str:
    """The text of a stream: its deltas, which are as many as make a stream, and add up to the whole answer."""
    assert [frame["code"] for frame in frames] == [200] * len(frames), frames
    assert [frame["data"]["done"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    text = "".join(frame["data"]["answer"] for frame in frames[:-1])
    assert text == frames[-1]["data"]["answer"]
    assert len(frames) > 2, "it was a stream"
    return text
