"""The JSON that clients get: key order and separators are part of the contract."""

import json
from collections.abc import Sequence

from wire.answers import Progress
from wire.messages import Failed, Final, Source

_encode = json.JSONEncoder(ensure_ascii=False).encode


def _bytes(text: str) -> bytes:
    # Nothing that holds half a surrogate pair gets this far; if it did, it must not break the stream.
    return text.encode("utf-8", "replace")


def answer(text: str, urls: Sequence[Source], *, reset: bool, done: bool | None = None, token: str | None) -> bytes:
    """An answer. `done` is None when not streaming; `token` is None for a client that never saw one."""
    data: dict[str, object] = {"answer": text, "urls": [{"title": url.title, "url": url.url} for url in urls]}
    if done is not None:
        data["done"] = done
    data["reset"] = reset
    if token is not None:
        data["token"] = token
    return _success(data)


def images(addresses: Sequence[str]) -> bytes:
    """The pictures of an image request."""
    return _success(list(addresses))


def _success(data: object) -> bytes:
    return _bytes(_encode({"code": 200, "message": "success", "data": data}))


def progress(answer: str, found: Progress) -> bytes:
    """How far an answer has come. What only its end brings is empty until then."""
    end = found.end
    final = end if isinstance(end, Final) else Final(found.text)
    failed = end if isinstance(end, Failed) else None
    place = found.position
    data: dict[str, object] = {
        "answer": answer,
        "token": found.token,
        "state": found.state,
        "position": None if place is None else place.position,
        "wait": None if place is None else place.wait,
        "seq": found.seq,
        "text": found.text,
        "urls": [{"title": url.title, "url": url.url} for url in final.urls],
        "images": list(final.images),
        "suggestions": list(final.suggestions),
        "turns": None if final.turns is None else {"used": final.turns.used, "limit": final.turns.limit},
        "reset": final.reset or (failed is not None and failed.reset),
        "error": None,
        "provider": found.provider or None,
    }
    if failed is not None:
        data["error"] = {
            "code": failed.code,
            "message": failed.message,
            "reason": failed.reason,
            "retry_after": failed.retry_after,
        }
    return _success(data)


def error(code: int, message: str) -> bytes:
    """An error."""
    return _bytes(_encode({"code": code, "message": message}))


class DeltaFrames:
    """Makes the delta frames of one answer: all but the text is the same in each."""

    __slots__ = ("_prefix", "_suffix")

    def __init__(self, token: str | None) -> None:
        self._prefix, self._suffix = answer("\0", (), done=False, reset=False, token=token).split(rb'"\u0000"')

    def frame(self, text: str) -> bytes:
        """The frame that carries `text`."""
        return self._prefix + _bytes(_encode(text)) + self._suffix
