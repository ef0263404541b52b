"""How a client of the OpenAI API is driven: a job a line comes in as JSON, and what came of it goes out as JSON.

A job: `do` (ask, image, models or respond), `url`, `key`, and for a question `model`, `messages`, `stream`, `stop`,
`leave` (after how many deltas to hang up) and `once` (an Idempotency-Key, where a client needs it). An outcome: what
the job asks for, or `error`, the exception's class, with its `status`; and the `deltas` that had come.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

Job = dict[str, Any]
Outcome = dict[str, Any]


def serve(doings: Mapping[str, Callable[[Job, list[str]], Outcome]]) -> None:
    """Do jobs until there are no more. A doing adds deltas to the list as they come."""
    # Some clients print.
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        job, deltas = json.loads(line), list[str]()
        try:
            outcome = doings[job["do"]](job, deltas)
        except Exception as error:  # noqa: BLE001 - whichever it is, it is reported
            outcome = {
                "error": type(error).__name__,
                "status": getattr(error, "status_code", None),
                "message": str(error),
            }
        out.write(json.dumps(outcome | {"deltas": deltas}) + "\n")
        out.flush()


def counted(usage: Any) -> list[int] | None:
    """The tokens of a question and its answer, if they were reported."""
    return [usage.prompt_tokens, usage.completion_tokens] if usage else None
