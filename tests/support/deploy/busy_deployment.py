"""A deployment of real processes that has been busy in every way there is, and what it exposes."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from tests.support.processes import Deployment, deployment, wait_until

WORKERS = 2
ASK = {"style": "balanced", "question": "hi"}


@dataclass(frozen=True)
class Watched:
    """Where its processes serve their metrics."""

    running: Deployment
    gateways: list[str]
    workers: list[str]

    def exposed(self) -> dict[str, list[Metric]]:
        """All families of each kind of process."""
        return {
            kind: [family for address in addresses for family in scrape(address)]
            for kind, addresses in (("gateway", self.gateways), ("worker", self.workers))
        }


def scrape(address: str) -> list[Metric]:
    """The families that a process exposes now."""
    return list(text_string_to_metric_families(httpx.get(f"http://{address}/metrics").text))


@contextmanager
def watched(folder: Path, redis_url: str) -> Iterator[Watched]:
    """Two gateways and two workers that serve their metrics."""
    settings = {"METRICS_PORT": "0", "LOG_FORMAT": "json"}
    with ExitStack() as stack:
        running = stack.enter_context(
            deployment(folder, redis_url, gateways=2, workers=WORKERS, accounts=("alice", "bob"), settings=settings)
        )
        log = folder / "log.txt"
        address_pattern = re.compile(r'"address":"http://([\d.:]+)/metrics"')
        addresses = wait_until(
            lambda: (all_ := address_pattern.findall(log.read_text())) and len(all_) == WORKERS and all_, "ports"
        )
        yield Watched(running, [gateway.removeprefix("http://") for gateway in running.gateways], addresses)


def keep_busy(running: Deployment) -> None:
    """Questions of every kind, and what goes wrong with them."""
    with httpx.Client(base_url=running.url, timeout=30) as client:
        for path in ("/api", "/api_stream"):
            client.get(path, params=ASK)
        client.get("/image", params={"keyword": "Cat"})
        messages = [{"role": "user", "content": "hi"}]
        client.post("/v1/chat/completions", json={"model": "bing-balanced", "messages": messages})
        _refused(client)
        _failing(running, client)
    _sockets(running.url.replace("http", "ws"))


def _refused(client: httpx.Client) -> None:
    for path in ("/nothing", "/nothing/else", "/answers/nonsense", "/answers/s0-" + "0" * 32, "/healthz", "/readyz"):
        client.get(path)
    client.post("/v1/chat/completions", json={"model": 1})
    client.put("/api")
    client.get("/api", params={**ASK, "style": "odd"})
    client.get("/api", params={"style": "balanced"})
    client.get("/api", params={**ASK, "token": "unknown"})
    client.get("/image", params={"keyword": "猫"})
    client.post("/api", content=b"{", headers={"content-type": "application/json"})
    client.post("/api", data=ASK, headers={"idempotency-key": "short"})
    for question in ("one", "two"):
        client.post("/api", data={**ASK, "question": question}, headers={"idempotency-key": "k" * 20})


def _failing(running: Deployment, client: httpx.Client) -> None:
    for outcome in ("internal", "bad-json", "throttled-after-text"):
        running.script(account="*", chat={"outcome": outcome, "times": 1})
        client.get("/api", params=ASK)
    with client.stream("GET", "/api_stream", params={**ASK, "question": "!deltas=500 !rate=50"}) as response:
        chunks = response.iter_raw()
        next(chunks)
        client.delete(f"/answers/{response.headers['x-answer-id']}")
        list(chunks)
    running.script(account="alice", chat={"outcome": "captcha", "times": None})
    running.script(account="bob", chat={"outcome": "throttled", "times": None})
    for _ in range(3):
        client.get("/api", params=ASK)


def _sockets(url: str) -> None:
    for path in ("/ws", "/ws_stream"):
        with connect(f"{url}{path}", proxy=None) as socket:
            for message in ("no question", json.dumps(ASK)):
                socket.send(message)
                socket.recv()
    with connect(f"{url}/ws_stream", proxy=None, subprotocols=["bing-chat.v2"]) as socket:  # type: ignore[list-item]
        for odd in ({"type": "odd"}, {"type": "stop", "answer": "unknown"}):
            socket.send(json.dumps(odd))
            socket.recv()
