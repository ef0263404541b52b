"""Write a request of HTTP/1.1 as bytes."""

import re
from collections.abc import Mapping

import httpx

from worker.providers.connections.server_origin import ServerOrigin

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What no value may contain: with a line's end it could be a header of its own.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FIXED = {b"Accept": b"*/*", b"Accept-Encoding": b"identity", b"User-Agent": b"bing-chat-gateway"}


def write_request(
    method: str, origin: ServerOrigin, target: bytes, headers: Mapping[bytes, bytes], body: bytes | None = None
) -> bytes:
    """Return a request for a target. httpx.LocalProtocolError, without the value, for a header that can't be sent."""
    sent = {b"Host": origin.host_header, **_FIXED, **headers}
    if origin.login:
        sent[b"Authorization"] = b"Basic " + origin.login
    if body is not None:
        sent[b"Content-Length"] = str(len(body)).encode()
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target)]
    for name, value in sent.items():
        if not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise httpx.LocalProtocolError("a header that can't be sent")
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join([*lines, b"", body or b""])
