"""Has schemathesis send half of its Idempotency-Keys afresh: it makes up so few that hardly a question would be new."""

import secrets
import uuid
from typing import Any

import schemathesis


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_call(_: Any, case: Any, __: Any) -> None:
    """Change a request before it is sent."""
    for sent, name in ((case.headers, "Idempotency-Key"), (case.query, "idempotency_key")):
        if sent and 16 <= len(str(sent.get(name, ""))) <= 255 and secrets.randbits(1):
            sent[name] = str(uuid.uuid4())
