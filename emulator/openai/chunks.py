"""The events of a streamed completion, and the completion that they add up to."""

from collections.abc import Iterable

from emulator.json_text import Json

FINGERPRINT = "fp_5ad0000000"


def head(id_: str, kind: str, created: int, model: str) -> Json:
    """Return the fields with which every event begins."""
    return {"id": id_, "object": kind, "created": created, "model": model, "system_fingerprint": FINGERPRINT}


def choice(delta: Json, reason: str | None = None) -> Json:
    """Return a choice that adds this to the message. reason: why the answer ends."""
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def usage(prompt: int, completion: int) -> Json:
    """Return the usage of so many tokens."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def join(chunks: Iterable[Json], usage: Json) -> Json:
    """Return the completion that comes when no stream is asked for."""
    completion: Json = {}
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    reason = None
    for chunk in chunks:
        completion |= {name: value for name, value in chunk.items() if name not in ("choices", "usage")}
        for part in chunk.get("choices") or ():
            reason = part["finish_reason"] or reason
            for name, value in part["delta"].items():
                grows = isinstance(value, str) and name != "role" and isinstance(message.get(name), str)
                message[name] = message[name] + value if grows else value
    only = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return completion | {"object": "chat.completion", "choices": [only], "usage": usage}
