"""The items of a request's input, checked as OpenAI's API does: https://platform.openai.com/docs/api-reference/responses."""

from collections.abc import Callable, Sequence
from typing import Any

from emulator.anthropic import thought_signatures
from emulator.json_text import Json
from emulator.openai import error_response, message_list
from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.openai.message_history import CompletionMessage, SentCall
from emulator.sent_pictures import SentPicture

ROLES = ("user", "assistant", "system", "developer")
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
OUTPUTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
TYPES = ("message", *CALLS, *OUTPUTS, "reasoning", "item_reference")
TEXTS = {"user": ("input_text",), "assistant": ("output_text", "refusal")}
MEDIA = ("input_image", "input_file")
SEAL = "gAAAAAB"  # how encrypted content begins


def as_items(sent: Any) -> list[Json]:
    """Return the input as a list of objects. Raises BadRequestError."""
    if isinstance(sent, str):
        return [{"role": "user", "content": sent}]
    if not isinstance(sent, list) or not all(isinstance(item, dict) for item in sent):
        raise BadRequestError(error_response.wrong_type("input", "a string or an array of objects"))
    return sent


def resolve(items: Sequence[Json], find: Callable[[str], Json | None]) -> list[Json]:
    """Return items in which references are what they stand for. Raises BadRequestError for one that isn't known."""
    resolved = []
    for item in items:
        is_bare_thought = item.get("type") == "reasoning" and not item.get("encrypted_content")
        if item.get("type") == "item_reference" or is_bare_thought:
            found = find(str(item.get("id")))
            if found is None:
                raise BadRequestError(_not_found(str(item.get("id"))))
            resolved.append(found)
        else:
            resolved.append(item)
    return resolved


def convert(items: Sequence[Json]) -> tuple[CompletionMessage, ...]:
    """Return items in the form that every API shares. Raises BadRequestError for the first one that is wrong."""
    messages: list[CompletionMessage] = []
    for number, item in enumerate(items):
        message = _convert(item, f"input[{number}]")
        if message is None:
            continue
        before = messages[-1] if messages else None
        if message.calls and before is not None and before.role == "assistant":
            messages[-1] = CompletionMessage("assistant", before.text, (), (*before.calls, *message.calls))
        else:
            messages.append(message)
    _check_calls(items)
    _check_thoughts(items)
    return tuple(messages)


def _convert(item: Json, where: str) -> CompletionMessage | None:
    kind = item.get("type", "message")
    if kind not in TYPES:
        raise BadRequestError(error_response.wrong_value(f"{where}.type", "one of " + ", ".join(TYPES)))
    if kind in CALLS:
        names = ("call_id", "name", CALLS[kind])
        call_id, name, text = (_string(item, field, where) for field in names)
        return CompletionMessage("assistant", "", calls=(SentCall(call_id, name, text, item),), value=item)
    if kind in OUTPUTS:
        text, pictures = _read(item.get("output"), "user", f"{where}.output")
        seen = "".join(f"\n[{picture.describe()}]" for picture in pictures)
        return CompletionMessage("tool", text + seen, pictures, call_id=_string(item, "call_id", where), value=item)
    if kind == "reasoning":
        return None
    role = item.get("role")
    if role not in ROLES:
        raise BadRequestError(error_response.wrong_value(f"{where}.role", "one of " + ", ".join(ROLES)))
    text, pictures = _read(item.get("content"), str(role), f"{where}.content")
    return CompletionMessage(str(role), text, pictures, value=item)


def _read(content: Any, role: str, where: str) -> tuple[str, tuple[SentPicture, ...]]:
    """Return a content's text, its parts joined by line ends, and its pictures. Raises BadRequestError."""
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, list):
        raise BadRequestError(error_response.wrong_type(where, "a string or an array"))
    texts: list[str] = []
    pictures: list[SentPicture] = []
    allowed = TEXTS.get(role, ("input_text",))
    for number, part in enumerate(content):
        place = f"{where}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in allowed:
            texts.append(_string(part, "refusal" if kind == "refusal" else "text", place))
        elif kind not in MEDIA or role == "assistant":
            names = (*allowed, *(MEDIA if role != "assistant" else ()))
            raise BadRequestError(error_response.wrong_value(f"{place}.type", "one of " + ", ".join(names)))
        elif kind == "input_image" and part.get("image_url") is not None:
            image = {"url": part["image_url"], "detail": part.get("detail")}
            pictures.append(message_list.picture({"image_url": image}, place))
        elif not any(part.get(name) for name in ("file_id", "file_data", "file_url")):
            raise BadRequestError(error_response.missing(f"{place}.file_id"))
    return "\n".join(texts), tuple(pictures)


def _check_calls(items: Sequence[Json]) -> None:
    """Raise BadRequestError unless each output has its call before it, and each call its output."""
    waiting: dict[str, str] = {}
    for item in items:
        kind = str(item.get("type"))
        if kind in CALLS:
            waiting[str(item["call_id"])] = kind
        elif kind in OUTPUTS and waiting.pop(str(item["call_id"]), None) != OUTPUTS[kind]:
            words = OUTPUTS[kind].replace("_", " ")
            reason = f"No tool call found for {words} output with call_id {item['call_id']}."
            raise BadRequestError(ErrorResponse(400, reason, param="input"))
    for call_id, kind in waiting.items():
        reason = f"No tool output found for {kind.replace('_', ' ')} {call_id}."
        raise BadRequestError(ErrorResponse(400, reason, param="input"))


def _check_thoughts(items: Sequence[Json]) -> None:
    """Raise BadRequestError unless thoughts are unchanged, and what they led to follows them."""
    for place, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        name, sealed = str(item.get("id")), item.get("encrypted_content")
        if sealed is not None and not is_own(item):
            reason = f"The encrypted content for item {name} could not be verified."
            raise BadRequestError(ErrorResponse(400, reason, code="invalid_encrypted_content", param="input"))
        following = items[place + 1] if place + 1 < len(items) else {}
        is_answer = following.get("type") in (*CALLS, "reasoning") or following.get("role") == "assistant"
        if not is_answer:
            reason = f"Item '{name}' of type 'reasoning' was provided without its required following item."
            raise BadRequestError(ErrorResponse(400, reason, param="input"))


def seal(summary: str, whole: str) -> str:
    """Return the encrypted content of a thought. summary: what clients see of it."""
    return SEAL + thought_signatures.sign(summary, whole)


def is_own(item: Json) -> bool:
    """Return whether a thought's encrypted content is that of its summary."""
    sealed = str(item["encrypted_content"])
    summary = "".join(str(part.get("text", "")) for part in item.get("summary") or ())
    return sealed.startswith(SEAL) and thought_signatures.is_own(summary, sealed.removeprefix(SEAL))


def _not_found(name: str) -> ErrorResponse:
    reason = (
        f"Item with id '{name}' not found. Items are not persisted when `store` is set to false. "
        "Try again with `store` set to true, or remove this item from your input."
    )
    return ErrorResponse(404, reason, param="input")


def _string(value: Json, name: str, where: str) -> str:
    if value.get(name) is None:
        raise BadRequestError(error_response.missing(f"{where}.{name}"))
    if not isinstance(value[name], str):
        raise BadRequestError(error_response.wrong_type(f"{where}.{name}", "a string"))
    text: str = value[name]
    return text
