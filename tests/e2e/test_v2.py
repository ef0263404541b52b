"""`bing-chat.v2` through real processes, in both shapes: cut, resumed elsewhere, stopped."""

import json
import socket as sockets
import time
import uuid
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.processes import Deployment, wait_until


def speaking(deployed: Deployment, gateway: int) -> ClientConnection:
    url = deployed.gateways[gateway].replace("http", "ws")
    return connect(f"{url}/ws_stream", subprotocols=[Subprotocol("bing-chat.v2")], proxy=None)


def say(socket: ClientConnection, kind: str, **fields: object) -> None:
    socket.send(json.dumps({"type": kind, "id": "q", **fields}))


def ask(socket: ClientConnection, question: str, **fields: object) -> None:
    say(socket, "ask", style="balanced", question=question, **fields)


def frame(socket: ClientConnection) -> bytes:
    return socket.recv(timeout=15, decode=False)


def kind(frames_: bytes) -> str:
    return str(json.loads(frames_)["type"])


def frames(socket: ClientConnection) -> list[bytes]:
    """What comes up to the end, but for the place in the queue, which is no event of the answer."""
    frames_ = [frame(socket)]
    while kind(frames_[-1]) not in ("final", "failed"):
        frames_.append(frame(socket))
    return [later for later in frames_ if kind(later) != "queued"]


def seq_of(frames_: bytes) -> int:
    return int(json.loads(frames_)["seq"])


def unique(text: str) -> str:
    """A question that no other test asks."""
    return f"{text} {uuid.uuid4().hex[:8]}"


def test_cut_and_resumed_at_another_gateway_the_bytes_equal_an_uncut_run(deployed: Deployment) -> None:
    """The cut is in the middle of an answer."""
    question = unique("!deltas=30 !rate=30 你好")
    with speaking(deployed, 0) as cut, speaking(deployed, 0) as uncut:
        ask(cut, question)
        before = [frame(cut)]
        say(uncut, "resume", answer=json.loads(before[0])["answer"])
        while seq_of(before[-1]) < 2:
            before.append(frame(cut))
        cut.socket.shutdown(sockets.SHUT_RDWR)
        with speaking(deployed, -1) as resumed:
            say(resumed, "resume", answer=json.loads(before[0])["answer"], after=seq_of(before[-1]))
            accepted, *rest = frames(resumed)
        whole = frames(uncut)
    assert accepted == whole[0]
    assert [*(one for one in before if kind(one) != "queued"), *rest] == whole
    last: Any = json.loads(whole[-1])
    assert "".join(json.loads(one)["text"] for one in whole[1:-1]) == last["text"]
    assert (last["turns"]["used"], bool(last["suggestions"])) == (1, True)
    assert len(deployed.turns(question)) == 1


def test_cut_at_every_seq_and_resumed_at_another_gateway_the_bytes_are_the_same(deployed: Deployment) -> None:
    question = unique("!search !deltas=12 !rate=40 hello")
    with speaking(deployed, 0) as first, speaking(deployed, -1) as second:
        ask(first, question)
        uncut = frames(first)
        answer = json.loads(uncut[0])["answer"]
        assert len(uncut) > 3
        for seq in range(len(uncut) - 1):
            say(second, "resume", answer=answer, after=seq)
            accepted, *rest = frames(second)
            assert [accepted, *uncut[1 : seq + 1], *rest] == uncut
    assert len(deployed.turns(question)) == 1


def test_a_stop_hangs_up_within_a_second_and_the_token_continues(deployed: Deployment) -> None:
    question = unique("!deltas=200 !rate=20 hello")
    with speaking(deployed, 0) as socket:
        ask(socket, question)
        frames_ = [frame(socket)]
        while kind(frames_[-1]) != "delta":
            frames_.append(frame(socket))
        accepted = json.loads(frames_[0])
        began = time.monotonic()
        say(socket, "stop", answer=accepted["answer"])
        last = json.loads(frames(socket)[-1])
        assert (last["type"], last["stopped"], last["reset"]) == ("final", True, True)
        wait_until(
            lambda: [turn["outcome"] for turn in deployed.turns(question)] == ["client gone"], "the hang-up upstream", 2
        )
        assert time.monotonic() - began < 2
        ask(socket, unique("hello"), token=accepted["token"])
        assert json.loads(frames(socket)[-1])["type"] == "final"
