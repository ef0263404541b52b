"""The JSON of the drop-in endpoints: key order and separators are part of the contract."""

import json
from collections.abc import Sequence

from gateway.errors import failure_of
from wire.answers import Progress
from wire.messages import Failed, Final, Source

_encode = json.JSONEncoder(ensure_ascii=False).encode


def encode_text(text: str) -> bytes:
    """Return a JSON string."""
    return _bytes(_encode(text))


def encode_answer(
    text: str, urls: Sequence[Source], *, reset: bool, done: bool | None = None, token: str | None
) -> bytes:
    """Return an answer. `done` is None when not streaming; `token` is None for a client that never got one."""
    data: dict[str, object] = {"answer": text, "urls": [{"title": url.title, "url": url.url} for url in urls]}
    if done is not None:
        data["done"] = done
    data["reset"] = reset
    if token is not None:
        data["token"] = token
    return _encode_success(data)


def encode_final(event: Final, token: str | None, *, streaming: bool) -> bytes:
    """Return a whole answer. A stopped one is a success that resets the conversation."""
    reset = event.reset or event.stopped
    return encode_answer(event.text, event.urls, done=True if streaming else None, reset=reset, token=token)


def encode_images(addresses: Sequence[str]) -> bytes:
    """Return the pictures of an image request."""
    return _encode_success(list(addresses))


def encode_progress(answer: str, progress: Progress, *, english: bool) -> bytes:
    """Return the state of an answer. What only its end brings is empty until then."""
    end = progress.end
    final = end if isinstance(end, Final) else Final(progress.text)
    failed = end if isinstance(end, Failed) else None
    place = progress.position
    data: dict[str, object] = {
        "answer": answer,
        "token": progress.token,
        "state": progress.state,
        "position": None if place is None else place.position,
        "wait": None if place is None else place.wait,
        "seq": progress.seq,
        "text": progress.text,
        "urls": [{"title": url.title, "url": url.url} for url in final.urls],
        "images": list(final.images),
        "suggestions": list(final.suggestions),
        "turns": None if final.turns is None else {"used": final.turns.used, "limit": final.turns.limit},
        "reset": final.reset or (failed is not None and failed.reset),
        "error": None,
        "provider": progress.provider or None,
    }
    if failed is not None:
        problem = failure_of(failed, english)
        data["error"] = {
            "code": problem.code,
            "message": problem.message,
            "reason": failed.reason,
            "retry_after": failed.retry_after,
        }
    return _encode_success(data)


def _encode_success(data: object) -> bytes:
    return _bytes(_encode({"code": 200, "message": "success", "data": data}))


def _bytes(text: str) -> bytes:
    # Nothing that holds half a surrogate pair gets this far; if it did, it must not break the stream.
    return text.encode("utf-8", "replace")
