"""What is asked by each transport is what its server understands."""

import json

from bench.clients.transports import MODEL, OPENAI, SOCKET, SSE, TRANSPORTS, USUAL_TARGET, CompletionsTarget
from bench.question import Question

QUESTION = Question(60, 20.0)


def test_over_http_the_question_is_in_the_query() -> None:
    request = TRANSPORTS[SSE].request(QUESTION, USUAL_TARGET).decode()
    assert request.startswith(
        "GET /api_stream?style=balanced&question=%21deltas%3D60%20%21rate%3D20%20%21stamp HTTP/1.1"
    )
    assert TRANSPORTS[SSE].message(QUESTION) == b""


def test_over_websocket_it_follows_the_handshake() -> None:
    assert TRANSPORTS[SOCKET].request(QUESTION, USUAL_TARGET).startswith(b"GET /ws_stream HTTP/1.1\r\n")
    assert str(QUESTION).encode() in TRANSPORTS[SOCKET].message(QUESTION)


def test_openais_request_has_the_length_that_it_names() -> None:
    head, body = TRANSPORTS[OPENAI].request(QUESTION, USUAL_TARGET).split(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    fields = json.loads(body)
    assert (fields["model"], fields["stream"]) == (MODEL, True)


def test_a_side_is_asked_where_and_how_it_wants_to_be() -> None:
    target = CompletionsTarget("/openai/v1/chat/completions", "its::bench", {"x-provider": "openai"})
    head, body = TRANSPORTS[OPENAI].request(QUESTION, target).split(b"\r\n\r\n")
    assert head.startswith(b"POST /openai/v1/chat/completions HTTP/1.1\r\n")
    assert b"\r\nx-provider: openai\r\n" in head
    assert json.loads(body)["model"] == "its::bench"
