"""Items of tools that a server runs itself, and of tools with protocols of their own: they become words. Pure.

No server of ours takes them as they are. See https://platform.openai.com/docs/guides/tools.
"""

from collections.abc import Sequence

import msgspec

from gateway.openai.json_fields import Fields, check_depth

_CALL_ENDS = ("_call", "mcp_approval_request")
_OUTPUT_ENDS = ("_output", "mcp_approval_response")
# Where calls of the various kinds have what they were called with, and where what came of it.
_GIVEN = ("arguments", "input", "action", "operation", "code", "queries")
_CAME = ("output", "outputs", "results", "error")
_SCREENSHOT = "computer_screenshot"


def is_call(kind: str) -> bool:
    """Return whether items of a kind are calls."""
    return kind.endswith(_CALL_ENDS)


def is_output(kind: str) -> bool:
    """Return whether items of a kind are outputs of calls."""
    return kind.endswith(_OUTPUT_ENDS)


def describe_call(kind: str, item: Fields, param: str) -> str:
    """Return a call in words: what was called, with what, and what came of it if that is in it too."""
    name = item.get("name") if isinstance(item.get("name"), str) else kind.removesuffix("_call")
    given, came = _first(item, _GIVEN, param), _first(item, _CAME, param)
    called = f"[Called {name}: {given}]" if given else f"[Called {name}]"
    return f"{called}\n\n{came}" if came else called


def describe_output(item: Fields, param: str) -> str:
    """Return the output of a call in words."""
    output = item.get("output", item.get("approve"))
    check_depth(output, f"{param}.output")
    return to_words(output)


def screenshot_of(item: Fields) -> object:
    """Return the address of a picture that the output is; None for any other output."""
    output = item.get("output")
    if not isinstance(output, dict) or output.get("type") != _SCREENSHOT:
        return None
    return output.get("image_url")


def _first(item: Fields, names: Sequence[str], param: str) -> str:
    for name in names:
        if item.get(name):
            check_depth(item[name], f"{param}.{name}")
            return to_words(item[name])
    return ""


def to_words(value: object) -> str:
    """Return a value as text: texts as they are, parts joined, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "\n\n".join(part["text"] for part in value)
    return msgspec.json.encode(value).decode()
