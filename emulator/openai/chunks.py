"""The events of a streamed completion, and the completion that they add up to."""

from collections.abc import Iterable
from typing import Any

from emulator.json_text import Json

FINGERPRINT = "fp_5ad0000000"


def head(id_: str, kind: str, created: int, model: str, fingerprint: str | None = FINGERPRINT) -> Json:
    """Return the fields with which every event begins."""
    fields = {"id": id_, "object": kind, "created": created, "model": model}
    return fields if fingerprint is None else fields | {"system_fingerprint": fingerprint}


def choice(delta: Json, reason: str | None = None, logprobs: Json | None = None) -> Json:
    """Return a choice that adds this to the message. reason: why the answer ends."""
    return {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}


def usage(prompt: int, completion: int) -> Json:
    """Return the usage of so many tokens."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def detailed_usage(prompt: int, completion: int, cached: int, reasoning: int) -> Json:
    """Return the usage with what of it was cached or thoughts."""
    details = {"accepted_prediction_tokens": 0, "audio_tokens": 0, "rejected_prediction_tokens": 0}
    return usage(prompt, completion) | {
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, **details},
    }


def join(chunks: Iterable[Json], usage: Json, refusal: bool = True) -> Json:
    """Return the completion that comes when no stream is asked for. refusal: whether its field is always there."""
    completion: Json = {}
    message: Json = {"role": "assistant", "content": None, **({"refusal": None} if refusal else {})}
    reasons: Json = {}
    logprobs: list[Json] = []
    for chunk in chunks:
        completion |= {name: value for name, value in chunk.items() if name not in ("choices", "usage")}
        for part in chunk.get("choices") or ():
            reasons |= {name: part[name] for name in ("finish_reason", "native_finish_reason") if part.get(name)}
            logprobs += (part.get("logprobs") or {}).get("content") or []
            for name, value in part["delta"].items():
                message[name] = _grow(name, message.get(name), value)
    if message["content"] == "" and (message.get("tool_calls") or message.get("function_call")):
        message["content"] = None
    for call in message.get("tool_calls") or ():
        call.pop("index", None)
    listed = {"content": logprobs, "refusal": None} if logprobs else None
    only = {"index": 0, "message": message, "logprobs": listed, "finish_reason": None, **reasons}
    return completion | {"object": "chat.completion", "choices": [only], "usage": usage}


def _grow(name: str, before: Any, value: Any) -> Any:
    """Return a field of the message with what an event adds to it."""
    if name == "tool_calls":
        return _add_calls(before or [], value)
    if name == "reasoning_details":
        return _add_details(before or [], value)
    if name == "function_call" and before:
        return {**before, "arguments": before["arguments"] + value["arguments"]}
    if name == "content" and (isinstance(value, list) or isinstance(before, list)):
        return _add_parts(before, value)
    if isinstance(value, str) and name != "role" and isinstance(before, str):
        return before + value
    return before if value is None and before else value


def _add_calls(calls: list[Json], added: list[Json]) -> list[Json]:
    for entry in added:
        kind, words = ("custom", "input") if "custom" in entry else ("function", "arguments")
        same = [call for call in calls if call.get("index") == entry.get("index")]
        if "type" in entry or not same:
            body = entry[kind]
            calls = [*calls, {**entry, kind: {**body, words: body.get(words, "")}}]
        else:
            body = same[-1][kind]
            body[words] = body[words] + entry[kind][words]
    return calls


def _add_details(details: list[Json], added: list[Json]) -> list[Json]:
    for entry in added:
        words = "summary" if "summary" in entry else "text"
        last = details[-1] if details else {}
        if words in entry and (last.get("index"), last.get("type")) == (entry.get("index"), entry["type"]):
            details = [*details[:-1], {**last, **entry, words: last[words] + entry[words]}]
        else:
            details = [*details, entry]
    return details


def _add_parts(before: Any, value: Any) -> list[Json]:
    parts = before if isinstance(before, list) else [{"type": "text", "text": before}] if before else []
    if isinstance(value, str):
        if parts and parts[-1]["type"] == "text":
            return [*parts[:-1], {"type": "text", "text": parts[-1]["text"] + value}]
        return [*parts, {"type": "text", "text": value}] if value else parts
    for part in value:
        if parts and parts[-1]["type"] == part["type"] == "thinking":
            text = parts[-1]["thinking"][0]["text"] + part["thinking"][0]["text"]
            parts = [*parts[:-1], {"type": "thinking", "thinking": [{"type": "text", "text": text}]}]
        else:
            parts = [*parts, part]
    return parts
