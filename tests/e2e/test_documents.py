"""What a running system really answers, held against its own documents."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.api_document import Document
from tests.support.processes import Deployment

pytestmark = pytest.mark.usefixtures("well")

JSON, EVENTS, NOTHING = "application/json", "text/event-stream", ""
MODEL = {"model": "bing-balanced"}
BROWSER = {"accept": EVENTS}
# Bing's pictures have addresses of their own: tests/gateway/http/test_pictures.py gets one that a server sent.
KEPT_PICTURE = "/pictures/{picture}"
# Only model servers make embeddings: tests/e2e/test_calls.py has some.
EMBEDDINGS = "/v1/embeddings"
# Here it is off; tests/gateway/docs/test_console.py uses it.
CONSOLE = "/console/"


@pytest.fixture
def client(deployed: Deployment) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=deployed.url, timeout=20) as client:
        yield client


class Caller:
    """Sends requests, each answer of which must be as the document says."""

    def __init__(self, client: httpx.Client) -> None:
        self.document = Document(client.get("/openapi.json").raise_for_status().json())
        self._client = client

    def __call__(self, method: str, path: str, address: str = "", **request: Any) -> httpx.Response:
        response = self._client.request(method, address or path, **request)
        self.document.response(method.lower(), path, response)
        return response


def ask_everything(call: Caller) -> None:
    """All operations of the gateway's own API."""
    fields = {"style": "balanced", "question": "!search hello"}
    call("GET", "/api", params=fields)
    call("GET", "/image", params={"keyword": "a red circle"})
    call("POST", "/image", json={"keyword": "a red circle"})
    answer = call("POST", "/api", data=fields, headers={"idempotency-key": str(uuid.uuid4())}).headers["x-answer-id"]
    for headers in ({}, BROWSER):
        call("GET", "/api_stream", params=fields, headers=headers)
        call("POST", "/api_stream", json=fields, headers=headers)
    call("GET", "/answers/{answer}", f"/answers/{answer}")
    call("GET", "/answers/{answer}/stream", f"/answers/{answer}/stream")
    last = call("DELETE", "/answers/{answer}", f"/answers/{answer}").json()["data"]["seq"]
    call("GET", "/answers/{answer}/stream", f"/answers/{answer}/stream?after={last}")
    for method in ("GET", "POST"):
        call(method, "/api_stream", headers=BROWSER | {"last-event-id": f"{answer}.{last}"})
    call("GET", "/answers/{answer}/stream", f"/answers/{answer}/stream?after=x")
    call("GET", "/api_stream", params={"style": "balanced"})
    call("POST", "/api_stream", json={"style": "balanced"})
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json"):
        call("GET", path)


def ask_everything_of_v1(call: Caller) -> None:
    """All operations under /v1."""
    chat = MODEL | {"messages": [{"role": "user", "content": "!search hello"}]}
    call("POST", "/v1/chat/completions", json=chat)
    call("POST", "/v1/chat/completions", json=chat | {"stream": True, "stream_options": {"include_usage": True}})
    call("POST", "/v1/chat/completions", json=chat | {"stream": True}, headers=BROWSER)
    response = call("POST", "/v1/responses", json=MODEL | {"input": "!search hello", "user": "somebody"}).json()["id"]
    call("POST", "/v1/responses", json=MODEL | {"input": "again", "previous_response_id": response, "stream": True})
    call("POST", "/v1/responses", json=MODEL | {"input": "!close-mid hello", "stream": True})
    response_path = "/v1/responses/{response}"
    call("GET", response_path, f"/v1/responses/{response}")
    call("GET", response_path, f"/v1/responses/{response}?stream=true&starting_after=2")
    call("POST", f"{response_path}/cancel", f"/v1/responses/{response}/cancel")
    call("GET", f"{response_path}/input_items", f"/v1/responses/{response}/input_items")
    call("DELETE", response_path, f"/v1/responses/{response}")
    call("POST", "/v1/images/generations", json={"prompt": "a red circle", "n": 2})
    prompt = MODEL | {"prompt": "!search hello"}
    call("POST", "/v1/completions", json=prompt)
    call("POST", "/v1/completions", json=prompt | {"stream": True})
    call("POST", "/v1/messages", json=chat | {"max_tokens": 1000})
    call("POST", "/v1/messages", json=chat | {"max_tokens": 1000, "stream": True})
    call("POST", "/v1/messages/count_tokens", json=chat)
    call("GET", "/v1/models")
    call("GET", "/v1/models/{model}", "/v1/models/bing-creative")


def test_every_operation_answers_as_documented_in_every_type_of_content(client: httpx.Client) -> None:
    call = Caller(client)
    ask_everything(call)
    ask_everything_of_v1(call)
    documented = {
        (method, path, status, kind)
        for path, item in call.document.content["paths"].items()
        if path not in (KEPT_PICTURE, EMBEDDINGS) and not path.startswith(CONSOLE)
        for method in item.keys() - {"parameters"}
        for status, response in item[method]["responses"].items()
        if status.startswith("2")
        for kind in call.document.resolved(response).get("content", {NOTHING: None})
    }
    assert {checked for checked in call.document.checked if checked[2].startswith("2")} == documented


def test_errors_of_the_upstream_are_reported_as_documented(client: httpx.Client, deployed: Deployment) -> None:
    call = Caller(client)
    for word in ("!close-mid", "!close-before", "!empty", "!captcha"):
        fields = {"style": "balanced", "question": f"{word} hello"}
        call("GET", "/api", params=fields)
        call("GET", "/api_stream", params=fields, headers=BROWSER)
    for word in ("!blocked", "!busy", "!sign-in"):
        call("GET", "/image", params={"keyword": f"cat {word}"})
        call("POST", "/v1/images/generations", json={"prompt": f"cat {word}"})
    failed = call("GET", "/api", params={"style": "balanced", "question": "!close-mid hello"})
    progress = call("GET", "/answers/{answer}", f"/answers/{failed.headers['x-answer-id']}")
    assert progress.json()["data"]["error"]["reason"]


class Recorder:
    """Speaks on a socket; each frame must be one that the document knows for that channel."""

    def __init__(self, document: Document, channel: str, socket: ClientConnection) -> None:
        content = document.content
        self._document = document
        self._socket = socket
        self._operation = next(
            operation
            for operation in content["operations"].values()
            if operation["channel"]["$ref"] == f"#/channels/{channel}"
        )
        self.received: Counter[str] = Counter()

    def send(self, message: str, **fields: Any) -> None:
        """Send what the document calls a `message`."""
        assert any(ref["$ref"].endswith(f"/{message}") for ref in self._operation["messages"])
        self._document.check({"$ref": f"#/components/schemas/{message}"}, fields)
        self.send_text(json.dumps(fields))

    def send_text(self, text: str) -> None:
        self._socket.send(text)

    def frame(self) -> Any:
        """The next frame, which is exactly one of those that may come."""
        body = json.loads(self._socket.recv(timeout=15))
        names = [ref["$ref"].rpartition("/")[2] for ref in self._operation["reply"]["messages"]]
        fitting = [name for name in names if self._fits(name, body)]
        assert len(fitting) == 1, f"{body} is {fitting} of {names}"
        self.received[fitting[0]] += 1
        return body

    def _fits(self, name: str, frame: Any) -> bool:
        try:
            self._document.check({"$ref": f"#/components/schemas/{name}"}, frame)
        except AssertionError:
            return False
        return True


def recorder(deployed: Deployment, channel: str, socket: ClientConnection) -> Recorder:
    return Recorder(Document(httpx.get(f"{deployed.url}/asyncapi.json").json()), channel, socket)


@pytest.mark.parametrize(("channel", "path", "answer"), [("ws", "/ws", "Answer"), ("ws_stream", "/ws_stream", "Frame")])
def test_the_old_sockets_send_what_is_documented(
    deployed: Deployment, client: httpx.Client, channel: str, path: str, answer: str
) -> None:
    token = client.get("/api", params={"style": "balanced", "question": "hello"}).json()["data"]["token"]
    with connect(f"{deployed.url.replace('http', 'ws')}{path}", proxy=None) as socket:
        record = recorder(deployed, channel, socket)
        for more in ({}, {"token": token}):
            record.send("Question", style="balanced", question="!search hello", **more)
            while not record.frame()["data"].get("done", True):
                pass
        record.send_text("[")
        record.frame()
        record.send("Question", style="balanced", question="!close-mid hello")
        while record.frame()["code"] == 200:
            pass
    assert record.received.keys() == {answer, "Error"}


def test_v2_sends_what_is_documented(deployed: Deployment) -> None:
    url = f"{deployed.url.replace('http', 'ws')}/ws_stream"
    with connect(url, subprotocols=["bing-chat.v2"], proxy=None) as socket:  # type: ignore[list-item]
        record = recorder(deployed, "v2", socket)

        def ended() -> Any:
            while (frame := record.frame())["type"] not in ("final", "failed"):
                pass
            return frame

        record.send("Ask", type="ask", id="1", style="balanced", question="!search !replace hello")
        answer = ended()["answer"]
        record.send("Resume", type="resume", answer=answer, after=1)
        ended()
        record.send("Stop", type="stop", id="3", answer=answer)
        ended()
        record.send("Ask", type="ask", id="4", style="precise", question="!close-mid hello", wait=1)
        assert "seq" in ended()
        record.send("Ask", type="ask", id="5", style="precise", question="hello", token=str(uuid.uuid4()))
        assert ended()["code"] == 120
        record.send_text("[")
        ended()
    expected = {"Accepted", "Delta", "Replace", "Final", "Failed", "Refused"}
    assert expected <= record.received.keys() <= expected | {"Queued"}
