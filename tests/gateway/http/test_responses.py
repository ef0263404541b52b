"""Plain responses."""

import json

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.errors import Problem
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.responses import empty, encode_error, error_response, ok, options, problem_response


def request(method: str) -> Request:
    return Request({"type": "http", "method": method, "path": "/api", "headers": []})


def test_a_success_is_json_that_nobody_keeps() -> None:
    response = ok(b'{"code": 200}')
    assert (response.status_code, response.body) == (200, b'{"code": 200}')
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("code", "status"), [(110, 200), (120, 200), (404, 404), (503, 503)])
def test_an_error_has_the_status_that_old_clients_expect(code: int, status: int) -> None:
    response = problem_response(Problem(code, "words"))
    assert response.status_code == status
    assert json.loads(bytes(response.body)) == {"code": code, "message": "words"}
    assert "retry-after" not in response.headers


def test_an_error_has_the_time_to_come_back() -> None:
    assert problem_response(Problem(503, "words", 7)).headers["retry-after"] == "7"


@pytest.mark.anyio
@pytest.mark.parametrize(("english", "message"), [(False, "未找到文件"), (True, "Not found")])
async def test_an_error_comes_in_the_clients_language_with_its_headers(english: bool, message: str) -> None:
    failed = request("GET")
    failed.state.english, failed.state.error_metrics = english, ErrorMetrics()
    response = await error_response(failed, HTTPException(404, headers={"x-more": "1"}))
    assert json.loads(bytes(response.body)) == {"code": 404, "message": message}
    assert response.headers["x-more"] == "1"
    assert failed.state.error_metrics.counts["code.404"] == 1


def test_head_and_options_get_no_body() -> None:
    assert (empty(request("HEAD"), ["GET"]).status_code, empty(request("HEAD"), ["GET"]).body) == (200, b"")
    assert empty(request("OPTIONS"), ["GET", "POST"]).headers["allow"] == "GET, POST"
    assert (options(["GET"]).status_code, options(["GET"]).body) == (204, b"")


def test_an_error_is_code_and_message() -> None:
    assert encode_error(Problem(120, "token不存在")) == '{"code": 120, "message": "token不存在"}'.encode()


def test_half_a_surrogate_pair_breaks_nothing() -> None:
    assert json.loads(encode_error(Problem(500, "\ud83d"))) == {"code": 500, "message": "?"}
