"""Servers' answers in all shapes of the emulator's table, and what clients of each endpoint get for them."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from emulator.openai.shapes import UpstreamShape, load_shapes
from tests.support.processes import SERVE, Deployment, answers, free_port, process, wait_until, write_servers

SHAPES = load_shapes()
# Each row that fails speaks against the accounts that it meets.
ACCOUNTS = tuple(f"server{number:02}" for number in range(96))
MODEL = "bing-balanced"
# Of an error within a stream: whatever failed there is not to be repeated, but for what cost nothing.
STATUS_OF_TYPE = {"invalid_request_error": 500, "service_unavailable": 503}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A whole system whose accounts are all at the emulator's OpenAI face."""
    folder = tmp_path_factory.mktemp("shapes")
    log, gateway, upstream = folder / "log.txt", free_port(), free_port()
    emulator = f"http://127.0.0.1:{upstream}"
    write_servers(folder / "cookies", f"{emulator}/v1", *ACCOUNTS)
    settings = {
        "GATEWAY_PORT": str(gateway),
        "COOKIES_DIR": str(folder / "cookies"),
        "CLIENT_LIMIT": "100",
        "IDLE_TIMEOUT": "2",
        "FIRST_TEXT_TIMEOUT": "2",
    }
    with (
        process("emulator", log, EMULATOR_PORT=str(upstream), EMULATOR_PACE="0", EMULATOR_DAILY_QUOTA="0"),
        process(SERVE, log, **settings),
    ):
        running = Deployment([f"http://127.0.0.1:{gateway}"], emulator, folder / "cookies", ACCOUNTS)
        wait_until(lambda: answers(f"{emulator}/_health") and answers(f"{running.url}/readyz"), "all is ready")
        yield running


def api(url: str, question: str) -> Any:
    """Return the code and the text of /api."""
    body = httpx.get(f"{url}/api", params={"style": "balanced", "question": question}, timeout=30).json()
    return body["code"], body["data"]["answer"] if body["code"] == 200 else ""


def api_stream(url: str, question: str) -> Any:
    """Return the code of the last frame of /api_stream, and the text of the deltas."""
    params = {"style": "balanced", "question": question}
    lines = httpx.get(f"{url}/api_stream", params=params, timeout=30).text.split("\n\n")
    frames = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    text = "".join(frame["data"]["answer"] for frame in frames if frame["code"] == 200 and not frame["data"]["done"])
    assert frames[-1]["code"] != 200 or frames[-1]["data"]["answer"] == text
    return frames[-1]["code"], text


def completion(url: str, question: str) -> Any:
    """Return the status, the text and the reason of the end of a whole completion of /v1."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}]}
    response = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30)
    if response.status_code != 200:
        return response.status_code, "", None
    choice = response.json()["choices"][0]
    return 200, choice["message"]["content"], choice["finish_reason"]


def completion_stream(url: str, question: str) -> Any:
    """Return the same of a streamed completion of /v1; an error in an open stream counts as its status."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "stream": True}
    response = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30)
    if response.status_code != 200:
        return response.status_code, "", None
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line.startswith("data: ")]
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    choices = [choice for event in events for choice in event.get("choices", ())]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    failed = [STATUS_OF_TYPE[event["error"]["type"]] for event in events if "error" in event]
    finishes = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    assert failed or lines[-1] == "[DONE]"
    return failed[0] if failed else 200, text, None if failed else finishes[-1]


@pytest.mark.parametrize("number", range(len(SHAPES)), ids=[shape.name for shape in SHAPES])
def test_what_clients_get_for_the_shape_of_an_answer(servers: Deployment, number: int) -> None:
    shape = SHAPES[number]
    with ThreadPoolExecutor(4) as threads:
        asks = (api, api_stream, completion, completion_stream)
        results = list(threads.map(lambda ask: ask(servers.url, f"!shape={number} {ask.__name__}"), asks))
    assert results == expected_results(shape)


def expected_results(shape: UpstreamShape) -> list[Any]:
    expected = shape.expected
    if "text" in expected:
        text, finish = expected["text"], expected.get("finish", "stop")
        return [(200, text), (200, text), (200, text, finish), (200, text, finish)]
    status, partial = expected["error"], expected.get("partial", "")
    return [(status, ""), (status, partial), (status, "", None), (status, partial, None)]


def test_the_table_has_rows_of_each_kind_under_names_of_their_own() -> None:
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) >= 120
    assert len({shape.kind for shape in SHAPES}) >= 8
