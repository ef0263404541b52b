"""Strings that only the server which made them understands, and that it wants back as they were."""

import base64
import contextlib
import hashlib
import json


def sign(model: str, kind: str, text: str) -> str:
    """Return the signature that a model gives a text of this kind; another model's differs."""
    digest = hashlib.sha512("\0".join((model, kind, text)).encode("utf-8", "surrogatepass")).digest()
    return base64.b64encode(digest).decode()


def sign_call(model: str, name: str, arguments: str) -> str:
    """Return the signature of a call, however its arguments are written as JSON."""
    with contextlib.suppress(ValueError):
        arguments = json.dumps(json.loads(arguments), sort_keys=True)
    return sign(model, "call", f"{name} {arguments}")
