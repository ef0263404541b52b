import json
import re

from emulator.anthropic import error_response


def test_an_error_has_the_real_shape_and_names_its_request() -> None:
    response = error_response.no_model("m").render()
    body = json.loads(str(response.text))
    assert body == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "model: m"},
        "request_id": response.headers["request-id"],
    }
    assert response.status == 404


def test_an_error_in_a_stream_is_an_event_of_its_name() -> None:
    event = error_response.too_large().event
    assert (event.name, event.body["type"]) == ("error", "error")


def test_ids_are_new_each_time() -> None:
    names = {error_response.make_id("toolu") for _ in range(50)}
    assert len(names) == 50
    assert all(re.fullmatch(r"toolu_01[1-9A-HJ-NP-Za-km-z]{22}", name) for name in names)
