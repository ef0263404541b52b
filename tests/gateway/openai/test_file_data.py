"""A file in a message is base64, or short."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.file_data import MAX_ESCAPED, check_file
from gateway.openai.messages import parse_messages
from gateway.openai.responses.input_items import parse_input

LARGE = "A" * (4 * MAX_ESCAPED)
REFUSED = [
    "data:text/plain," + "%" * MAX_ESCAPED,
    f"DATA:text/plain,{LARGE}",
    f"data:text/plain;base64x,{LARGE}",
    f"data:text/plain{';' * 200};base64,QUJD",
    "data:" + ";" * MAX_ESCAPED,
    "data:",
]


@pytest.mark.parametrize(
    "data",
    [
        f"data:application/pdf;base64,{LARGE}",
        "data:text/plain;charset=utf-8;name=a.txt;BASE64,QUJD",
        "data:text/plain,a%20b",
        "data:,",
        LARGE,
        "",
        None,
        7,
    ],
)
@pytest.mark.parametrize("kind", ["file", "input_file"])
def test_base64_and_what_is_short_may_pass(kind: str, data: object) -> None:
    check_file({"type": kind, "file_data": data, "file": {"file_data": data}}, "p")
    check_file({"type": kind, "file": data}, "p")


@pytest.mark.parametrize("data", REFUSED)
def test_a_long_content_that_is_no_base64_is_refused(data: str) -> None:
    for part, name in (({"file_data": data}, "p.file_data"), ({"file": {"file_data": data}}, "p.file.file_data")):
        with pytest.raises(InvalidRequestError) as caught:
            check_file({"type": "file", **part}, "p")
        assert (caught.value.fault.param, caught.value.fault.code) == (name, "invalid_base64")


def test_other_parts_are_for_their_server_to_judge() -> None:
    check_file({"type": "video", "file_data": REFUSED[0]}, "p")


@pytest.mark.parametrize("data", REFUSED)
def test_files_are_checked_wherever_a_request_has_them(data: str) -> None:
    part: dict[str, Any] = {"type": "file", "file": {"filename": "a", "file_data": data}}
    result = {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_data": data}]}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    message = {"role": "user", "content": [part]}
    with pytest.raises(InvalidRequestError):
        parse_messages([message], "messages")
    for items in ([message], [call, result]):
        with pytest.raises(InvalidRequestError):
            parse_input(items, {}, continues=False)
