import json

import pytest

from emulator.anthropic import request_body
from emulator.anthropic.error_response import MessageError
from tests.support.emulator.anthropic_bodies import HEADERS, HI, read

TOOL = {"name": "f", "input_schema": {"type": "object"}}
BODY = json.dumps({"model": "m", "max_tokens": 9, "messages": [HI]}).encode()


def message(data: bytes, headers: dict[str, str]) -> str:
    with pytest.raises(MessageError) as caught:
        request_body.parse(data, headers)
    return caught.value.response.message


def test_a_version_has_to_be_named() -> None:
    assert message(BODY, {}) == "anthropic-version: header is required"
    assert message(BODY, {"anthropic-version": "1"}) == 'anthropic-version: "1" is not a valid version'
    for version in request_body.VERSIONS:
        assert request_body.parse(BODY, {"anthropic-version": version}).model == "m"


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'"a"'])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    assert message(data, HEADERS)


@pytest.mark.parametrize(
    ("choice", "mode", "names", "parallel"),
    [
        (None, "auto", (), True),
        ({"type": "auto"}, "auto", (), True),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", (), False),
        ({"type": "tool", "name": "f"}, "required", ("f",), True),
        ({"type": "none"}, "none", (), True),
    ],
)
def test_every_choice_is_understood(
    choice: dict[str, object] | None, mode: str, names: tuple[str, ...], parallel: bool
) -> None:
    tools = read(HI, tools=[TOOL, {"type": "web_search_20250305", "name": "web_search"}], tool_choice=choice).tools
    assert [tool.name for tool in tools.tools] == ["f"]
    assert (tools.mode, tools.names, tools.parallel) == (mode, names, parallel)


def test_the_system_comes_first_and_betas_are_listed() -> None:
    body = read(HI, {"role": "system", "content": "Later."}, system="Be brief.", betas="a-1, b-2")
    assert [(one.role, one.text) for one in body.messages] == [
        ("system", "Be brief."),
        ("user", "hi"),
        ("system", "Later."),
    ]
    assert body.betas == ("a-1", "b-2")


@pytest.mark.parametrize(("temperature", "tone"), [(None, None), (0.1, "Precise"), (1.0, "Balanced")])
def test_the_temperature_is_a_tone(temperature: float | None, tone: str | None) -> None:
    assert read(HI, temperature=temperature).tone == tone
