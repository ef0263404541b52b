"""The events of a streamed completion, and the completion that they add up to. Pure."""

from collections.abc import Iterable

from emulator.frames import Json

FINGERPRINT = "fp_5ad0000000"


def head(id_: str, kind: str, created: int, model: str) -> Json:
    return {"id": id_, "object": kind, "created": created, "model": model, "system_fingerprint": FINGERPRINT}


def choice(delta: Json, reason: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def usage(asked: int, answered: int) -> Json:
    """asked, answered: tokens."""
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def whole(chunks: Iterable[Json], spent: Json) -> Json:
    """The completion that comes when no stream is asked for. spent: its usage."""
    completion: Json = {}
    message: Json = {"role": "assistant", "content": None, "refusal": None}
    reason = None
    for chunk in chunks:
        completion |= {name: value for name, value in chunk.items() if name not in ("choices", "usage")}
        for one in chunk.get("choices") or ():
            reason = one["finish_reason"] or reason
            for name, value in one["delta"].items():
                grown = isinstance(value, str) and name != "role" and isinstance(message.get(name), str)
                message[name] = message[name] + value if grown else value
    chosen = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return completion | {"object": "chat.completion", "choices": [chosen], "usage": spent}
