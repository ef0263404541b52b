"""/answers through real processes, in both shapes: stopping, looking, going on."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.processes import Deployment, wait_until

EVENTS = {"accept": "text/event-stream"}
SLOW = "!deltas=200 !rate=20 hello"


def unique(text: str) -> str:
    """A question that no other test asks."""
    return f"{text} {uuid.uuid4().hex[:8]}"


def fields(question: str, **more: str) -> dict[str, str]:
    return {"style": "balanced", "question": question, **more}


def standing(deployed: Deployment, answer: str) -> Any:
    """How far the answer has come, as the last gateway reports it."""
    response = httpx.get(f"{deployed.gateways[-1]}/answers/{answer}", timeout=10)
    assert response.status_code == 200
    return response.json()["data"]


@contextmanager
def streaming(deployed: Deployment, question: str, **more: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """A streamed answer: its id, and its chunks."""
    with httpx.stream("GET", f"{deployed.url}/api_stream", params=fields(question, **more), timeout=20) as response:
        yield response.headers["x-answer-id"], response.iter_bytes()


def frames(stream: bytes) -> list[Any]:
    *events, rest = stream.split(b"\n\n")
    assert rest == b"", "a stream ends with a whole event"
    return [httpx.Response(200, content=event.removeprefix(b"data: ")).json() for event in events]


def outcomes(deployed: Deployment, question: str) -> list[str]:
    return [turn["outcome"] for turn in deployed.turns(question)]


def test_a_stop_amid_an_answer_hangs_up_and_ends_the_stream(deployed: Deployment) -> None:
    question = unique(SLOW)
    with streaming(deployed, question) as (answer, chunks):
        received = next(chunks) + next(chunks)
        began = time.monotonic()
        stopped = httpx.delete(f"{deployed.gateways[-1]}/answers/{answer}", timeout=10)
        received += b"".join(chunks)
        assert time.monotonic() - began < 2
        wait_until(lambda: outcomes(deployed, question) == ["client gone"], "the upstream is hung up on", 2)
        assert time.monotonic() - began < 2
    *deltas, last = frames(received)
    assert (last["code"], last["data"]["done"], last["data"]["reset"]) == (200, True, True)
    assert "".join(frame["data"]["answer"] for frame in deltas) == last["data"]["answer"]
    data = stopped.json()["data"]
    assert (data["state"], data["text"], data["seq"]) == ("stopped", last["data"]["answer"], len(deltas) + 1)
    assert standing(deployed, answer) == data
    assert httpx.delete(f"{deployed.url}/answers/{answer}", timeout=10).json()["data"] == data


def test_a_silent_upstream_is_hung_up_on_within_a_second(deployed: Deployment) -> None:
    question = unique("!silence hello")
    with streaming(deployed, question) as (answer, chunks):
        wait_until(lambda: deployed.turns(question), "the question arrives", 5)
        began = time.monotonic()
        httpx.delete(f"{deployed.url}/answers/{answer}", timeout=10)
        (last,) = frames(b"".join(chunks))
        assert (last["data"]["answer"], last["data"]["done"]) == ("", True)
        wait_until(lambda: outcomes(deployed, question) == ["client gone"], "the upstream is hung up on", 2)
        assert time.monotonic() - began < 1.5


def test_after_a_stop_the_token_continues_with_a_fresh_conversation(deployed: Deployment) -> None:
    question = unique("hello")
    first = httpx.get(f"{deployed.url}/api", params=fields(question), timeout=20).json()
    token = first["data"]["token"]
    with streaming(deployed, f"{SLOW} {question}", token=token) as (answer, chunks):
        next(chunks)
        httpx.delete(f"{deployed.gateways[-1]}/answers/{answer}", timeout=10)
        assert frames(b"".join(chunks))[-1]["data"]["reset"] is True
    again = httpx.get(f"{deployed.url}/api", params=fields(f"{question} again", token=token), timeout=20).json()
    assert (again["code"], again["data"]["token"], again["data"]["reset"]) == (200, token, False)
    before, stopped, after = deployed.turns(question)
    assert before["conversation"] == stopped["conversation"] != after["conversation"]


def test_cut_at_every_seq_and_resumed_at_another_gateway_the_bytes_are_the_same(deployed: Deployment) -> None:
    question = unique("!search !deltas=12 !rate=40 你好")
    uncut = httpx.get(f"{deployed.url}/api_stream", params=fields(question), headers=EVENTS, timeout=20)
    answer = uncut.headers["x-answer-id"]
    opening, *events = uncut.content.split(b"\n\n")[:-1]
    assert opening.endswith(f"\nretry: 1000\nid: {answer}.0".encode())
    assert len(events) > 3
    stream = f"{deployed.gateways[-1]}/answers/{answer}/stream"
    by_seq: dict[int, bytes] = {0: opening + b"\n\n"}
    held = b""
    for event in events:
        held += event + b"\n\n"
        if b"\nid: " in event:
            seq = int(event.rsplit(b".", 1)[1])
            by_seq[seq], held = by_seq[max(by_seq)] + held, b""
    for seq, before in by_seq.items():
        if seq == max(by_seq):
            break
        resumed = httpx.get(stream, headers={"last-event-id": f"{answer}.{seq}"}, timeout=20)
        assert before + resumed.content == uncut.content
        resumed = httpx.get(stream, params={"after": seq}, timeout=20)
        first, _, rest = resumed.content.partition(b"\n\n")
        assert first == opening.rpartition(b".")[0] + f".{seq}".encode()
        assert before + rest == uncut.content
    ended = httpx.get(stream, params={"after": max(by_seq)}, timeout=20)
    assert (ended.status_code, ended.content) == (204, b"")
    assert len(deployed.turns(question)) == 1


def test_an_answer_can_be_looked_at_while_it_runs_and_after(deployed: Deployment) -> None:
    question = unique("!search !deltas=20 !rate=20 hello")
    with streaming(deployed, question) as (answer, chunks):
        received = next(chunks)
        running = standing(deployed, answer)
        assert (running["state"], running["urls"], running["error"]) == ("running", [], None)
        received += b"".join(chunks)
    last = frames(received)[-1]["data"]
    done = standing(deployed, answer)
    assert last["answer"].startswith(running["text"])
    assert running["seq"] < done["seq"]
    assert (done["state"], done["text"], done["urls"], done["token"]) == (
        "done",
        last["answer"],
        last["urls"],
        last["token"],
    )
    assert done["turns"]["used"] >= 1


def test_a_failed_answer_says_why(deployed: Deployment) -> None:
    response = httpx.get(f"{deployed.url}/api", params=fields(unique("!close-mid hello")), timeout=20)
    body = standing(deployed, response.headers["x-answer-id"])
    assert (body["state"], body["error"]["code"], body["reset"]) == ("failed", 500, True)
    assert body["error"]["reason"] == "transport.closed"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_answer_is_a_404(deployed: Deployment, method: str) -> None:
    response = httpx.request(method, f"{deployed.url}/answers/s0-{uuid.uuid4().hex}", timeout=10)
    assert (response.status_code, response.json()) == (404, {"code": 404, "message": "未找到文件"})
