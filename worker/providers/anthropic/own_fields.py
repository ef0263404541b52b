"""Which extra fields of a client reach a server of Anthropic's API."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wire.prompt import Message, Picture, Prompt, Refusal, Text, Tool

# What chat completions have for thoughts, as LiteLLM introduced it.
THINKING_BLOCKS = "thinking_blocks"
CACHE_CONTROL = "cache_control"


def keep_own_fields(prompt: Prompt) -> Prompt:
    """Return a prompt with the extra fields that the API knows: all of its own clients', and few of any other's.

    These are `cache_control` of texts, pictures, messages and tools, and `thinking_blocks` of messages.
    """
    if prompt.dialect == "anthropic":
        return prompt
    return msgspec.structs.replace(
        prompt,
        messages=tuple(map(_keep_in_message, prompt.messages)),
        tools=tuple(map(_keep_in_tool, prompt.tools)),
        format=None if prompt.format is None else msgspec.structs.replace(prompt.format, extra={}),
        extra={},
    )


def _keep_in_message(message: Message) -> Message:
    parts = tuple(
        msgspec.structs.replace(part, extra=_cached(part.extra)) if isinstance(part, Text | Picture | Refusal) else part
        for part in message.parts
    )
    calls = tuple(msgspec.structs.replace(call, extra={}) for call in message.calls)
    extra = {name: message.extra[name] for name in (THINKING_BLOCKS, CACHE_CONTROL) if name in message.extra}
    return msgspec.structs.replace(message, parts=parts, calls=calls, extra=extra)


def _keep_in_tool(tool: Tool) -> Tool:
    inner = tool.extra.get(tool.kind)
    extra = _cached(inner if isinstance(inner, dict) else {}) | _cached(tool.extra)
    return msgspec.structs.replace(tool, extra=extra)


def _cached(extra: Mapping[str, Any]) -> dict[str, Any]:
    return {CACHE_CONTROL: extra[CACHE_CONTROL]} if isinstance(extra.get(CACHE_CONTROL), dict) else {}
