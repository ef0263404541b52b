"""The old server's contract, row by row, through real sockets, in both shapes."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.processes import Deployment, wait_until

pytestmark = pytest.mark.usefixtures("well")

KEYS = ["answer", "urls", "done", "reset", "token"]


@pytest.fixture
def client(deployed: Deployment) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=deployed.url, timeout=20) as client:
        yield client


def unique(text: str) -> str:
    """A question that no other test asks."""
    return f"{text} {uuid.uuid4().hex[:8]}"


def ask(client: httpx.Client, question: str, **more: str) -> Any:
    return client.get("/api", params={"style": "balanced", "question": question, **more}).json()


def stream(client: httpx.Client, question: str, **more: str) -> list[Any]:
    """The frames of one streamed answer, which must be framed to the byte."""
    body = client.get("/api_stream", params={"style": "balanced", "question": question, **more}).content
    assert body.endswith(b"\n\n")
    frames = []
    for event in body[:-2].split(b"\n\n"):
        assert event.startswith(b"data: ")
        assert event.count(b"\n") == 0
        frame = json.loads(event[6:])
        assert json.dumps(frame, ensure_ascii=False).encode() == event[6:], "separators or escapes differ"
        frames.append(frame)
    return frames


def joined(frames: list[Any]) -> str:
    return "".join(frame["data"]["answer"] for frame in frames[:-1])


def socket(deployed: Deployment, path: str, gateway: int = 0) -> ClientConnection:
    return connect(f"{deployed.gateways[gateway].replace('http', 'ws')}{path}", proxy=None)


def receive(connection: ClientConnection) -> Any:
    return json.loads(connection.recv(timeout=15))


def test_an_answer_has_the_old_keys_in_the_old_order(client: httpx.Client) -> None:
    response = client.get("/api", params={"style": "balanced", "question": unique("!search hello")})
    frame = response.json()
    assert response.status_code == 200
    assert list(frame) == ["code", "message", "data"]
    assert list(frame["data"]) == ["answer", "urls", "reset", "token"]
    assert (frame["code"], frame["message"], frame["data"]["reset"]) == (200, "success", False)
    assert list(frame["data"]["urls"][0]) == ["title", "url"]
    assert uuid.UUID(frame["data"]["token"]).version == 4
    assert response.text == json.dumps(frame, ensure_ascii=False)


def test_a_stream_ends_with_the_whole_answer_that_its_deltas_add_up_to(client: httpx.Client) -> None:
    frames = stream(client, unique("!search !rate=100 流是什么"))
    *deltas, last = frames
    assert len(deltas) > 3
    for frame in deltas:
        assert list(frame["data"]) == KEYS
        assert (frame["data"]["urls"], frame["data"]["done"], frame["data"]["reset"]) == ([], False, False)
    assert list(last["data"]) == KEYS
    assert last["data"]["done"] is True
    assert last["data"]["urls"]
    assert joined(frames) == last["data"]["answer"]
    assert "[^" not in last["data"]["answer"]


@pytest.mark.parametrize("style", ["balanced", "creative", "precise"])
def test_each_style_reaches_the_upstream_as_its_tone(client: httpx.Client, deployed: Deployment, style: str) -> None:
    question = unique("hello")
    assert client.get("/api", params={"style": style, "question": question}).json()["code"] == 200
    assert [turn["tone"] for turn in deployed.turns(question)] == [style.capitalize()]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "参数不能为空"),
        ({"style": "balanced"}, "参数不能为空"),
        ({"question": "hi"}, "参数不能为空"),
        ({"style": "", "question": "hi"}, "参数不能为空"),
        ({"style": "wild", "question": "", "token": "x"}, "参数不能为空"),
        ({"style": "wild", "question": "hi", "token": "x"}, "style不存在"),
    ],
)
@pytest.mark.parametrize("path", ["/api", "/api_stream"])
@pytest.mark.parametrize("how", ["query", "form", "json", "multipart"])
def test_a_wrong_parameter_is_a_110_in_the_order_of_checks(
    client: httpx.Client, path: str, how: str, fields: dict[str, str], message: str
) -> None:
    if how == "query":
        response = client.get(path, params=fields)
    elif how == "form":
        response = client.post(path, data=fields)
    elif how == "json":
        response = client.post(path, json=fields)
    else:
        response = client.post(path, files={name: (None, value) for name, value in fields.items()} or {"x": (None, "")})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    assert response.text == json.dumps({"code": 110, "message": message}, ensure_ascii=False)


def test_a_body_that_is_no_object_is_a_format_error(client: httpx.Client) -> None:
    for body in (b"[1]", b"{", b"null"):
        response = client.post("/api", content=body, headers={"content-type": "application/json"})
        assert (response.status_code, response.json()) == (200, {"code": 110, "message": "格式错误"})


@pytest.mark.parametrize("path", ["/api", "/api_stream"])
def test_a_token_that_is_not_alive_is_a_120(client: httpx.Client, path: str) -> None:
    response = client.get(path, params={"style": "balanced", "question": "hi", "token": str(uuid.uuid4())})
    assert (response.status_code, response.json()) == (200, {"code": 120, "message": "token不存在"})


@pytest.mark.parametrize("how", ["form", "json", "multipart"])
def test_a_post_is_answered_like_a_get(client: httpx.Client, how: str) -> None:
    fields = {"style": "precise", "question": unique("hello")}
    if how == "form":
        response = client.post("/api", data=fields)
    elif how == "json":
        response = client.post("/api", json=fields)
    else:
        response = client.post("/api", files={name: (None, value) for name, value in fields.items()})
    assert response.json()["code"] == 200


def test_a_token_continues_its_conversation_at_every_gateway(deployed: Deployment) -> None:
    question, token, fields = unique("hello"), None, {}
    for turn in range(6):
        gateway = deployed.gateways[turn % len(deployed.gateways)]
        fields = {"style": "balanced", "question": f"{question} {turn}"} | ({"token": token} if token else {})
        answer = httpx.get(f"{gateway}/api", params=fields, timeout=20).json()
        assert answer["code"] == 200
        assert answer["data"]["reset"] is False
        token = answer["data"]["token"]
    turns = deployed.turns(question)
    assert [turn["invocation"] for turn in turns] == ["3", "4", "5", "6", "7", "8"]
    assert len({turn["conversation"] for turn in turns}) == 1


def test_pictures_come_as_a_list_of_addresses(client: httpx.Client) -> None:
    for response in (
        client.get("/image", params={"keyword": "a cat"}),
        client.post("/image", data={"keyword": "a cat"}),
        client.post("/image", json={"keyword": "a cat"}),
    ):
        frame = response.json()
        assert list(frame) == ["code", "message", "data"]
        assert (frame["code"], frame["message"]) == (200, "success")
        assert frame["data"]
        assert all(address.startswith("http") for address in frame["data"])


@pytest.mark.parametrize(
    ("keyword", "message"), [("", "参数不能为空"), ("一只猫", "仅支持英文"), ("1 cat", "仅支持英文")]
)
def test_a_keyword_must_begin_with_a_latin_letter(client: httpx.Client, keyword: str, message: str) -> None:
    assert client.get("/image", params={"keyword": keyword}).json() == {"code": 110, "message": message}


@pytest.mark.parametrize("word", ["blocked", "reviewed", "language", "busy", "none", "bad", "sign-in"])
def test_pictures_that_fail_are_reported_in_a_sentence(client: httpx.Client, word: str) -> None:
    response = client.get("/image", params={"keyword": f"cat !{word}"})
    code = 503 if word == "sign-in" else 500
    assert response.status_code == code
    assert list(response.json()) == ["code", "message"]
    assert response.json()["code"] == code


@pytest.mark.parametrize(
    "word",
    [
        "internal",
        "captcha",
        "close-before",
        "close-mid",
        "reset-mid",
        "type7",
        "type3",
        "binary",
        "bad-json",
        "big",
        "no-result",
        "empty",
        "silence",
        "silence-mid",
        "unauthorized",
        "forbidden",
        "disengaged",
        "unknown-value",
    ],
)
def test_an_upstream_failure_is_one_error_frame_on_every_endpoint(
    client: httpx.Client, deployed: Deployment, word: str
) -> None:
    question = unique(f"!{word} hello")
    # Those that are the account's fault were tried at three.
    code = 503 if word in ("captcha", "unauthorized", "forbidden") else 500

    def over_api() -> None:
        response = client.get("/api", params={"style": "balanced", "question": question})
        assert (response.status_code, response.json()["code"]) == (code, code)
        assert list(response.json()) == ["code", "message"]

    def over_api_stream() -> None:
        frames = stream(client, question)
        assert frames[-1]["code"] == code
        assert list(frames[-1]) == ["code", "message"]
        assert [frame["code"] for frame in frames[:-1]] == [200] * (len(frames) - 1)

    def over_socket() -> None:
        with socket(deployed, "/ws_stream") as connection:
            connection.send(json.dumps({"style": "balanced", "question": question}))
            while (frame := receive(connection))["code"] == 200:
                assert frame["data"]["done"] is False
            assert (frame["code"], list(frame)) == (code, ["code", "message"])
            connection.send(json.dumps({"style": "balanced", "question": unique("still there?")}))
            assert receive(connection)["code"] == 200

    with ThreadPoolExecutor() as threads:
        for ended in [threads.submit(endpoint) for endpoint in (over_api, over_api_stream, over_socket)]:
            ended.result()


def exhaust(client: httpx.Client, deployed: Deployment, **more: str) -> httpx.Response:
    """Use up every account, some with each question; the answer once none is left."""
    for _ in deployed.accounts:
        fields = {"style": "balanced", "question": unique("!throttled hello"), **more}
        response = client.get("/api", params=fields)
        if response.json()["code"] != 503:
            return response
    raise AssertionError("some account is never used up")


@pytest.mark.usefixtures("renewed")
def test_a_throttled_pool_is_a_120_with_the_time_to_come_back(client: httpx.Client, deployed: Deployment) -> None:
    response = exhaust(client, deployed)
    assert (response.status_code, response.text) == (200, '{"code": 120, "message": "已上限,24小时后尝试"}')
    assert 23 * 3600 < int(response.headers["retry-after"]) <= 24 * 3600
    question = unique("hello")
    assert stream(client, question) == [{"code": 120, "message": "已上限,24小时后尝试"}]
    assert deployed.turns(question) == []


@pytest.mark.usefixtures("renewed")
def test_a_conversation_outlives_a_throttled_pool(client: httpx.Client, deployed: Deployment) -> None:
    token = ask(client, unique("hello"))["data"]["token"]
    assert exhaust(client, deployed, token=token).json()["code"] == 120
    deployed.renew("after")
    answer = ask(client, unique("hello again"), token=token)
    assert (answer["code"], answer["data"]["token"]) == (200, token)


def test_a_refusal_by_one_account_is_answered_by_another(client: httpx.Client, deployed: Deployment) -> None:
    question = unique("!throttled !once hello")
    answer = ask(client, question)
    assert answer["code"] == 200
    turns = deployed.turns(question)
    assert [turn["outcome"] for turn in turns] == ["Throttled", "Success"]
    assert len({turn["account"] for turn in turns}) == 2


def test_a_lost_upstream_session_is_replaced_and_reported_as_reset(client: httpx.Client, deployed: Deployment) -> None:
    token = ask(client, unique("hello"))["data"]["token"]
    question = unique("!invalid-session !once hello")
    answer = ask(client, question, token=token)
    assert (answer["code"], answer["data"]["reset"], answer["data"]["token"]) == (200, True, token)
    first, second = deployed.turns(question)
    assert first["account"] == second["account"]
    assert first["conversation"] != second["conversation"]


def test_the_words_of_a_lost_thread_reset_the_conversation(client: httpx.Client, deployed: Deployment) -> None:
    for text in ("!learning hello", "!learning 你好"):
        question = unique(text)
        answer = ask(client, question)
        assert answer["data"]["reset"] is True
        assert ask(client, f"{question} again", token=answer["data"]["token"])["data"]["token"]
        turns = deployed.turns(question)
        assert len({turn["conversation"] for turn in turns}) == 2


def test_the_turn_limit_resets_the_conversation(client: httpx.Client) -> None:
    answer = ask(client, unique("!turn-limit hello"))
    assert (answer["code"], answer["data"]["reset"]) == (200, True)
    assert ask(client, unique("and now"), token=answer["data"]["token"])["data"]["reset"] is False


def test_after_a_500_the_token_continues_with_a_fresh_conversation(client: httpx.Client, deployed: Deployment) -> None:
    question = unique("hello")
    token = ask(client, question)["data"]["token"]
    assert ask(client, f"!close-mid {question}", token=token)["code"] == 500
    assert ask(client, f"{question} again", token=token)["code"] == 200
    before, broken, after = deployed.turns(question)
    assert before["conversation"] == broken["conversation"] != after["conversation"]


@pytest.mark.parametrize(
    "word", ["replace", "shrink", "cite-cut", "open-mark", "surrogate", "apology", "final-only", "final-longer"]
)
def test_the_joined_deltas_end_with_the_answer_whatever_the_upstream_does(client: httpx.Client, word: str) -> None:
    frames = stream(client, unique(f"!{word} hello"))
    assert [frame["code"] for frame in frames] == [200] * len(frames)
    assert joined(frames).endswith(frames[-1]["data"]["answer"])
    assert frames[-1]["data"]["answer"]


def test_an_open_citation_mark_at_the_end_arrives_whole(client: httpx.Client) -> None:
    frames = stream(client, unique("!open-mark hello"))
    assert "[^" in frames[-1]["data"]["answer"]


def test_a_socket_gives_one_frame_a_question_and_keeps_its_conversation(deployed: Deployment) -> None:
    question = unique("hello")
    with socket(deployed, "/ws", len(deployed.gateways) - 1) as connection:
        for turn in range(3):
            connection.send(json.dumps({"style": "balanced", "question": f"{question} {turn}"}))
            frame = receive(connection)
            assert list(frame["data"]) == ["answer", "urls", "reset"]
    turns = deployed.turns(question)
    assert len({turn["conversation"] for turn in turns}) == 1
    assert len(turns) == 3


def test_questions_sent_ahead_are_answered_in_order_one_at_a_time(deployed: Deployment) -> None:
    question = unique("hello")
    with socket(deployed, "/ws") as connection:
        for turn in range(4):
            connection.send(json.dumps({"style": "balanced", "question": f"{question} number-{turn}"}))
        for turn in range(4):
            assert f"number-{turn}" in receive(connection)["data"]["answer"]
    turns = deployed.turns(question)
    for before, after in pairwise(turns):
        assert before["ended"] <= after["started"]


def test_a_streaming_socket_sends_deltas_and_then_the_whole_answer(deployed: Deployment) -> None:
    with socket(deployed, "/ws_stream") as connection:
        connection.send(json.dumps({"style": "creative", "question": unique("!search 你好")}))
        frames = [receive(connection)]
        while not frames[-1]["data"]["done"]:
            frames.append(receive(connection))
    assert all(list(frame["data"]) == KEYS[:-1] for frame in frames)
    assert joined(frames) == frames[-1]["data"]["answer"]


def test_a_page_that_only_appends_while_not_done_shows_the_whole_answer(deployed: Deployment) -> None:
    with socket(deployed, "/ws_stream") as connection:
        for question in (unique("!final-only hello"), unique("!final-longer hello"), unique("hello")):
            connection.send(json.dumps({"style": "balanced", "question": question}))
            shown = ""
            while not (data := receive(connection)["data"])["done"]:
                shown += data["answer"]
            assert shown == data["answer"]


def test_a_socket_survives_what_is_no_question(deployed: Deployment) -> None:
    with socket(deployed, "/ws") as connection:
        for message, answer in (
            ("{", "格式错误"),
            ("[1]", "格式错误"),
            (b"\x00\xff", "格式错误"),
            ("{}", "参数不能为空"),
            ('{"style": "wild", "question": "hi"}', "style不存在"),
        ):
            connection.send(message)
            assert receive(connection) == {"code": 110, "message": answer}
        connection.send(json.dumps({"style": "balanced", "question": unique("hello")}))
        assert receive(connection)["code"] == 200


def test_a_client_that_leaves_does_not_stop_its_question(deployed: Deployment) -> None:
    question = unique("!deltas=20 !rate=20 hello")
    with socket(deployed, "/ws_stream") as connection:
        connection.send(json.dumps({"style": "balanced", "question": question}))
        receive(connection)
    wait_until(lambda: [turn["outcome"] for turn in deployed.turns(question)] == ["Success"], "the turn ends", 10)


def test_looking_asks_nothing(client: httpx.Client, deployed: Deployment) -> None:
    question = unique("hello")
    for path in ("/api", "/api_stream"):
        for method in ("HEAD", "OPTIONS"):
            response = client.request(method, path, params={"style": "balanced", "question": question})
            assert response.status_code < 300
            assert response.content == b""
    with socket(deployed, "/ws"), socket(deployed, "/ws_stream"):
        pass
    assert ask(client, unique("a question in between"))["code"] == 200
    assert deployed.turns(question) == []


@pytest.mark.parametrize("word", ["404", "405", "413"])
def test_http_errors_have_the_envelope(client: httpx.Client, word: str) -> None:
    if word == "404":
        response = client.get("/nothing-here")
    elif word == "405":
        response = client.put("/api")
    else:
        response = client.post("/api", content=b"x" * (1024 * 1024 + 1))
    assert response.status_code == int(word)
    assert list(response.json()) == ["code", "message"]
    assert response.json()["code"] == int(word)
    english = client.get("/nothing-here", headers={"accept-language": "en"}).json()
    assert english["message"].isascii()


def test_an_event_source_resumes_where_it_stopped_at_another_gateway(deployed: Deployment) -> None:
    question = unique("!deltas=12 !rate=30 hello")
    fields = {"style": "balanced", "question": question}
    events = {"accept": "text/event-stream"}
    whole: list[bytes] = []
    with httpx.stream("GET", f"{deployed.url}/api_stream", params=fields, headers=events, timeout=20) as response:
        received = b""
        for chunk in response.iter_bytes():
            received += chunk
            whole = received.split(b"\n\n")[:-1]
            if len(whole) >= 3:
                break
    assert b"\nretry: " in whole[0]
    last_id = whole[1].split(b"\nid: ")[1].decode()
    answer = last_id.split(".")[0]
    again = httpx.get(
        f"{deployed.gateways[-1]}/api_stream",
        params=fields,
        headers=events | {"last-event-id": last_id},
        timeout=20,
    )
    rest = again.content.split(b"\n\n")[:-1]
    texts = [json.loads(part.split(b"\n")[0].removeprefix(b"data: "))["data"] for part in whole[:2] + rest]
    assert "".join(text["answer"] for text in texts[:-1]) == texts[-1]["answer"]
    assert texts[-1]["done"] is True
    assert len(deployed.turns(question)) == 1
    over = rest[-1].split(b"\nid: ")[1].decode()
    assert over.startswith(answer)
    ended = httpx.get(f"{deployed.url}/api_stream", params=fields, headers=events | {"last-event-id": over}, timeout=20)
    assert (ended.status_code, ended.content) == (204, b"")


def test_a_request_id_goes_in_and_out(client: httpx.Client) -> None:
    response = client.get("/api", params={"style": "x"}, headers={"x-request-id": "my-id-1"})
    assert response.headers["x-request-id"] == "my-id-1"
    assert client.get("/healthz").headers["x-request-id"]
