"""What a server was asked, in OpenAI's API or in Anthropic's: the tools offered, those called, and their results."""

import json
from dataclasses import dataclass
from typing import Any

Request = dict[str, Any]


@dataclass(frozen=True)
class SentCall:
    """A call of a tool, as a request has it."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class SentResult:
    """What a call returned. id: of the call; text: of all its parts that are text."""

    id: str
    text: str


def offered_tools(request: Request) -> list[str]:
    """Return the names of the tools that were offered."""
    return [tool.get("function", tool)["name"] for tool in request["tools"] or ()]


def sent_calls(request: Request) -> list[SentCall]:
    """Return the calls among the messages."""
    ours = [
        SentCall(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for message in request["messages"]
        for call in message.get("tool_calls") or ()
    ]
    return ours + [SentCall(block["id"], block["name"], block["input"]) for block in _blocks(request, "tool_use")]


def sent_results(request: Request) -> list[SentResult]:
    """Return the results of calls among the messages."""
    ours = [
        SentResult(message["tool_call_id"], _text(message["content"]))
        for message in request["messages"]
        if message["role"] == "tool"
    ]
    blocks = _blocks(request, "tool_result")
    return ours + [SentResult(block["tool_use_id"], _text(block.get("content", ""))) for block in blocks]


def _blocks(request: Request, kind: str) -> list[dict[str, Any]]:
    contents = [message["content"] for message in request["messages"] if isinstance(message.get("content"), list)]
    return [block for content in contents for block in content if block["type"] == kind]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def sent_thoughts(request: Request) -> list[str]:
    """Return the thoughts among the messages."""
    ours = [message["reasoning_content"] for message in request["messages"] if message.get("reasoning_content")]
    return ours + [block["thinking"] for block in _blocks(request, "thinking")]
