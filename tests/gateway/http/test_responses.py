"""Plain JSON responses."""

import json

from gateway.http.responses import encode_error


def test_an_error_is_code_and_message() -> None:
    assert encode_error(120, "token不存在") == '{"code": 120, "message": "token不存在"}'.encode()


def test_half_a_surrogate_pair_breaks_nothing() -> None:
    assert json.loads(encode_error(500, "\ud83d")) == {"code": 500, "message": "?"}
