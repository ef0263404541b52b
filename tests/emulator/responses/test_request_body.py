import json
from typing import Any

import pytest

from emulator.openai.error_response import BadRequestError
from emulator.responses import request_body
from emulator.responses.request_body import AskedResponseBody
from emulator.responses.response_store import ResponseStore
from tests.support.emulator.responses_client import ADD, NOTE


def read(**changes: Any) -> AskedResponseBody:
    body = {"model": "stand-in", "input": "hi"} | changes
    return request_body.parse(json.dumps(body).encode(), ResponseStore())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": None}, "you must provide a model parameter"),
    "no input": ({"input": None}, "Missing required parameter: 'input'"),
    "a number": ({"input": 7}, "Invalid type for 'input'"),
    "an unknown field": ({"messages": []}, "Unknown parameter: 'messages'."),
    "a stop": ({"stop": ["x"]}, "Unknown parameter: 'stop'."),
    "few tokens": ({"max_output_tokens": 15}, "Invalid value for 'max_output_tokens'"),
    "an unknown response": ({"previous_response_id": "resp_1"}, "Previous response with id 'resp_1' not found."),
    "tools that are none": ({"tools": {}}, "Invalid type for 'tools'"),
    "a tool in the other form": ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "Missing required"),
    "an unknown choice": ({"tools": [ADD], "tool_choice": {"type": "function", "name": "g"}}, "Tool choice 'g' not"),
    "a required call of nothing": ({"tool_choice": "required"}, "Invalid value for 'tool_choice'"),
    "reasoning that is none": ({"reasoning": "low"}, "Invalid type for 'reasoning'"),
    "an unknown effort": ({"reasoning": {"effort": "huge"}}, "Invalid value for 'reasoning_effort'"),
    "a store that is none": ({"store": "yes"}, "Invalid type for 'store'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str) -> None:
    changes, message = WRONG[name]
    with pytest.raises(BadRequestError) as caught:
        read(**changes)
    assert caught.value.response.message.startswith(message)


def test_tools_of_the_servers_own_are_taken_but_never_called() -> None:
    assert not read(tools=[{"type": "web_search"}], tool_choice="auto").tools.tools
    tools = read(tools=[ADD, NOTE, {"type": "web_search"}], tool_choice="required", parallel_tool_calls=False).tools
    assert [(tool.name, tool.custom) for tool in tools.tools] == [("add", False), ("note", True)]
    assert (tools.mode, tools.parallel) == ("required", False)


def test_a_choice_of_some_tools_is_understood() -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "note"}]}
    assert read(tools=[ADD, NOTE], tool_choice=choice).tools.names == ("note",)


def test_instructions_come_first() -> None:
    messages = read(instructions="Be brief.").messages
    assert [(one.role, one.text) for one in messages] == [("developer", "Be brief."), ("user", "hi")]


def test_what_is_stored_and_sealed() -> None:
    assert read().stored
    assert not read(store=False).stored
    assert read(include=["reasoning.encrypted_content"]).encrypts
    assert not read().encrypts
    assert read(temperature=0.1).tone == "Precise"
