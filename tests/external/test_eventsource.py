"""npm's eventsource continues at another gateway when its own dies, by itself and without asking again."""

import json
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.processes import answers, deployment, free_port, process, wait_until

pytestmark = pytest.mark.external

SCRIPT = Path(__file__).parent / "resume.mjs"
LIMIT = 20.0
DELTAS = 60


class Listener:
    """The output of a running resume.mjs; `lines` is all that has been waited for so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.lines: list[dict[str, Any]] = []
        self._process = process
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def until(self, what: str, times: int = 1) -> None:
        """Wait until something that holds `what` has been said `times` times in all."""
        deadline = time.monotonic() + LIMIT
        while sum(what in line for line in self.lines) < times:
            try:
                self.lines.append(json.loads(self._lines.get(timeout=max(0, deadline - time.monotonic()))))
            except Empty:
                raise AssertionError(f"no {what} within {LIMIT} s after {self.lines[-3:]}") from None

    def end(self) -> None:
        self._process.kill()
        self._reader.join()
        self._process.communicate()


@contextmanager
def listening(node: str, path: str, *gateways: str) -> Iterator[Listener]:
    """Node, connected to the first gateway and, after each loss, to the next."""
    listener = Listener(subprocess.Popen([node, str(SCRIPT), path, *gateways], stdout=subprocess.PIPE, text=True))
    try:
        yield listener
    finally:
        listener.end()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
def test_an_event_source_continues_at_another_gateway(
    node: str, valkey_url: str, tmp_path: Path, end: signal.Signals
) -> None:
    question = f"!deltas={DELTAS} !rate=20 hello {uuid.uuid4().hex[:8]}"
    path = f"/api_stream?{urlencode({'style': 'balanced', 'question': question})}"
    port = free_port()
    settings = {"GATEWAY_PORT": str(port), "REDIS_URL": valkey_url, "DRAIN_TIMEOUT": "0"}
    with (
        deployment(tmp_path, valkey_url) as deployed,
        process("gateway", tmp_path / "log.txt", **settings) as mortal,
    ):
        first, second = f"http://127.0.0.1:{port}", deployed.url
        wait_until(partial(answers, f"{first}/readyz"), "the first gateway answers")
        with listening(node, path, first, second) as listener:
            listener.until("frame", times=10)
            mortal.send_signal(end)
            listener.until("closed")
        check(listener.lines, [first, second])
        assert len(deployed.turns(question)) == 1


def check(lines: list[dict[str, Any]], gateways: list[str]) -> None:
    """The whole text came once, from one gateway and then the other, and 204 ended it."""
    assert [line["opened"] for line in lines if "opened" in line] == gateways
    # The connection was lost; then, after the end, the stream was closed; then 204.
    assert [line["error"] for line in lines if "error" in line] == [None, None, 204]
    frames = [line["frame"] for line in lines if "frame" in line]
    ids = [line["id"] for line in lines if "frame" in line]
    assert len(set(ids)) == len(ids), "no event came twice"
    assert len(frames) > DELTAS / 2, "it was a stream"
    assert [frame["data"]["done"] for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert "".join(frame["data"]["answer"] for frame in frames[:-1]) == frames[-1]["data"]["answer"]
