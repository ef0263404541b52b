import json

from emulator.openai import error_response
from emulator.openai.error_response import ErrorResponse


def test_an_error_has_the_four_usual_fields_in_their_order() -> None:
    response = ErrorResponse(400, "No.", code="c", param="p", headers={"Retry-After": "7"}).render()
    assert (response.status, response.headers["Retry-After"]) == (400, "7")
    assert response.headers["x-request-id"].startswith("req_")
    assert response.text is not None
    error = json.loads(response.text)["error"]
    assert list(error.items()) == [
        ("message", "No."),
        ("type", "invalid_request_error"),
        ("param", "p"),
        ("code", "c"),
    ]


def test_further_fields_replace_or_follow_the_usual_ones() -> None:
    error = ErrorResponse(400, "No.", extra_fields={"type": None, "status": 400}).body["error"]
    assert list(error) == ["message", "type", "param", "code", "status"]
    assert error["type"] is None


def test_the_errors_name_what_is_wrong() -> None:
    assert error_response.no_model("x").code == "model_not_found"
    assert error_response.missing("prompt").param == "prompt"
    assert "expected a string" in error_response.wrong_type("prompt", "a string").message
    assert error_response.wrong_value("n", "1").code == "invalid_value"
    assert error_response.no_key().status == error_response.wrong_key().status == 401
