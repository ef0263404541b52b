"""Fragments of blocks as what an event of a stream adds to the message."""

import json
from typing import Any

from emulator.blocks import BlockFragment
from emulator.json_text import Json
from emulator.openai.server_styles import ServerStyle
from emulator.openai.signatures import sign, sign_call

SIGNED_FORMAT = "anthropic-claude-v1"
SEALED_FORMAT = "openai-responses-v1"


def render(fragment: BlockFragment, style: ServerStyle, model: str, old: bool) -> Json:
    """Return what a fragment adds. old: calls are of functions, as before there were tools."""
    block = fragment.block
    match block.kind:
        case "tool_call":
            if old:
                name = {"name": block.name} if fragment.first else {}
                return {"function_call": {**name, "arguments": str(fragment)}}
            return {"tool_calls": [_call(fragment, style, model)]}
        case "reasoning":
            delta = _thought(fragment, style, model)
        case "refusal":
            delta = {"refusal": str(fragment)}
        case "opaque":
            delta = {}
        case _:
            delta = {"content": str(fragment)}
    return {**delta, **block.extra} if fragment.last else delta


def _thought(fragment: BlockFragment, style: ServerStyle, model: str) -> Json:
    text = str(fragment)
    match style.thoughts:
        case "parts":
            return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}
        case "details":
            detail: Json = {"type": "reasoning.text", "text": text, "format": SIGNED_FORMAT, "index": fragment.number}
            if fragment.last:
                detail["signature"] = sign(model, "thought", fragment.block.text)
            return {"content": "", "reasoning": text, "reasoning_details": [detail]}
        case "sealed":
            return {"content": "", "reasoning": text, "reasoning_details": _sealed(fragment, model)}
        case "reasoning" | "reasoning_content":
            return {style.thoughts: text}
    return {}


def _sealed(fragment: BlockFragment, model: str) -> list[Json]:
    """Return a summary of a thought and, at its end, the thought itself, which nobody else can read."""
    same: Json = {"format": SEALED_FORMAT, "index": fragment.number}
    details: list[Json] = [{"type": "reasoning.summary", "summary": str(fragment), **same}]
    if fragment.last:
        data = sign(model, "thought", fragment.block.text)
        details.append({"type": "reasoning.encrypted", "data": data, "id": f"rs_{fragment.number}", **same})
    return details


def _call(fragment: BlockFragment, style: ServerStyle, model: str) -> Json:
    block, text = fragment.block, str(fragment)
    kind, words = ("custom", "input") if block.custom else ("function", "arguments")
    index = {} if style.index == "none" else {"index": fragment.number if style.index == "counted" else 0}
    if not fragment.first:
        repeated = {"name": block.name} if style.repeats_name else {}
        return {**index, kind: {**repeated, words: text}}
    body: Json = {"name": block.name, words: _as_object(text) if style.object_arguments else text}
    if style.bare_name:
        del body[words]
    id_ = {"id": block.id} if block.id else {}
    signature: Json = {}
    if style.signs_calls and fragment.number == 0:
        signed = sign_call(model, block.name, block.text)
        signature = {"extra_content": {"google": {"thought_signature": signed}}}
    return {**index, **id_, "type": kind, kind: body, **signature, **block.extra}


def _as_object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
