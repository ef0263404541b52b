"""What becomes of an answer at a model server when its reader hangs up, over real sockets."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import Deployment, at_model_servers, wait_until

LONG = "!deltas=200 !rate=20 count"
SHORT = "!deltas=30 !rate=20 count"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Deployment]:
    """A whole system with one account, whose answers are stopped soon after their reader has left."""
    with at_model_servers(tmp_path, ["only"], ABANDON_GRACE="0.2") as running:
        yield running


def body(question: str, **fields: Any) -> dict[str, Any]:
    return {"model": "bing-balanced", "messages": [{"role": "user", "content": question}]} | fields


def hang_up(server: Deployment, path: str, sent: dict[str, Any], **headers: str) -> None:
    """Read the first chunk of an answer, and leave."""
    with httpx.stream("POST", server.url + path, json=sent, headers=headers, timeout=30) as response:
        next(response.iter_bytes())


def outcomes(server: Deployment, question: str) -> list[str]:
    return [turn["outcome"] for turn in server.turns(question)]


@pytest.mark.parametrize("stream", [True, False])
def test_the_server_stops_writing_once_nobody_reads(server: Deployment, stream: bool) -> None:
    sent = body(LONG, stream=stream)
    if stream:
        hang_up(server, "/v1/chat/completions", sent)
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/chat/completions", json=sent, timeout=1)
    wait_until(lambda: outcomes(server, LONG) == ["client gone"], "the hang-up upstream", 30)


def test_an_answer_that_can_be_asked_for_again_continues(server: Deployment) -> None:
    keyed = {"idempotency-key": uuid.uuid4().hex}
    hang_up(server, "/v1/chat/completions", body(SHORT, stream=True), **keyed)
    hang_up(server, "/v1/responses", {"model": "bing-balanced", "input": SHORT, "stream": True, "store": True})
    with httpx.stream("GET", f"{server.url}/api_stream", params={"style": "balanced", "question": SHORT}) as response:
        next(response.iter_bytes())
    wait_until(lambda: outcomes(server, SHORT) == ["Success"] * 3, "all turns end", 60)
    again = httpx.post(f"{server.url}/v1/chat/completions", json=body(SHORT, stream=True), headers=keyed, timeout=30)
    assert again.text.endswith("data: [DONE]\n\n")
    assert outcomes(server, SHORT) == ["Success"] * 3


def test_who_comes_back_in_time_keeps_it_running(server: Deployment) -> None:
    sent, events = body(SHORT, stream=True), {"accept": "text/event-stream"}
    begun = ""
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=sent, headers=events, timeout=30) as response:
        for text in response.iter_text():
            begun += text
            if "\nid: " in begun and begun.endswith("\n\n"):
                break
    last = begun.rpartition("\nid: ")[2].partition("\n")[0]
    headers = events | {"last-event-id": last}
    rest = httpx.post(f"{server.url}/v1/chat/completions", json=sent, headers=headers, timeout=30)
    assert "[DONE]" in rest.text
    assert outcomes(server, SHORT) == ["Success"]


def test_a_question_that_waits_is_never_asked_once_its_reader_has_left(server: Deployment) -> None:
    first, second = "!deltas=30 !rate=20 first", "second"
    named = {"x-conversation-id": uuid.uuid4().hex}
    with httpx.stream(
        "POST", f"{server.url}/v1/chat/completions", json=body(first, stream=True), headers=named, timeout=30
    ) as response:
        chunks = response.iter_bytes()
        next(chunks)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/chat/completions", json=body(second), headers=named, timeout=0.3)
        for _ in chunks:
            pass
    third = httpx.post(f"{server.url}/v1/chat/completions", json=body("third"), headers=named, timeout=30)
    assert third.status_code == 200
    assert outcomes(server, second) == []
